"""Where pushes go: a topic for the channels, and a scheduler for what has to wait."""

from __future__ import annotations

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sns as sns
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.python_function import PythonFunction
from patterns.traffic import declare
from patterns.work_queue import WorkQueue
from workbench.workload import Rate

SERVICE = "scheduler.amazonaws.com"


class PushChannel(Construct):
    """A topic that whoever reaches devices subscribes to, and a group of schedules that send to `queue` later.

    The topic takes messages by TLS alone, and from whom `allow` lets in. It has no key of its own: it keeps nothing,
    and what passes says where a message is, never what it says. The schedules, which programs make at run time and
    which delete themselves, send under a role that may do nothing else, and that the scheduler takes for this group
    alone. They go with the stack: deleting a group deletes what is in it.
    Attributes: `topic`, `group_name`, `role`.
    """

    def __init__(self, scope: Construct, id: str, *, queue: WorkQueue, pushes: Rate) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", enforce_ssl=True)
        declare(
            self.topic,
            publishes_per_month=pushes.per_month,
            peak_publishes_per_second=pushes.peak_per_second,
        )
        self._group = scheduler.CfnScheduleGroup(self, "Later")
        self.group_name = self._group.ref
        # Of a group, as the scheduler asks for: "Confused deputy prevention", EventBridge Scheduler User Guide.
        self.role = iam.Role(
            self,
            "Role",
            description="What had to wait is sent in its name",
            assumed_by=iam.ServicePrincipal(
                SERVICE,
                conditions={
                    "StringEquals": {
                        "aws:SourceAccount": Aws.ACCOUNT_ID,
                        "aws:SourceArn": self._group.attr_arn,
                    }
                },
            ),
        )
        queue.allow_sending(self.role)

    def allow(self, pusher: PythonFunction) -> None:
        """Let `pusher` publish, and make schedules in the group that send in the role's name; nothing else."""
        schedules = Stack.of(self).format_arn(
            service="scheduler", resource="schedule", resource_name=f"{self.group_name}/*"
        )
        for action, resource in (
            ("sns:Publish", self.topic.topic_arn),
            ("scheduler:CreateSchedule", schedules),
        ):
            iam.Grant.add_to_principal(grantee=pusher, actions=[action], resource_arns=[resource])
        iam.Grant.add_to_principal(
            grantee=pusher,
            actions=["iam:PassRole"],
            resource_arns=[self.role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": SERVICE}},
        )
        logical_id = Stack.of(self).get_logical_id(self._group)
        acknowledge(
            pusher.role,
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>"
            f":schedule/<{logical_id}>/*]",
            "it makes schedules of this group, whose names are those of devices and chats",
        )
