"""SnapStart of Lambda: free for Java; for other runtimes the snapshot of each version pays, and each restore of it.

The snapshot pays for the function's memory as long as the version is there. Facts: https://aws.amazon.com/lambda/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Usage, is_declared
from workbench.workload import SECONDS_PER_MONTH, Figure

USAGE = {
    "snapstart_versions": Usage(
        "versions",
        "published versions with a SnapStart snapshot; those of the template when not declared",
        scales=False,
    ),
    "restores_per_month": Usage("restores", "environments that start from a SnapStart snapshot"),
}


def lines(function: Resource, context: Context, gigabytes: Figure) -> Iterator[CostLine]:
    """The snapshots of `function`, which has `gigabytes` of memory, and their restores."""
    applied = (function.properties.get("SnapStart") or {}).get("ApplyOn", "None")
    if applied == "None" or str(function.properties.get("Runtime", "")).startswith("java"):
        return
    versions = _versions(function, context)
    all_month = gigabytes * constant(SECONDS_PER_MONTH, "730 h × 3,600 s")
    kept = versions * all_month if is_declared(versions) else versions
    yield CostLine("Snapshots kept (SnapStart)", "GB-seconds", kept, "lambda.snapstart.cache")
    restored = context.derive(function, "restores_per_month", by=lambda restores: restores * gigabytes)
    yield CostLine("Snapshots restored (SnapStart)", "GB", restored, "lambda.snapstart.restore")


def _versions(function: Resource, context: Context) -> Figure:
    declared = context.derive(function, "snapstart_versions")
    published = len(context.pointing_at(function, "AWS::Lambda::Version", "FunctionName"))
    if is_declared(declared) or not published:
        return declared
    return constant(published, f"{published} version{'' if published == 1 else 's'} in the template")
