"""The throttle of an API's stage, which REST, HTTP and WebSocket APIs set in different places."""

from __future__ import annotations

from typing import Any

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, Limit, number, setting


def throttle(resource: Resource, context: Context, api: Resource | None, rate: Any, where: str) -> Limit:
    """The rate set in the property `where` of the stage `resource`, against its own requests or those of its API."""
    value = number(resource, rate, "ThrottlingRateLimit")
    quota = constant(value, f"{shown(value)} requests/s in the template")
    name, source = context.name_of(resource), context.quota("apigateway.throttle").source
    holder = resource if api is None or "peak_requests_per_second" in resource.workload else api
    load = context.derive(holder, "peak_requests_per_second")
    advice = setting(name, f"ThrottlingRateLimit of {where}")
    return Limit(name, "Throttling rate of the stage", "requests/s", quota, load, True, source, advice)
