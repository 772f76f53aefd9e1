"""State machines: standard workflows pay by the transition, express ones by the request and its memory over time.

A transition is counted each time a step runs, retries and the start included; those of a distributed map's children
too. An express workflow pays for 100 ms at a time and for 64 MB at a time; its memory is 50 MB, its definition, and
the data of all its parallel steps. Facts: https://aws.amazon.com/step-functions/pricing/ ; the data keys of a
customer's key: https://docs.aws.amazon.com/step-functions/latest/dg/encryption-at-rest.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, Decimal

from workbench.assembly import Resource
from workbench.review import kms, tracing
from workbench.review.by_use import is_true, refuse_keys
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, sum_declared
from workbench.workload import Figure

STEP_MS = 100
CHUNK_MB = 64
REUSE_SECONDS = 300

_STANDARD_ONLY = ("transitions_per_month", "peak_transitions_per_second")
_EXPRESS_ONLY = ("memory_mb",)


def kind_of(resource: Resource) -> str:
    """`STANDARD` or `EXPRESS`."""
    declared = resource.properties.get("StateMachineType", "STANDARD")
    return one_of(resource, declared, "StateMachineType", ("STANDARD", "EXPRESS"))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    kind = kind_of(resource)
    others = _EXPRESS_ONLY if kind == "STANDARD" else _STANDARD_ONLY
    refuse_keys(resource, f"StateMachineType is {kind}", *others)
    executions = context.derive(resource, "executions_per_month")
    if kind == "STANDARD":
        transitions = context.derive(resource, "transitions_per_month")
        yield CostLine(
            "State transitions (standard)", "transitions", transitions, "stepfunctions.standard.transition"
        )
    else:
        yield CostLine("Requests (express)", "requests", executions, "stepfunctions.express.request")
        duration = context.derive(
            resource, "executions_per_month", "duration_ms", by=_gb_hours(resource, context)
        )
        yield CostLine("Duration (express)", "GB-hours", duration, "stepfunctions.express.duration")
    if is_true((resource.properties.get("TracingConfiguration") or {}).get("Enabled")):
        yield from tracing.lines(executions)
    encryption = resource.properties.get("EncryptionConfiguration") or {}
    if encryption.get("Type") == "CUSTOMER_MANAGED_KMS_KEY":
        reuse = encryption.get("KmsDataKeyReusePeriodSeconds")
        seconds = number(resource, reuse, "KmsDataKeyReusePeriodSeconds", REUSE_SECONDS)
        yield from kms.lines(kms.by_data_keys(executions, seconds, constant(1, "1 data key")))


def _gb_hours(resource: Resource, context: Context) -> Callable[[Figure, Figure], Figure]:
    memory = context.declared(resource, "memory_mb")
    chunks = _whole(memory.value / CHUNK_MB) if memory else Decimal(1)
    megabytes = chunks * CHUNK_MB
    said = f"{shown(megabytes)} MB billed" if memory else f"{CHUNK_MB} MB, the least that is billed,"

    def of(executions: Figure, duration: Figure) -> Figure:
        billed = _whole(duration.value / STEP_MS) * STEP_MS
        milliseconds = constant(billed, f"{shown(billed)} ms billed")
        gigabytes = constant(megabytes / 1024, f"{said} ÷ 1,024")
        return executions * milliseconds / constant(3_600_000, "3,600,000 ms/h") * gigabytes

    return of


def _whole(value: Decimal) -> Decimal:
    return value.to_integral_value(rounding=ROUND_CEILING)


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    if "largest_payload_kb" in resource.workload:
        size = context.derive(resource, "largest_payload_kb")
        yield context.against("stepfunctions.payload_kb", resource, "Largest input or output", size)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    machines = list(context.all_of("AWS::StepFunctions::StateMachine"))
    standard = [each for each in machines if kind_of(each) == "STANDARD"]
    express = [each for each in machines if kind_of(each) == "EXPRESS"]
    yield from _of_account(context, standard, "stepfunctions.start_execution_per_second", _STARTS, "standard")
    yield from _of_account(context, express, "stepfunctions.express_start_per_second", _STARTS, "express")
    transitions = ("peak_transitions_per_second", "State transitions a second")
    yield from _of_account(
        context, standard, "stepfunctions.state_transitions_per_second", transitions, "standard"
    )
    if standard:
        under_way = sum_declared([_open(each, context) for each in standard])
        yield context.against(
            "stepfunctions.open_executions", "account", "Open executions (standard)", under_way
        )


_STARTS = ("peak_executions_per_second", "Executions started a second")


def _of_account(
    context: Context, machines: list[Resource], quota: str, key_and_limit: tuple[str, str], kind: str
) -> Iterator[Limit]:
    key, limit = key_and_limit
    if machines:
        load = sum_declared([context.derive(each, key) for each in machines])
        yield context.against(quota, "account", f"{limit} ({kind})", load)


def _open(resource: Resource, context: Context) -> Figure:
    """Executions under way at the busiest time (Little's law)."""
    return context.derive(
        resource,
        "peak_executions_per_second",
        "duration_ms",
        by=lambda rate, duration: rate * duration / constant(1000, "1,000 ms/s"),
    )


ROOM = Room(
    type="AWS::StepFunctions::StateMachine",
    classification="usage",
    usage={
        "executions_per_month": Usage("executions", "workflows started"),
        "peak_executions_per_second": Usage("executions/s", "workflows started in the busiest second"),
        "transitions_per_month": Usage("transitions", "standard: steps that run, retries included"),
        "peak_transitions_per_second": Usage("transitions/s", "standard: steps in the busiest second"),
        "duration_ms": Usage("ms", "how long one execution takes", scales=False),
        "largest_payload_kb": Usage("KB", "the largest input or output of a state", scales=False),
        "memory_mb": Usage("MB", "express: memory of one execution; 64 when not declared", scales=False),
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
)
