"""Logs that a service writes to a log group of its own making, where nothing expires: hidden lines of its resource.

They are the log group's own where the template has one of its name. Which services make one is told in
`implicit_logs.py`. Facts: https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import logs
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Usage
from workbench.workload import Figure

KEY = "log_gb_per_month"
USAGE = logs.USAGE
# For what doesn't grow with users.
FIXED_USAGE = {KEY: Usage(USAGE[KEY].unit, USAGE[KEY].meaning, scales=False)}

_FOR_EVER = constant(
    logs.MONTHS_WITHOUT_RETENTION, f"{logs.MONTHS_WITHOUT_RETENTION} months (never deleted: after a year)"
)


def lines(
    resource: Resource,
    context: Context,
    writer: str,
    price_key: str = "cloudwatch.logs.ingest",
    *,
    key: str = KEY,
    group: str | None = None,
) -> Iterator[CostLine]:
    """What `resource` writes, and what of it is kept; nothing where a log group of the template is named after it.

    `key` is the usage key of what it writes. `group` is how the names of its groups begin, `/aws/rds/instance/shop/`,
    where the template gives its name (`beginning`).
    """
    if _is_in_template(resource, context, group):
        return
    words = f"{writer}, log group not in the template"
    written = context.derive(resource, key)
    yield CostLine(f"Logs written ({words})", "GB", written, price_key)
    months = _months(resource, context)
    held = context.derive(resource, key, by=lambda given: logs.kept(given, months))
    yield CostLine(f"Logs kept ({words})", "GB-months", held, "cloudwatch.logs.storage")


def warnings(resource: Resource, context: Context, writer: str, *, group: str | None = None) -> Iterator[str]:
    """That nothing expires in the group."""
    if not _is_in_template(resource, context, group) and _months(resource, context) is _FOR_EVER:
        yield f"{context.name_of(resource)}: {writer} makes its log group, in which nothing expires"


def beginning(pattern: str, name: Any) -> str | None:
    """`pattern` with `name` in it; None where only deployment knows the name, or nobody gave one."""
    return pattern.format(name) if isinstance(name, str) else None


def _is_in_template(resource: Resource, context: Context, group: str | None) -> bool:
    named_after = context.mentioning(resource, "AWS::Logs::LogGroup", "LogGroupName")
    return bool(named_after) or (group is not None and group.lower() in context.once(_beginnings))


def _beginnings(context: Context) -> set[str]:
    """The names of the template's log groups, and each of them up to one of its slashes."""
    found = set()
    for each in context.all_of("AWS::Logs::LogGroup"):
        name = each.properties.get("LogGroupName")
        if isinstance(name, str):
            parts = name.lower().split("/")
            found |= {"/".join(parts[:count]) + "/" for count in range(1, len(parts))} | {name.lower()}
    return found


def _months(resource: Resource, context: Context) -> Figure:
    """For how long the group keeps them, which a custom resource of the CDK may set."""
    setters = context.mentioning(resource, "Custom::LogRetention", "LogGroupName")
    return logs.kept_months(setters[0]) if setters else _FOR_EVER
