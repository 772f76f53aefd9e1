"""Who writes to which log group, and what functions write to groups that no template shows.

Logs of Lambda functions, and those that AWS vends on behalf of its services, are priced in tiers of their own; all
others at one price. What is kept is billed compressed, to 15 % of what was written by the assumption of the AWS
Pricing Calculator. Facts: https://aws.amazon.com/cloudwatch/pricing/ and, for what is vended,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Usage, number
from workbench.workload import DAYS_PER_MONTH, Figure

COMPRESSED_TO = Decimal("0.15")
MONTHS_WITHOUT_RETENTION = 12

FUNCTION, VENDED = "Lambda", "vended"

# Where a service names the log group that its logs are vended to.
_VENDING = {
    "AWS::ApiGateway::Stage": ("AccessLogSetting",),
    "AWS::ApiGatewayV2::Stage": ("AccessLogSettings",),
    "AWS::Cognito::LogDeliveryConfiguration": ("LogConfigurations",),
    "AWS::EC2::FlowLog": ("LogGroupName", "LogDestination"),
    "AWS::EC2::VerifiedAccessInstance": ("LoggingConfigurations",),
    "AWS::ElastiCache::CacheCluster": ("LogDeliveryConfigurations",),
    "AWS::ElastiCache::ReplicationGroup": ("LogDeliveryConfigurations",),
    "AWS::Logs::DeliveryDestination": ("DestinationResourceArn",),
    "AWS::MSK::Cluster": ("LoggingInfo",),
    "AWS::NetworkFirewall::LoggingConfiguration": ("LoggingConfiguration",),
    "AWS::Pipes::Pipe": ("LogConfiguration",),
    "AWS::Route53::HostedZone": ("QueryLoggingConfig",),
    "AWS::Route53Resolver::ResolverQueryLoggingConfig": ("DestinationArn",),
    "AWS::StepFunctions::StateMachine": ("LoggingConfiguration",),
    "AWS::VpcLattice::AccessLogSubscription": ("DestinationArn",),
    "AWS::WAFv2::LoggingConfiguration": ("LogDestinationConfigs",),
}
_VENDED_NAMES = ("aws-waf-logs-", "/aws/vendedlogs/")
_OF_FUNCTIONS = "/aws/lambda/"

USAGE = {"log_gb_per_month": Usage("GB", "log bytes written, where its log group is not in the template")}


class _Writers:
    """What an assembly says of its log groups, read once."""

    def __init__(self, context: Context) -> None:
        self.kinds: dict[int, str] = {}
        self.named: set[int] = set()
        self.names: set[str] = set()
        self.months: dict[int, Figure] = {}
        for resource in context.assembly.resources:
            raw = resource.raw.get("Properties") or {}
            if resource.type == "AWS::Lambda::Function":
                self._writes(context, resource, (raw.get("LoggingConfig") or {}).get("LogGroup"), FUNCTION)
            for name in _VENDING.get(resource.type, ()):
                self._writes(context, resource, raw.get(name), VENDED)
            if resource.type in ("AWS::Logs::LogGroup", "Custom::LogRetention"):
                self._names(context, resource, raw.get("LogGroupName"))
            if resource.type == "AWS::Logs::LogGroup":
                self.names.add(str(resource.properties.get("LogGroupName")))

    def _writes(self, context: Context, resource: Resource, value: Any, kind: str) -> None:
        for group in context.links.mentions(resource, value):
            self.kinds.setdefault(id(group), kind)

    def _names(self, context: Context, group: Resource, value: Any) -> None:
        """The functions that a log group, or what sets the retention of one, is named after."""
        for function in context.links.mentions(group, value):
            if group.type == "AWS::Logs::LogGroup":
                self.named.add(id(function))
            self.months[id(function)] = kept_months(group)


_known: WeakKeyDictionary[Context, _Writers] = WeakKeyDictionary()


def _writers(context: Context) -> _Writers:
    if context not in _known:
        _known[context] = _Writers(context)
    return _known[context]


def writer(group: Resource, context: Context) -> str | None:
    """`Lambda` or `vended`; None where programs write to `group`, or nobody is seen to."""
    name = str(group.properties.get("LogGroupName", ""))
    if name.startswith(_OF_FUNCTIONS):
        return FUNCTION
    if name.startswith(_VENDED_NAMES):
        return VENDED
    return _writers(context).kinds.get(id(group))


def kept_months(holder: Resource) -> Figure:
    """For how long logs are kept and paid, by the RetentionInDays of `holder`."""
    retention = holder.properties.get("RetentionInDays")
    if retention is None:
        return constant(
            MONTHS_WITHOUT_RETENTION, f"{MONTHS_WITHOUT_RETENTION} months (never deleted: after a year)"
        )
    days = number(holder, retention, "RetentionInDays")
    return constant(days / DAYS_PER_MONTH, f"{shown(days)} days ÷ {shown(DAYS_PER_MONTH)}")


def kept(written: Figure, months: Figure) -> Figure:
    """What is held at any time of logs that are kept for `months`."""
    return written * months * constant(COMPRESSED_TO, "15 % (compressed)")


def makes_its_own_group(function: Resource, context: Context) -> bool:
    """Whether Lambda makes the log group of `function`, since no template has one for it."""
    if (function.properties.get("LoggingConfig") or {}).get("LogGroup"):
        return False
    known, name = _writers(context), f"{_OF_FUNCTIONS}{function.properties.get('FunctionName')}"
    return id(function) not in known.named and name not in known.names


def implicit(function: Resource, context: Context) -> Iterator[CostLine]:
    """What `function` writes to the log group that Lambda makes for it, and what of that is kept."""
    if not makes_its_own_group(function, context):
        return
    written = context.derive(function, "log_gb_per_month")
    words = "Lambda, log group not in the template"
    yield CostLine(f"Logs written ({words})", "GB", written, "cloudwatch.logs.vended")
    months = _writers(context).months.get(id(function), _FOR_EVER)
    held = context.derive(function, "log_gb_per_month", by=lambda given: kept(given, months))
    yield CostLine(f"Logs kept ({words})", "GB-months", held, "cloudwatch.logs.storage")


_FOR_EVER = constant(
    MONTHS_WITHOUT_RETENTION, f"{MONTHS_WITHOUT_RETENTION} months (never deleted: after a year)"
)


def implicit_warnings(function: Resource, context: Context) -> Iterator[str]:
    """That nothing expires in a group which Lambda makes."""
    if makes_its_own_group(function, context) and id(function) not in _writers(context).months:
        yield (
            f"{context.name_of(function)}: Lambda makes its log group, in which nothing expires; "
            "one in the template can have RetentionInDays"
        )
