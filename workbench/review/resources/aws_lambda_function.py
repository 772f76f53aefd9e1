"""Lambda functions: requests, GB-seconds, temporary storage, traces; concurrency, and how fast it may grow.

A function that CloudFront runs pays the prices of the edge; what runs in environments that an alias or a version
keeps ready has a price of its own. Facts: https://aws.amazon.com/lambda/pricing/

Lambda makes at most 1,000 environments in ten seconds for a function. What it must make is taken to be what the
busiest second needs above the average one, within `ramp_seconds`; at once where none is declared, the worst case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import lambda_edge, logs, provisioned_concurrency, snap_start, tracing
from workbench.review.numbers import constant, dollars, shown
from workbench.review.prices import PriceBook
from workbench.review.queueing import Station
from workbench.review.room import (
    Context,
    CostLine,
    Limit,
    Room,
    Usage,
    is_declared,
    number,
    one_of,
    refuse,
    setting,
    sum_declared,
)
from workbench.workload import SECONDS_PER_MONTH, Figure, total

FREE_STORAGE_MB = 512
STEP_SECONDS = 10

_ARCHITECTURES = {"x86_64": "x86", "arm64": "arm"}


def architecture(resource: Resource) -> str:
    """`x86` or `arm`, as the price keys say."""
    declared = resource.properties.get("Architectures") or ["x86_64"]
    return _ARCHITECTURES[one_of(resource, declared[0], "Architectures", tuple(_ARCHITECTURES))]


def memory(resource: Resource) -> Decimal:
    """Megabytes."""
    return number(resource, resource.properties.get("MemorySize"), "MemorySize", default=128)


def gigabytes(resource: Resource) -> Figure:
    """The memory that is paid while it runs, or while it is kept ready."""
    return _in_gigabytes(memory(resource))


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
    _refuse_extras(resource)
    arch = architecture(resource)
    invocations = context.derive(resource, "invocations_per_month")
    if lambda_edge.is_at_edge(resource, context):
        worked = _gb_seconds(resource, context, memory(resource))
        yield from lambda_edge.lines(resource, arch, invocations, worked)
        return
    yield CostLine(f"Requests ({arch})", "requests", invocations, f"lambda.requests.{arch}")
    yield from _duration(resource, context, arch, invocations)

    storage = resource.properties.get("EphemeralStorage") or {}
    extra = number(resource, storage.get("Size"), "EphemeralStorage.Size", FREE_STORAGE_MB) - FREE_STORAGE_MB
    if extra > 0:
        quantity = _gb_seconds(resource, context, extra, " above the 512 MB that are free")
        yield CostLine(
            f"Temporary storage ({arch})", "GB-seconds", quantity, f"lambda.ephemeral_storage.{arch}"
        )

    if (resource.properties.get("TracingConfig") or {}).get("Mode") == "Active":
        yield from tracing.lines(invocations)
    yield from snap_start.lines(resource, context, gigabytes(resource))
    yield from logs.implicit(resource, context)

    metrics = context.declared(resource, "custom_metrics")
    if metrics is not None:
        # A metric is billed for the hours in which it is sent: nobody comes, nothing is sent.
        sent = metrics if context.traffic else constant(0, "nothing is sent")
        yield CostLine("Custom metrics", "metrics", sent, "cloudwatch.metrics.custom")


def _refuse_extras(resource: Resource) -> None:
    for name, why in (
        ("CapacityProviderConfig", "runs it on managed instances, which pay by the hour"),
        ("DurableConfig", "pays by the operation and by the gigabyte"),
        ("TenancyConfig", "pays by the environment of each tenant"),
    ):
        if resource.properties.get(name):
            raise refuse(resource, f"{name} {why}")


def _duration(resource: Resource, context: Context, arch: str, invocations: Figure) -> Iterator[CostLine]:
    """On demand, and where an alias or a version keeps environments ready, in those."""
    ready = provisioned_concurrency.split(resource, context, invocations, concurrency(resource, context))
    if ready is None:
        worked = _gb_seconds(resource, context, memory(resource))
        yield CostLine(f"Duration ({arch})", "GB-seconds", worked, f"lambda.duration.{arch}")
        return
    for count, words, key in zip(ready, ("on demand", "provisioned"), ("", "provisioned_"), strict=True):
        worked = provisioned_concurrency.worked(resource, context, count, gigabytes(resource))
        yield CostLine(f"Duration ({arch}, {words})", "GB-seconds", worked, f"lambda.{key}duration.{arch}")


def _gb_seconds(resource: Resource, context: Context, megabytes: Decimal, words: str = "") -> Figure:
    size = _in_gigabytes(megabytes, words)
    return context.derive(
        resource,
        "invocations_per_month",
        "duration_ms",
        by=lambda count, duration: count * duration / constant(1000, "1,000 ms/s") * size,
    )


def _in_gigabytes(megabytes: Decimal, words: str = "") -> Figure:
    return constant(megabytes / 1024, f"{shown(megabytes)} MB{words} ÷ 1,024")


def _limits(resource: Resource, context: Context) -> Iterator[Limit]:
    own, name = reserved(resource), context.name_of(resource)
    if own is not None and own.value:
        source = context.quota("lambda.concurrent_executions").source
        load = concurrency(resource, context)
        advice = setting(name, "ReservedConcurrentExecutions")
        unit = "concurrent executions"
        yield Limit(name, "Reserved concurrency", unit, own, load, True, source, advice)
    grown = _growth(resource, context)
    if is_declared(grown):
        yield context.against("lambda.burst", resource, "Environments to start in 10 s", grown)
    for key, usage, limit, kilobytes in (
        ("lambda.payload_sync_mb", "largest_payload_kb", "Largest payload", constant(1024, "1,024 KB/MB")),
        ("lambda.payload_async_kb", "largest_event_kb", "Largest asynchronous event", constant(1, "1 KB")),
    ):
        if usage in resource.workload:
            size = context.derive(resource, usage, by=lambda kb: kb / kilobytes)  # noqa: B023
            yield context.against(key, resource, limit, size)


def _growth(resource: Resource, context: Context) -> Figure:
    """The environments that ten seconds must add for the busiest second, from those of the average one."""

    def added(peak: Figure, calls: Figure, duration: Figure) -> Figure:
        busiest, average = peak.value, calls.value / SECONDS_PER_MONTH
        more = max(Decimal(0), (busiest - average) * duration.value / 1000)
        ramp = context.declared(resource, "ramp_seconds") or constant(STEP_SECONDS, "10 s, all at once")
        seconds = max(ramp.value, Decimal(STEP_SECONDS))
        words = (
            f"(({peak.formula}) − ({calls.formula}) ÷ 2,628,000 s) × {duration.formula} ÷ 1,000 ms/s "
            f"× 10 s ÷ {ramp.formula}"
        )
        return constant(more * STEP_SECONDS / seconds, words)

    keys = ("peak_invocations_per_second", "invocations_per_month", "duration_ms")
    return context.derive(resource, *keys, by=added)


def _stations(resource: Resource, context: Context) -> Iterator[Station]:
    """Reserved concurrency, where callers are refused what finds no environment free; a queue's is its mapping's."""
    own = reserved(resource)
    if own is not None and own.value and not _is_fed(resource, context):
        arrivals = context.derive(resource, "peak_invocations_per_second")
        name = context.name_of(resource)
        yield Station(name, "calls", own, arrivals, seconds(resource, context), refuses=True)


def _is_fed(resource: Resource, context: Context) -> bool:
    return bool(feeds(resource, context))


def feeds(function: Resource, context: Context) -> list[Resource]:
    """The event source mappings that call `function`, by its alias or version too."""
    return context.once(_fed).get(function, [])


def _fed(context: Context) -> Mapping[Resource, list[Resource]]:
    found: dict[Resource, list[Resource]] = {}
    for mapping in context.all_of("AWS::Lambda::EventSourceMapping"):
        function = named(mapping, context)
        if function is not None:
            found.setdefault(function, []).append(mapping)
    return found


def named(holder: Resource, context: Context) -> Resource | None:
    """The function that `FunctionName` of `holder` means, also by alias or version; None outside the assembly."""
    found = context.target(holder, holder.properties.get("FunctionName"))
    if found is not None and found.type in provisioned_concurrency.HOLDERS:
        return named(found, context)
    return found if found is not None and found.type == "AWS::Lambda::Function" else None


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
    kept = [own for own in map(reserved, functions) if own is not None]
    if kept:
        limit = "Lambda concurrency reserved"
        yield context.against("lambda.reserved_concurrency", "account", limit, total(*kept))


def _taken(resource: Resource, context: Context) -> Figure:
    """What a function takes from the account's pool: what is reserved for it, or else what it uses or keeps ready."""
    own, used = reserved(resource), concurrency(resource, context)
    if own is not None:
        return own
    ready = provisioned_concurrency.of_function(resource, context)
    if ready is None or (is_declared(used) and used.value >= ready.value):
        return used
    return Figure(ready.value, f"{ready.formula} kept ready for {resource.name}")


# Runtimes of which Lambda has no Graviton version: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_X86_ONLY = ("go1.x", "provided", "java8", "python3.6", "python3.7", "dotnetcore2.1", "nodejs10.x", "ruby2.5")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    yield from logs.implicit_warnings(resource, context)
    runtime = resource.properties.get("Runtime")
    if architecture(resource) == "arm" or not isinstance(runtime, str) or runtime in _X86_ONLY:
        return
    if not lambda_edge.is_at_edge(resource, context):
        yield f"{context.name_of(resource)}: it runs on x86; on Graviton (arm64) {_less(resource, context)}"


def _less(resource: Resource, context: Context) -> str:
    """What its duration would cost less: dollars where it is declared, and otherwise what the prices say."""
    worked = _gb_seconds(resource, context, memory(resource))
    book = PriceBook.load()
    x86, arm = (book[f"lambda.duration.{arch}"] for arch in ("x86", "arm"))
    if not worked.value:
        share = (1 - arm.tiers[0].price / x86.tiers[0].price) * 100
        return f"its duration would cost {shown(share.quantize(Decimal(1)))} % less"
    now, then = x86.cost(worked.value), arm.cost(worked.value)
    return f"its duration would cost {dollars(then)} a month instead of {dollars(now)}"


ROOM = Room(
    type="AWS::Lambda::Function",
    classification="usage",
    usage={
        "invocations_per_month": Usage("invocations", "every call, retries included"),
        "peak_invocations_per_second": Usage("invocations/s", "calls in the busiest second"),
        "duration_ms": Usage("ms", "billed time of one call", scales=False),
        "ramp_seconds": Usage(
            "s", "how long the average second takes to become the busiest one", scales=False
        ),
        "largest_payload_kb": Usage("KB", "the largest request or answer of a call that waits", scales=False),
        "largest_event_kb": Usage("KB", "the largest event of an asynchronous call", scales=False),
        **logs.USAGE,
        "custom_metrics": Usage("metrics", "metrics that the handler itself sends, if any", scales=False),
        "provisioned_invocations_per_month": Usage(
            "invocations", "calls that run provisioned; by the busiest second when not declared"
        ),
        **snap_start.USAGE,
    },
    lines=_lines,
    limits=_limits,
    limits_of_account=_limits_of_account,
    stations=_stations,
    warnings=_warnings,
)
