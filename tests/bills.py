"""What tests ask of a bill and of the limits of a few resources."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.assemblies import assembly
from workbench.review.capacity import Checked, limits
from workbench.review.cost import price


def dollars(resources: Mapping[str, Any], traffic: Decimal | int = 1) -> dict[str, Decimal]:
    """Component → dollars a month, over all resources; without those that cost nothing."""
    found: dict[str, Decimal] = {}
    for line in price(assembly(resources), traffic=Decimal(traffic)).lines:
        found[line.component] = found.get(line.component, Decimal(0)) + line.monthly_usd
    return {component: paid for component, paid in found.items() if paid}


def sum_of(resources: Mapping[str, Any], traffic: Decimal | int = 1) -> Decimal:
    """Dollars a month."""
    return price(assembly(resources), traffic=Decimal(traffic)).monthly_usd


def undeclared(resources: Mapping[str, Any]) -> list[str]:
    """The components that depend on usage which nobody declared."""
    return [line.component for line in price(assembly(resources)).lines if not line.declared]


def warnings(resources: Mapping[str, Any]) -> tuple[str, ...]:
    """What the bill warns of."""
    return price(assembly(resources)).warnings


def limit(resources: Mapping[str, Any], name: str) -> Checked:
    """The one limit of that name."""
    [checked] = [each for each in limits(assembly(resources)) if each.limit == name]
    return checked
