"""Athena workgroups: the terabytes that queries scan, or the DPU-hours of Spark; nothing where capacity is reserved.

A query counts 10 MB at least; DDL statements are free. Facts: https://aws.amazon.com/athena/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review import athena, by_use
from workbench.review.room import Context, CostLine, Room, Usage

_SQL, _SPARK = "scanned_tb_per_month", "spark_dpu_hours_per_month"


def _settings(resource: Resource) -> dict[str, Any]:
    return resource.properties.get("WorkGroupConfiguration") or {}


def _is_spark(resource: Resource) -> bool:
    version = (_settings(resource).get("EngineVersion") or {}).get("SelectedEngineVersion", "")
    return "spark" in str(version).lower()


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if _is_spark(resource):
        by_use.refuse_keys(resource, "its engine is Spark", _SQL)
        yield from by_use.lines(
            resource, context, ("Sessions (Spark)", "DPU-hours", _SPARK, "athena.spark_dpu")
        )
        return
    by_use.refuse_keys(resource, "its engine is not Spark", _SPARK)
    if athena.is_on_reserved_capacity(resource, context):
        by_use.refuse_keys(resource, "a capacity reservation pays for its queries", _SQL)
        return
    yield from by_use.lines(resource, context, ("Data scanned", "TB", _SQL, "athena.scanned"))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    bounded = _settings(resource).get("BytesScannedCutoffPerQuery")
    if not bounded and not _is_spark(resource) and not athena.is_on_reserved_capacity(resource, context):
        yield f"{context.name_of(resource)}: without BytesScannedCutoffPerQuery one query may scan everything"


ROOM = Room(
    type="AWS::Athena::WorkGroup",
    classification="usage",
    usage={
        _SQL: Usage("TB", "SQL: data that queries read, as it is stored, each 10 MB at least"),
        _SPARK: Usage("DPU-hours", "Spark: DPUs × hours of all sessions, the driver's too"),
    },
    lines=_lines,
    warnings=_warnings,
)
