"""What Amazon Location counts: requests, priced by the thousand.

Facts: https://aws.amazon.com/location/pricing/
"""

from __future__ import annotations

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine

_THOUSAND = constant(1_000, "1,000")


def line(resource: Resource, context: Context, component: str, key: str, price_key: str) -> CostLine:
    """The line of the usage `key`, at a price for a thousand."""
    thousands = context.derive(resource, key, by=lambda count: count / _THOUSAND)
    return CostLine(component, "thousand requests", thousands, price_key)
