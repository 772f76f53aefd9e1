"""Logs that a service writes to a log group of its own making, where nothing expires: hidden lines of its resource.

They are the log group's own where the template has one of its name. Which services make one is told in
`implicit_logs.py`. Facts: https://aws.amazon.com/cloudwatch/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

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
    resource: Resource, context: Context, writer: str, price_key: str = "cloudwatch.logs.ingest"
) -> Iterator[CostLine]:
    """What `resource` writes, and what of it is kept; nothing where a log group of the template is named after it."""
    if _is_in_template(resource, context):
        return
    words = f"{writer}, log group not in the template"
    written = context.derive(resource, KEY)
    yield CostLine(f"Logs written ({words})", "GB", written, price_key)
    months = _months(resource, context)
    held = context.derive(resource, KEY, by=lambda given: logs.kept(given, months))
    yield CostLine(f"Logs kept ({words})", "GB-months", held, "cloudwatch.logs.storage")


def warnings(resource: Resource, context: Context, writer: str) -> Iterator[str]:
    """That nothing expires in the group."""
    if not _is_in_template(resource, context) and _months(resource, context) is _FOR_EVER:
        yield f"{context.name_of(resource)}: {writer} makes its log group, in which nothing expires"


def _is_in_template(resource: Resource, context: Context) -> bool:
    return next(_named_after(resource, context, "AWS::Logs::LogGroup"), None) is not None


def _months(resource: Resource, context: Context) -> Figure:
    """For how long the group keeps them, which a custom resource of the CDK may set."""
    setter = next(_named_after(resource, context, "Custom::LogRetention"), None)
    return _FOR_EVER if setter is None else logs.kept_months(setter)


def _named_after(resource: Resource, context: Context, kind: str) -> Iterator[Resource]:
    for group in context.all_of(kind):
        written = (group.raw.get("Properties") or {}).get("LogGroupName")
        if any(named is resource for named in context.links.mentions(group, written)):
            yield group
