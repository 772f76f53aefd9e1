"""Lambda functions: requests, GB-seconds, temporary storage, traces; concurrency.

Facts: https://aws.amazon.com/lambda/pricing/ ; X-Ray's default sampling, the first request of each second and
5 % of the rest: https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Limit, Room, Usage, number, one_of, refuse, sum_declared
from workbench.workload import SECONDS_PER_MONTH, Figure

FREE_STORAGE_MB = 512
SAMPLED_SHARE = Decimal("0.05")

_ARCHITECTURES = {"x86_64": "x86", "arm64": "arm"}


def architecture(resource: Resource) -> str:
    """`x86` or `arm`, as the price keys say."""
    declared = resource.properties.get("Architectures") or ["x86_64"]
    return _ARCHITECTURES[one_of(resource, declared[0], "Architectures", tuple(_ARCHITECTURES))]


def seconds(resource: Resource, context: Context) -> Figure:
    """How long one invocation takes."""
    return context.derive(
        resource, "duration_ms", by=lambda duration: duration / constant(1000, "1,000 ms/s")
    )


def concurrency(resource: Resource, context: Context) -> Figure:
    """Invocations under way in the busiest second (Little's law)."""
    return context.derive(
        resource,
        "peak_invocations_per_second",
        "duration_ms",
        by=lambda rate, duration: rate * duration / constant(1000, "1,000 ms/s"),
    )


def reserved(resource: Resource) -> Figure | None:
    """The concurrency that the template sets aside for this function alone."""
    value = resource.properties.get("ReservedConcurrentExecutions")
    if value is None:
        return None
    count = number(resource, value, "ReservedConcurrentExecutions")
    return constant(count, f"{shown(count)} reserved for {resource.name}")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    _refuse_snap_start(resource)
    arch = architecture(resource)
    invocations = context.derive(resource, "invocations_per_month")
    yield CostLine(f"Requests ({arch})", "requests", invocations, f"lambda.requests.{arch}")

    memory = number(resource, resource.properties.get("MemorySize"), "MemorySize", default=128)
    gb_seconds = _gb_seconds(resource, context, memory)
    yield CostLine(f"Duration ({arch})", "GB-seconds", gb_seconds, f"lambda.duration.{arch}")

    storage = resource.properties.get("EphemeralStorage") or {}
    extra = number(resource, storage.get("Size"), "EphemeralStorage.Size", FREE_STORAGE_MB) - FREE_STORAGE_MB
    if extra > 0:
        quantity = _gb_seconds(resource, context, extra, " above the 512 MB that are free")
        yield CostLine(
            f"Temporary storage ({arch})", "GB-seconds", quantity, f"lambda.ephemeral_storage.{arch}"
        )

    if (resource.properties.get("TracingConfig") or {}).get("Mode") == "Active":
        traces = context.derive(resource, "invocations_per_month", by=_sampled)
        yield CostLine("Traces recorded (default sampling)", "traces", traces, "xray.traces_recorded")

    metrics = context.declared(resource, "custom_metrics")
    if metrics is not None:
        # A metric is billed for the hours in which it is sent: nobody comes, nothing is sent.
        sent = metrics if context.traffic else constant(0, "nothing is sent")
        yield CostLine("Custom metrics", "metrics", sent, "cloudwatch.metrics.custom")


def _refuse_snap_start(resource: Resource) -> None:
    snap_start = (resource.properties.get("SnapStart") or {}).get("ApplyOn", "None")
    if snap_start != "None" and not str(resource.properties.get("Runtime", "")).startswith("java"):
        raise refuse(resource, f"SnapStart is {snap_start}, which is free for Java only")


def _gb_seconds(resource: Resource, context: Context, megabytes: Decimal, words: str = "") -> Figure:
    gigabytes = constant(megabytes / 1024, f"{shown(megabytes)} MB{words} ÷ 1,024")
    return context.derive(
        resource,
        "invocations_per_month",
        "duration_ms",
        by=lambda count, duration: count * duration / constant(1000, "1,000 ms/s") * gigabytes,
    )


def _sampled(invocations: Figure) -> Figure:
    """The most that default sampling can record: it is most when the requests come one by one."""
    first = min(invocations.value, SECONDS_PER_MONTH)
    rest = invocations.value - first
    seconds_words = f"at most 730 h × 3,600 s = {shown(SECONDS_PER_MONTH)}"
    rule = f"the first request of each second ({seconds_words}) + 5 % of the rest"
    return constant(first + rest * SAMPLED_SHARE, f"{rule}, of {invocations.formula}")


def _limits(resource: Resource, context: Context) -> Iterable[Limit]:
    own = reserved(resource)
    if own is None or own.value == 0:
        return
    source = context.quota("lambda.concurrent_executions").source
    load = concurrency(resource, context)
    yield Limit(
        context.name_of(resource), "Reserved concurrency", "concurrent executions", own, load, True, source
    )


def _limits_of_account(context: Context) -> Iterator[Limit]:
    functions = list(context.all_of("AWS::Lambda::Function"))
    pool = [_taken(each, context) for each in functions]
    if pool:
        yield context.against(
            "lambda.concurrent_executions", "account", "Lambda concurrent executions", sum_declared(pool)
        )
        rates = [context.derive(each, "peak_invocations_per_second") for each in functions]
        yield context.against(
            "lambda.requests_per_second", "account", "Lambda requests a second", sum_declared(rates)
        )


def _taken(resource: Resource, context: Context) -> Figure:
    """What a function takes from the account's pool: what is reserved for it, or else what it uses."""
    return reserved(resource) or concurrency(resource, context)


ROOM = Room(
    type="AWS::Lambda::Function",
    classification="usage",
    usage={
        "invocations_per_month": Usage("invocations", "every call, retries included"),
        "peak_invocations_per_second": Usage("invocations/s", "calls in the busiest second"),
        "duration_ms": Usage("ms", "billed time of one call", scales=False),
        "custom_metrics": Usage("metrics", "metrics that the handler itself sends, if any", scales=False),
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
)
