"""Glue jobs: the data processing units (DPUs) of a run × its time, one minute at least.

With automatic scaling all workers are counted, which is the most. Flexible execution and Glue 6 are cheaper. What it
writes goes to log groups that Glue makes, unless an argument names one. Facts:
https://aws.amazon.com/glue/pricing/ and https://docs.aws.amazon.com/glue/latest/dg/add-job.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import by_use, glue, service_logs
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, number, one_of, refuse
from workbench.workload import Figure

_COMMANDS = ("glueetl", "gluestreaming", "pythonshell")
_PYTHON_SHELL_DPU, _SPARK_DPU = "0.0625", "10"
_LEAST_MINUTES = Decimal(1)
_LOG_GROUP = "--continuous-log-logGroup"


def _units(resource: Resource, command: str) -> Figure:
    """The DPUs of one run: those of its workers, MaxCapacity, or what Glue takes without either."""
    counted = glue.workers(resource)
    if counted is not None:
        return counted
    properties = resource.properties
    default = _PYTHON_SHELL_DPU if command == "pythonshell" else _SPARK_DPU
    value = properties.get("MaxCapacity", properties.get("AllocatedCapacity", default))
    dpus = number(resource, value, "MaxCapacity")
    return constant(dpus, f"{shown(dpus)} DPU")


def _price_key(resource: Resource) -> tuple[str, str]:
    """How it is run, in words, and the price of that."""
    properties = resource.properties
    flexible = one_of(
        resource, properties.get("ExecutionClass", "STANDARD"), "ExecutionClass", ("STANDARD", "FLEX")
    )
    sixth = str(properties.get("GlueVersion", "")).startswith("6")
    if flexible == "FLEX":
        if sixth:
            raise refuse(resource, "ExecutionClass is FLEX with GlueVersion 6")
        return "flexible", "glue.etl.flex_dpu"
    return ("Glue 6", "glue.etl.glue6_dpu") if sixth else ("standard", "glue.etl.dpu")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    command = one_of(
        resource, (resource.properties.get("Command") or {}).get("Name"), "Command.Name", _COMMANDS
    )
    units = _units(resource, command)
    words, price_key = _price_key(resource)

    def hours(runs: Figure, minutes: Figure) -> Figure:
        billed = (
            minutes if minutes.value >= _LEAST_MINUTES else constant(_LEAST_MINUTES, "1 minute, the least")
        )
        return runs * billed * units / constant(60, "60 minutes")

    quantity = context.derive(resource, "runs_per_month", "run_minutes", by=hours)
    yield CostLine(f"Runs ({words})", "DPU-hours", quantity, price_key)
    named = (resource.properties.get("DefaultArguments") or {}).get(_LOG_GROUP)
    if context.target(resource, named) is None:
        yield from service_logs.lines(resource, context, "Glue", group=service_logs.beginning("{}", named))


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    arguments = resource.properties.get("DefaultArguments") or {}
    if by_use.is_true(arguments.get("--enable-auto-scaling")):
        yield f"{context.name_of(resource)}: it scales its workers by itself; all of them are counted, the most"


ROOM = Room(
    type="AWS::Glue::Job",
    classification="usage",
    usage={
        "runs_per_month": Usage("runs", "how often it runs"),
        "run_minutes": Usage("minutes", "how long one run takes", scales=False),
        **service_logs.USAGE,
    },
    lines=_lines,
    warnings=_warnings,
)
