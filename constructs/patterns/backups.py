"""What is backed up, how often, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_backup as backup
from aws_cdk import aws_events as events
from constructs import Construct

from patterns.blueprint_stack import BlueprintStack
from patterns.service_role import ServiceRole
from patterns.traffic import declare
from workbench.workload import Figure


class Backups(Construct):
    """Every night, kept for `days`; in production a month's first for a year, in a vault that outlives the stack.

    `resource_arns` are backed up, and `stored_gb` is what the vault holds in the steady state.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        resource_arns: Sequence[str],
        stored_gb: Figure,
        days: int = 35,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        vault = backup.BackupVault(self, "Vault", removal_policy=stack.removal_policy)
        declare(vault, stored_gb=stored_gb)
        rules = [
            backup.BackupPlanRule(
                rule_name="nightly",
                schedule_expression=events.Schedule.cron(hour="3", minute="0"),
                start_window=Duration.hours(1),
                completion_window=Duration.hours(6),
                delete_after=Duration.days(days),
            )
        ]
        if stack.is_production:
            rules.append(
                backup.BackupPlanRule(
                    rule_name="monthly",
                    schedule_expression=events.Schedule.cron(day="1", hour="4", minute="0"),
                    delete_after=Duration.days(365),
                )
            )
        plan = backup.BackupPlan(self, "Plan", backup_vault=vault, backup_plan_rules=rules)
        role = ServiceRole(
            self,
            "Role",
            service="backup.amazonaws.com",
            policies=[f"service-role/AWSBackupServiceRolePolicyFor{kind}" for kind in ("Backup", "Restores")],
            reason="AWS Backup's own policies: what it does in other services changes with their releases",
        )
        backup.BackupSelection(
            self,
            "Selection",
            backup_plan=plan,
            role=role,
            disable_default_backup_policy=True,
            resources=[backup.BackupResource.from_arn(arn) for arn in resource_arns],
        )
