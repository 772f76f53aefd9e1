"""The CDK app: `cdk synth`, `cdk diff`, `cdk deploy`.

cdk deploy -c blueprint=url_shortener                            the sandbox, sized for 1,000 users
cdk deploy -c blueprint=url_shortener -c users=100000 -c stage=production
cdk deploy -c blueprint=url_shortener -c copy=alice              a second copy in the same account
cdk synth                                                        the whole catalogue
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV_PYTHON = ROOT / ".venv" / "bin" / "python"


def use_the_environment() -> None:
    """Go on in the project's own environment, where this interpreter has no CDK: nobody need activate it."""
    if find_spec("aws_cdk") is None:
        if not VENV_PYTHON.exists():
            sys.exit("app.py: the CDK is not installed here; run `make setup`")
        os.execv(VENV_PYTHON, [str(VENV_PYTHON), *sys.argv])  # noqa: S606 (our own interpreter, no shell)
    for source_root in (ROOT, ROOT / "constructs"):  # also without the editable install
        if str(source_root) not in sys.path:
            sys.path.append(str(source_root))


def main() -> None:
    """Place what the context asks for, and synthesize."""
    from workbench import catalogue
    from workbench.node import use_supported_node

    use_supported_node()
    from aws_cdk import App

    app = App(analytics_reporting=False)
    wanted = app.node.try_get_context("blueprint")
    users = app.node.try_get_context("users") or catalogue.DEFAULT_USERS
    stage = catalogue.stage_named(app.node.try_get_context("stage") or catalogue.DEFAULT_STAGE)
    for blueprint in [catalogue.find(wanted)] if wanted else catalogue.every():
        catalogue.place(app, blueprint, catalogue.users_from(str(users)), stage)
    app.synth()


if __name__ == "__main__":
    use_the_environment()
    from workbench.errors import BlueprintError

    try:
        main()
    except BlueprintError as error:
        sys.exit(f"app.py: {error}")
