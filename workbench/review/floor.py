"""What is paid when nobody comes, and what use adds above it: fleets that scale, storage that grows.

    fleet = grown(context, group, "average_instances", least=two, most=ten)
    yield from fleet.lines("Instances", "t4g.small", "instance-hours", HOURS, "ec2.linux.t4g.small")

A floor is a line of its own, so that it stays at no traffic, and also where nobody declared the use above it.
At the peak a fleet is as large as its requests need, by the usage keys `peak_requests_per_second` and what one of
it serves (`each_key`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.queueing import Station
from workbench.review.room import Context, CostLine, Limit, is_declared
from workbench.workload import HOURS_PER_MONTH, Figure

HOURS = constant(HOURS_PER_MONTH, "730 h")
_PEAK = "peak_requests_per_second"


@dataclass(frozen=True)
class Grown:
    """`least` is always there; `more` is what use adds, None where nothing can."""

    least: Figure
    more: Figure | None = None

    def lines(
        self, thing: str, kind: str, unit: str, each: Figure, price_key: str, words: str = "as load grows"
    ) -> Iterator[CostLine]:
        """`each` a month for every one of the least, and for every one above: `Instances (t4g.small)`."""
        if self.least.value or self.more is None:
            yield CostLine(f"{thing} ({kind})", unit, times(self.least, each), price_key)
        if self.more is not None:
            yield CostLine(f"{thing} ({kind}, {words})", unit, times(self.more, each), price_key)


def grown(context: Context, resource: Resource, key: str, least: Figure, most: Figure | None = None) -> Grown:
    """From `least` to `most` (no end without one), by the usage `key`; fixed where the two are equal."""
    if most is not None and most.value <= least.value:
        return Grown(least)
    return Grown(least, above(least, context.derive(resource, key), most))


def above(floor: Figure, wanted: Figure, most: Figure | None = None) -> Figure:
    """What `wanted` is above `floor`, counted up to `most`; undeclared as `wanted` is."""
    if not is_declared(wanted):
        return wanted
    reached = wanted.value if most is None else min(wanted.value, most.value)
    end = "" if most is None else f", up to {most.formula}"
    return constant(max(Decimal(0), reached - floor.value), f"({wanted.formula}) above {floor.formula}{end}")


def times(count: Figure, each: Figure) -> Figure:
    """`count` × `each`, where a figure that is not declared stays as it is."""
    return count * each if is_declared(count) else count


def at_peak(context: Context, resource: Resource, each_key: str, least: Figure, most: Figure) -> Figure:
    """How many run in the busiest second: what it needs where that is declared, and otherwise the most."""
    return held_at_peak(context.declared(resource, _PEAK), context.declared(resource, each_key), least, most)


def held_at_peak(peak: Figure | None, each: Figure | None, least: Figure, most: Figure) -> Figure:
    """How many run where `peak` is asked and one bears `each`; the most, where either isn't known."""
    if peak is None or each is None or not each.value:
        return most
    needed = (peak / each).value.to_integral_value(rounding="ROUND_CEILING")
    held = min(max(needed, least.value), most.value)
    return constant(held, f"{shown(held)} at peak")


def served(
    context: Context,
    resource: Resource,
    each_key: str,
    most: Figure,
    limit: str,
    source: str,
    advice: str = "",
) -> Limit:
    """The ceiling `limit`: what the most serve, against the requests of the busiest second."""
    each = context.derive(resource, each_key)
    load: Figure = context.derive(resource, _PEAK, each_key, by=lambda peak, _each: peak)
    return Limit(context.name_of(resource), limit, "requests/s", most * each, load, True, source, advice)


def serving(context: Context, resource: Resource, each_key: str, most: Figure) -> Iterator[Station]:
    """A fleet as the servers of one queue, all that it may run; a request takes one 1 ÷ what it serves a second."""
    each = context.declared(resource, each_key)
    if each is not None and each.value:
        requests = context.derive(resource, _PEAK)
        seconds = constant(1 / each.value, f"1 ÷ {each.formula}")
        yield Station(context.name_of(resource), "requests", most, requests, seconds)
