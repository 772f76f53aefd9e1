"""Classic load balancers: the hour, the gigabyte, and a public address in each zone.

Facts: https://aws.amazon.com/elasticloadbalancing/pricing/ and https://aws.amazon.com/vpc/pricing/ , "Public IPv4
Address"
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import zones
from workbench.review.floor import HOURS
from workbench.review.numbers import plain
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    yield CostLine("Load balancers (classic)", "hours", HOURS, "elb.clb.hour")
    processed = context.derive(resource, "processed_gb_per_month")
    yield CostLine("Data through load balancers (classic)", "GB", processed, "elb.clb.gb")
    known = ("internet-facing", "internal")
    if one_of(resource, properties.get("Scheme", "internet-facing"), "Scheme", known) == "internet-facing":
        name = "Subnets" if properties.get("Subnets") else "AvailabilityZones"
        places = zones.count(resource, properties.get(name), name)
        yield from zones.public_addresses(zones.always(places, "zones with an address"))
        yield from zones.egress(resource, context)
    elif "egress_gb_per_month" in resource.workload:
        raise refuse(resource, "egress_gb_per_month is declared, and its Scheme is internal")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    book = PriceBook.load()
    classic, newer = (plain(book[f"elb.{kind}.hour"].tiers[0].price) for kind in ("clb", "alb"))
    yield (
        f"{context.name_of(resource)}: a classic load balancer costs ${classic} an hour, and an application or "
        f"network load balancer, which does more, ${newer}"
    )


ROOM = Room(
    type="AWS::ElasticLoadBalancing::LoadBalancer",
    classification="mixed",
    usage={"processed_gb_per_month": Usage("GB", "bytes of requests and answers"), **zones.EGRESS},
    lines=_lines,
    warnings=_warnings,
)
