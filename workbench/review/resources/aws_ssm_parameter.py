"""Parameters of Systems Manager: standard ones are free, advanced ones pay by the month and by the request.

A parameter of the intelligent tier is advanced where it has to be: for a policy, or for more than 4 KB. With higher
throughput on, the requests of standard ones are paid too. Facts: https://aws.amazon.com/systems-manager/pricing/ and
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import is_true
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only, each, one_of

STANDARD_BYTES = 4_096

_TIERS = ("Standard", "Advanced", "Intelligent-Tiering")
_HIGH_THROUGHPUT = "/ssm/parameter-store/high-throughput-enabled"


def _is_advanced(resource: Resource) -> bool:
    properties = resource.properties
    tier = one_of(resource, properties.get("Tier", "Standard"), "Tier", _TIERS)
    if tier == "Intelligent-Tiering":
        written = str(properties.get("Value", ""))
        return bool(properties.get("Policies")) or len(written.encode()) > STANDARD_BYTES
    return tier == "Advanced"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    advanced = _is_advanced(resource)
    if advanced:
        count = each(1, "parameter")
        yield CostLine("Parameters (advanced)", "parameters", count, "ssm.parameter.advanced")
    if advanced or _has_high_throughput(context):
        requests = context.derive(resource, "requests_per_month")
        yield CostLine("Requests (parameters)", "requests", requests, "ssm.parameter.api_high_throughput")


def _has_high_throughput(context: Context) -> bool:
    return any(
        str(setting.properties.get("SettingId", "")).endswith(_HIGH_THROUGHPUT)
        and is_true(setting.properties.get("SettingValue"))
        for setting in context.all_of("AWS::SSM::ServiceSetting")
    )


def _limits_of_account(context: Context) -> Iterator[Limit]:
    parameters = context.all_of("AWS::SSM::Parameter")
    load = declared_only(context.derive(found, "peak_requests_per_second") for found in parameters)
    if load is not None and not _has_high_throughput(context):
        yield context.against("ssm.get_parameter_per_second", "account", "Parameters read a second", load)


ROOM = Room(
    type="AWS::SSM::Parameter",
    classification="mixed",
    usage={
        "requests_per_month": Usage(
            "requests", "reads and writes, each parameter counted; paid for advanced parameters"
        ),
        "peak_requests_per_second": Usage("requests/s", "reads in the busiest second"),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
)
