"""Load balancers: the hour, the capacity units (LCU) of the average hour, and public addresses.

A network or gateway load balancer that balances across zones pays for what crosses them; an application load balancer
does not. A unit is whichever of its dimensions is used most: new connections, active connections, bytes, and for an
application load balancer the rules it evaluates beyond ten a request. The average hour is priced, so a load
with high peaks costs somewhat more. Facts: https://aws.amazon.com/elasticloadbalancing/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.floor import HOURS
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Room, Usage, is_declared, one_of, refuse
from workbench.workload import SECONDS_PER_MONTH, Figure

_PRICES = {
    "application": ("elb.alb.hour", "elb.alb.lcu"),
    "network": ("elb.nlb.hour", "elb.nlb.nlcu"),
    "gateway": ("elb.gwlb.hour", "elb.gwlb.glcu"),
}
_BOTH_SIDES = constant(2, "2 sides that pay")
FREE_RULES = 10
RULES_PER_SECOND = 1_000
_GB_OF_FUNCTIONS = "0.4"


@dataclass(frozen=True)
class _Unit:
    """What one capacity unit holds: new connections a second, active connections a minute."""

    new: int
    active: int


_APPLICATION = _Unit(new=25, active=3_000)
_GATEWAY = _Unit(new=600, active=60_000)
_NETWORK: Mapping[str, _Unit] = {
    "TCP": _Unit(new=800, active=100_000),
    "UDP": _Unit(new=400, active=50_000),
    "TCP_UDP": _Unit(new=400, active=50_000),
    "TLS": _Unit(new=50, active=3_000),
}


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    kind = one_of(resource, properties.get("Type", "application"), "Type", tuple(_PRICES))
    if properties.get("MinimumLoadBalancerCapacity"):
        raise refuse(resource, "MinimumLoadBalancerCapacity reserves capacity, which is paid")
    hour, unit = _PRICES[kind]
    yield CostLine(f"Load balancers ({kind})", "hours", HOURS, hour)
    yield CostLine(f"Capacity units ({kind})", "unit-hours", _units(resource, context, kind), unit)
    addresses = 0 if kind == "gateway" else _public_addresses(resource)
    if addresses:
        yield from zones.public_addresses(zones.always(addresses, "addresses"))
    if kind != "gateway" and _faces_the_internet(resource):
        yield from zones.egress(resource, context)
    crosses = kind != "application" and _crosses_zones(resource)
    if "cross_zone_gb_per_month" in resource.workload or crosses:
        crossing = context.derive(resource, "cross_zone_gb_per_month", by=lambda moved: moved * _BOTH_SIDES)
        yield CostLine("Data between zones", "GB", crossing, "transfer.inter_az")


def _crosses_zones(resource: Resource) -> bool:
    attributes = resource.properties.get("LoadBalancerAttributes") or []
    return any(
        each.get("Key") == "load_balancing.cross_zone.enabled" and str(each.get("Value")).lower() == "true"
        for each in attributes
    )


def _faces_the_internet(resource: Resource) -> bool:
    return str(resource.properties.get("Scheme", "internet-facing")) == "internet-facing"


def _units(resource: Resource, context: Context, kind: str) -> Figure:
    """Unit-hours a month: 730 times the largest dimension of the average hour."""
    fixed = {"application": _APPLICATION, "gateway": _GATEWAY}
    unit = fixed.get(kind) or _network_unit(resource, context)
    figures = [
        context.derive(
            resource,
            "new_connections_per_second",
            by=lambda rate: rate / constant(unit.new, f"{unit.new} new connections a second") * HOURS,
        ),
        context.derive(
            resource, "processed_gb_per_month", by=lambda moved: moved / _bytes(resource, context)
        ),
    ]
    if "active_connections_per_minute" in resource.workload:
        held = constant(unit.active, f"{shown(Decimal(unit.active))} active connections")
        figures.append(
            context.derive(resource, "active_connections_per_minute", by=lambda open_: open_ / held * HOURS)
        )
    paid_rules = len(_rules(resource, context)) - FREE_RULES if kind == "application" else 0
    if paid_rules > 0:
        figures.append(
            context.derive(resource, "requests_per_month", by=lambda count: _evaluations(count, paid_rules))
        )
    missing = [figure for figure in figures if not is_declared(figure)]
    return missing[0] if missing else max(figures, key=lambda figure: figure.value)


def _bytes(resource: Resource, context: Context) -> Figure:
    """What one unit holds of bytes in an hour: of those to and from a function less."""
    targets = [
        target
        for name, holders in (
            ("DefaultActions", _listeners(resource, context)),
            ("Actions", _rules(resource, context)),
        )
        for holder in holders
        for target in context.links.mentions(holder, (holder.raw.get("Properties") or {}).get(name))
    ]
    if any(each.properties.get("TargetType") == "lambda" for each in targets):
        return constant(_GB_OF_FUNCTIONS, "0.4 GB (targets are functions)")
    return constant(1, "1 GB")


def _evaluations(requests: Figure, paid_rules: int) -> Figure:
    a_second = requests / constant(SECONDS_PER_MONTH, "2,628,000 s")
    rules = constant(paid_rules, f"{paid_rules} rules beyond {FREE_RULES}")
    return a_second * rules / constant(RULES_PER_SECOND, "1,000 rules a second") * HOURS


def _listeners(resource: Resource, context: Context) -> list[Resource]:
    return context.pointing_at(resource, "AWS::ElasticLoadBalancingV2::Listener", "LoadBalancerArn")


def _rules(resource: Resource, context: Context) -> list[Resource]:
    kind = "AWS::ElasticLoadBalancingV2::ListenerRule"
    return [
        rule
        for listener in _listeners(resource, context)
        for rule in context.pointing_at(listener, kind, "ListenerArn")
    ]


def _network_unit(resource: Resource, context: Context) -> _Unit:
    """The smallest unit of the protocols that it listens to; that of TCP where it listens to nothing yet."""
    used = [
        _NETWORK[one_of(each, each.properties.get("Protocol"), "Protocol", tuple(_NETWORK))]
        for each in _listeners(resource, context)
    ]
    return min(used, key=lambda unit: unit.new, default=_NETWORK["TCP"])


def _public_addresses(resource: Resource) -> int:
    """One in each subnet when it faces the internet; elastic ones have lines of their own."""
    properties = resource.properties
    if not _faces_the_internet(resource):
        return 0
    if properties.get("IpAddressType") == "dualstack-without-public-ipv4":
        return 0
    mappings = properties.get("SubnetMappings")
    if mappings:
        return sum(1 for each in mappings if not each.get("AllocationId"))
    return zones.count(resource, properties.get("Subnets"), "Subnets")


ROOM = Room(
    type="AWS::ElasticLoadBalancingV2::LoadBalancer",
    classification="mixed",
    usage={
        "requests_per_month": Usage("requests", "requests, each of which passes through the rules"),
        "processed_gb_per_month": Usage("GB", "bytes of requests and answers"),
        "new_connections_per_second": Usage("connections/s", "connections that are opened, on average"),
        "active_connections_per_minute": Usage("connections", "connections open at once, on average"),
        "cross_zone_gb_per_month": Usage(
            "GB", "network and gateway load balancers across zones: bytes that one zone sends to another"
        ),
        **zones.EGRESS,
    },
    lines=_lines,
)
