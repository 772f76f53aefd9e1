"""Build projects: minutes, by the machine that builds. A build pays for each minute it begins.

Facts: https://aws.amazon.com/codebuild/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import service_logs
from workbench.review.by_use import refuse_keys
from workbench.review.room import Context, CostLine, Limit, Room, Usage, refuse, sum_declared

# What the price book knows of them.
_KEYS = {
    ("LINUX_CONTAINER", "BUILD_GENERAL1_SMALL"): "codebuild.linux.general1.small",
    ("LINUX_CONTAINER", "BUILD_GENERAL1_MEDIUM"): "codebuild.linux.general1.medium",
    ("LINUX_CONTAINER", "BUILD_GENERAL1_LARGE"): "codebuild.linux.general1.large",
    ("LINUX_CONTAINER", "BUILD_GENERAL1_2XLARGE"): "codebuild.linux.general1.2xlarge",
    ("ARM_CONTAINER", "BUILD_GENERAL1_LARGE"): "codebuild.arm.general1.large",
    ("WINDOWS_SERVER_2019_CONTAINER", "BUILD_GENERAL1_LARGE"): "codebuild.windows.general1.large",
    ("WINDOWS_SERVER_2022_CONTAINER", "BUILD_GENERAL1_LARGE"): "codebuild.windows.general1.large",
}
_SMALL_LINUX = ("LINUX_CONTAINER", "BUILD_GENERAL1_SMALL")


def _machine(resource: Resource) -> tuple[str, str]:
    environment = resource.properties.get("Environment") or {}
    for extra in ("Fleet", "DockerServer"):
        if environment.get(extra):
            raise refuse(resource, f"Environment.{extra} pays by what is reserved")
    machine = str(environment.get("Type")), str(environment.get("ComputeType"))
    if machine not in _KEYS:
        raise refuse(resource, f"a minute of {' '.join(machine)} is not in the price book")
    return machine


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    machine = _machine(resource)
    minutes = context.derive(resource, "build_minutes_per_month")
    kind = machine[1].removeprefix("BUILD_").lower()
    yield CostLine(f"Build minutes ({machine[0].lower()}, {kind})", "minutes", minutes, _KEYS[machine])

    if _logs_elsewhere(resource, context):
        yield from service_logs.lines(resource, context, "CodeBuild")
    else:
        refuse_keys(
            resource, "LogsConfig turns its logs off, or names a log group of the template", service_logs.KEY
        )


def _logs_elsewhere(resource: Resource, context: Context) -> bool:
    """Whether its logs go to a group that CodeBuild makes, or that is not in the template."""
    logs = (resource.properties.get("LogsConfig") or {}).get("CloudWatchLogs") or {}
    name = logs.get("GroupName")
    if logs.get("Status", "ENABLED") != "ENABLED":
        return False
    return not name or not any(
        group is context.target(resource, name) or group.properties.get("LogGroupName") == name
        for group in context.all_of("AWS::Logs::LogGroup")
    )


def _limits_of_account(context: Context) -> Iterator[Limit]:
    small = [each for each in context.all_of("AWS::CodeBuild::Project") if _machine(each) == _SMALL_LINUX]
    if small:
        builds = sum_declared([context.derive(each, "peak_builds") for each in small])
        yield context.against(
            "codebuild.concurrent_builds", "account", "Builds at once (Linux, small)", builds
        )


ROOM = Room(
    type="AWS::CodeBuild::Project",
    classification="usage",
    usage={
        "build_minutes_per_month": Usage("minutes", "minutes of builds, each build rounded up", scales=False),
        "peak_builds": Usage("builds", "builds that run at the same time", scales=False),
        **service_logs.FIXED_USAGE,
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
)
