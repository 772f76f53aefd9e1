"""Provisioned concurrency of Lambda: environments that are kept ready and paid by the second, used or not.

It stands on an alias or on a version of the template, and Application Auto Scaling moves it between two ends. What
runs there pays less for its duration; what comes above it runs on demand. Facts: https://aws.amazon.com/lambda/pricing/
and https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from weakref import WeakKeyDictionary

from workbench.assembly import Resource
from workbench.review.floor import Grown, grown
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Usage, is_declared, number, refuse
from workbench.workload import SECONDS_PER_MONTH, Figure, total

HOLDERS = ("AWS::Lambda::Alias", "AWS::Lambda::Version")
USAGE = {
    "average_provisioned_concurrency": Usage(
        "environments", "environments kept ready, averaged over the month, where auto scaling moves them"
    )
}

_KEPT: WeakKeyDictionary[Context, Mapping[Resource, list[Figure]]] = WeakKeyDictionary()
_DIMENSION = "lambda:function:ProvisionedConcurrency"
_ALL_SECONDS = constant(SECONDS_PER_MONTH, "730 h × 3,600 s")


def function_of(holder: Resource, context: Context) -> Resource | None:
    """The function of an alias or version; None outside the assembly."""
    return context.target(holder, holder.properties.get("FunctionName"))


def lines(holder: Resource, context: Context, gigabytes: Figure, architecture: str) -> Iterator[CostLine]:
    """What `holder` keeps ready, of a function with `gigabytes` of memory."""
    ready = kept_ready(holder, context)
    if ready is not None:
        yield from ready.lines(
            "Provisioned concurrency",
            architecture,
            "GB-seconds",
            gigabytes * _ALL_SECONDS,
            f"lambda.provisioned_concurrency.{architecture}",
        )


def kept_ready(holder: Resource, context: Context) -> Grown | None:
    """How many environments an alias or version keeps ready; None where it keeps none."""
    ends = _ends(holder, context)
    if ends is None:
        return None
    least, most = ends
    return grown(context, holder, "average_provisioned_concurrency", least, most)


def _ends(holder: Resource, context: Context) -> tuple[Figure, Figure] | None:
    """The fewest and the most environments."""
    scaling = _scaling(holder, context)
    if scaling is not None:
        least, most = (
            number(scaling, scaling.properties.get(name), name) for name in ("MinCapacity", "MaxCapacity")
        )
        return _environments(least), _environments(most)
    config = holder.properties.get("ProvisionedConcurrencyConfig")
    if not config:
        return None
    name = "ProvisionedConcurrentExecutions"
    count = _environments(number(holder, config.get(name), name))
    return count, count


def _environments(count: Decimal) -> Figure:
    return constant(count, f"{shown(count)} environment{'' if count == 1 else 's'}")


def _scaling(holder: Resource, context: Context) -> Resource | None:
    """The scalable target of `holder`, which names it by a reference, or its function and its own name."""
    function, label = function_of(holder, context), f":{holder.properties.get('Name')}"
    of_function = [] if function is None else _targets(function, context)
    by_name = [each for each in of_function if str(each.properties["ResourceId"]).endswith(label)]
    return next(iter([*_targets(holder, context), *by_name]), None)


def _targets(named: Resource, context: Context) -> list[Resource]:
    """The scalable targets of provisioned concurrency that name an alias, a version or a function."""
    targets = context.mentioning(named, "AWS::ApplicationAutoScaling::ScalableTarget", "ResourceId")
    return [each for each in targets if each.properties.get("ScalableDimension") == _DIMENSION]


def split(
    function: Resource, context: Context, invocations: Figure, concurrency: Figure
) -> tuple[Figure, Figure] | None:
    """The `invocations` that run on demand and those that run where environments are ready; None without any.

    `provisioned_invocations_per_month` says how many are ready. Where nobody declared it, it is the share of the
    busiest second's `concurrency` for which environments are kept: at any other time the share is as large or
    larger, so this is the most that it costs. Without the figures of that second all runs on demand, which is
    dearer.
    """
    ready = _kept_for(context).get(function)
    if not ready:
        return None
    if not is_declared(invocations):
        return invocations, invocations
    declared = context.declared(function, "provisioned_invocations_per_month")
    provisioned = declared or _share(invocations, total(*ready), concurrency)
    if provisioned.value > invocations.value:
        raise refuse(function, "provisioned_invocations_per_month is more than invocations_per_month")
    rest = constant(
        invocations.value - provisioned.value, f"{invocations.formula}, without those provisioned"
    )
    return rest, provisioned


def of_function(function: Resource, context: Context) -> Figure | None:
    """The most environments that are kept ready of `function`; None where none are."""
    ready = _kept_for(context).get(function)
    return total(*ready) if ready else None


def worked(function: Resource, context: Context, count: Figure, gigabytes: Figure) -> Figure:
    """GB-seconds of `count` invocations."""
    if not is_declared(count):
        return count
    return context.derive(
        function,
        "duration_ms",
        by=lambda duration: count * duration / constant(1000, "1,000 ms/s") * gigabytes,
    )


def _kept_for(context: Context) -> Mapping[Resource, list[Figure]]:
    """Function → the most environments that each of its aliases and versions keeps ready; found once a context."""
    if context not in _KEPT:
        found: dict[Resource, list[Figure]] = {}
        for kind in HOLDERS:
            for holder in context.all_of(kind):
                ends, function = _ends(holder, context), function_of(holder, context)
                if ends is not None and function is not None:
                    found.setdefault(function, []).append(ends[1])
        _KEPT[context] = found
    return _KEPT[context]


def _share(invocations: Figure, ready: Figure, concurrency: Figure) -> Figure:
    if not is_declared(concurrency):
        return constant(0, f"none, as what runs at once is not declared ({concurrency.formula})")
    if concurrency.value <= ready.value:
        return Figure(
            invocations.value, f"{invocations.formula}, all: {ready.formula} ≥ {concurrency.formula}"
        )
    return invocations * (ready / concurrency)
