"""The stack of a blueprint: named, tagged, described and sized the same way for all."""

from __future__ import annotations

from aws_cdk import App, RemovalPolicy, Stack, Tags

from patterns.traffic import KEY
from workbench.blueprint import Choice, Option, Stage
from workbench.workload import Load

# CDK tags these, but their schema knows no tags.
_UNTAGGED = ("AWS::RDS::DBProxyTargetGroup",)


class BlueprintStack(Stack):
    """A stack called `<system>-<stage>`, or `<system>-<stage>-<copy>` with the context `copy`.

    Nothing in it may carry a physical name, so that two copies live side by side in one account. `sandbox`
    leaves nothing behind when it is destroyed; `production` keeps its data.
    """

    def __init__(self, app: App, system: str, *, load: Load, stage: Stage, description: str) -> None:
        copy = app.node.try_get_context("copy")
        name = "-".join([system.replace("_", "-"), stage, *([copy] if copy else [])])
        super().__init__(
            app,
            name,
            description=description,
            termination_protection=stage == "production",
            analytics_reporting=False,
        )
        self.stage: Stage = stage
        self.template_options.metadata = {
            KEY: {
                "blueprint": system,
                "users": load.users,
                "stage": stage,
                "requests_per_month": f"{load.requests().value:f}",
            }
        }
        for key, value in (("blueprint", system), ("stage", stage)):
            Tags.of(self).add(key, value, exclude_resource_types=list(_UNTAGGED))

    @property
    def is_production(self) -> bool:
        return self.stage == "production"

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What becomes of data when the stack is destroyed."""
        return RemovalPolicy.RETAIN if self.is_production else RemovalPolicy.DESTROY

    def chosen(self, choice: Choice[Option]) -> Option:
        """The option of `choice` that the context asks for, or its first. Raises `Misuse` for any other word."""
        return choice.taken(self.node.try_get_context(choice.key))

    @staticmethod
    def around(construct: object) -> BlueprintStack:
        """The blueprint stack that `construct` stands in. Raises `TypeError` outside of one."""
        stack = Stack.of(construct)  # type: ignore[arg-type]
        if not isinstance(stack, BlueprintStack):
            raise TypeError("the patterns stand in a BlueprintStack: it gives them their stage")
        return stack
