"""The CDK app: `cdk synth`, `cdk diff`, `cdk deploy`.

cdk deploy -c blueprint=url_shortener                            the sandbox, sized for 1,000 users
cdk deploy -c blueprint=url_shortener -c users=100000 -c stage=production
cdk deploy -c blueprint=url_shortener -c copy=alice              a second copy in the same account
cdk synth                                                        the whole catalogue
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
for source_root in (ROOT, ROOT / "constructs"):  # also without the editable install
    if str(source_root) not in sys.path:
        sys.path.append(str(source_root))

from workbench.errors import BlueprintError  # noqa: E402
from workbench.node import use_supported_node  # noqa: E402


def main() -> None:
    """Place what the context asks for, and synthesize."""
    use_supported_node()
    from aws_cdk import App

    from workbench import catalogue

    app = App(analytics_reporting=False)
    wanted = app.node.try_get_context("blueprint")
    users = app.node.try_get_context("users") or catalogue.DEFAULT_USERS
    stage = catalogue.stage_named(app.node.try_get_context("stage") or catalogue.DEFAULT_STAGE)
    for blueprint in [catalogue.find(wanted)] if wanted else catalogue.every():
        catalogue.place(app, blueprint, catalogue.users_from(str(users)), stage)
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except BlueprintError as error:
        sys.exit(f"app.py: {error}")
