"""The layer of the libraries that functions need beyond what Lambda's runtime and the Powertools layer have."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import IgnoreMode, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from workbench.errors import Misuse

RUNTIME = lambda_.Runtime.PYTHON_3_14
# Set-up puts the wheels of requirements-lambda.txt here, made for Lambda's machines (tools/setup_environment.py).
FOLDER = Path(__file__).resolve().parent.parent.parent / ".venv" / "lambda-layer"
# What tells of the machine that installed them, and of nothing that a function could miss.
_OF_THIS_MACHINE = (
    "/.setup.sha256",
    "/python/bin",
    "/python/*.dist-info/RECORD",
    "/python/*.dist-info/INSTALLER",
    "/python/*.dist-info/REQUESTED",
    "/python/*.dist-info/direct_url.json",
    "__pycache__",
    "*.pyc",
)


class PythonLibraries(lambda_.LayerVersion):
    """What requirements-lambda.txt locks, for Arm processors; nothing is fetched or built at synth.

    A stack has one (`of`). Its content, and so its hash, is the same on every machine. Raises `Misuse` where
    set-up has not been run.
    """

    def __init__(self, scope: Construct, id: str, *, folder: Path = FOLDER) -> None:
        if not (folder / "python").is_dir():
            raise Misuse("the libraries of the functions' layer are not there yet; run `make setup`")
        super().__init__(
            scope,
            id,
            code=lambda_.Code.from_asset(
                str(folder), exclude=list(_OF_THIS_MACHINE), ignore_mode=IgnoreMode.GIT
            ),
            compatible_architectures=[lambda_.Architecture.ARM_64],
            compatible_runtimes=[RUNTIME],
            description="What requirements-lambda.txt locks",
        )

    @staticmethod
    def of(stack: Stack) -> PythonLibraries:
        """The one of `stack`, made when it is first asked for."""
        existing = stack.node.try_find_child("PythonLibraries")
        if existing is None:
            return PythonLibraries(stack, "PythonLibraries")
        assert isinstance(existing, PythonLibraries)
        return existing
