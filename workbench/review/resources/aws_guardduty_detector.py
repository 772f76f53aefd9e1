"""GuardDuty: what it reads of CloudTrail, flow logs and DNS, and of the features that are on.

All features but runtime monitoring are on where the template doesn't turn them off:
https://docs.aws.amazon.com/guardduty/latest/APIReference/API_CreateDetector.html Facts:
https://aws.amazon.com/guardduty/pricing/ ; vCPUs with an agent of runtime monitoring pay nothing for their flow logs.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import is_true, refuse_keys
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_RUNTIME = ("RUNTIME_MONITORING", "EKS_RUNTIME_MONITORING")
_PRICED = {
    "S3_DATA_EVENTS": ("S3 events read", "events", "s3_events_per_month", "guardduty.s3_events"),
    "EKS_AUDIT_LOGS": ("EKS events read", "events", "eks_audit_events_per_month", "guardduty.eks_audit"),
    "LAMBDA_NETWORK_LOGS": (
        "Flow logs read (Lambda)",
        "GB",
        "lambda_flow_gb_per_month",
        "guardduty.lambda_flow",
    ),
}
# On by default, and without a price in the book.
_UNPRICED = {
    "RDS_LOGIN_EVENTS": "its sign-ins to RDS pay by the vCPU",
    "EBS_MALWARE_PROTECTION": "its scans of volumes pay by the gigabyte, after a finding",
}
# How `DataSources`, the older way, says that a feature is off.
_SOURCES = {
    "S3_DATA_EVENTS": ("S3Logs", "Enable"),
    "EKS_AUDIT_LOGS": ("Kubernetes", "AuditLogs", "Enable"),
    "EBS_MALWARE_PROTECTION": ("MalwareProtection", "ScanEc2InstanceWithFindings", "EbsVolumes"),
}


def _is_on(resource: Resource) -> bool:
    return is_true(resource.properties.get("Enable", True))


def _features(resource: Resource) -> dict[str, bool]:
    """Each feature, and whether it is on."""
    found = dict.fromkeys((*_PRICED, *_UNPRICED), True)
    sources = resource.properties.get("DataSources") or {}
    for name, path in _SOURCES.items():
        value = sources
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if value is not None and not is_true(value):
            found[name] = False
    for feature in resource.properties.get("Features") or []:
        found[str(feature.get("Name"))] = feature.get("Status") == "ENABLED"
    return found


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    if not _is_on(resource):
        return
    features = _features(resource)
    unknown = sorted(
        name for name in features if features[name] and name not in (*_PRICED, *_UNPRICED, *_RUNTIME)
    )
    if unknown:
        raise refuse(resource, f"the feature {unknown[0]} is on, which has no price in the book")
    management = context.derive(resource, "management_events_per_month")
    yield CostLine("CloudTrail events read", "events", management, "guardduty.cloudtrail")
    flows = context.derive(resource, "flow_dns_gb_per_month")
    yield CostLine("Flow logs and DNS read", "GB", flows, "guardduty.flow_dns")
    for name, (component, unit, key, price_key) in _PRICED.items():
        if features[name]:
            yield CostLine(component, unit, context.derive(resource, key), price_key)
        else:
            refuse_keys(resource, f"{name} is off", key)
    if any(features.get(name) for name in _RUNTIME):
        vcpus = context.derive(resource, "monitored_vcpus")
        yield CostLine("Runtime monitoring", "vCPU-months", vcpus, "guardduty.runtime.eks")
    else:
        refuse_keys(resource, "RUNTIME_MONITORING is off", "monitored_vcpus")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    features = _features(resource)
    for name, why in _UNPRICED.items():
        if _is_on(resource) and features[name]:
            yield f"{context.name_of(resource)}: {name} is on, and not priced: {why}"


ROOM = Room(
    type="AWS::GuardDuty::Detector",
    classification="usage",
    usage={
        "management_events_per_month": Usage("events", "management events of CloudTrail", scales=False),
        "flow_dns_gb_per_month": Usage("GB", "flow logs and DNS queries, as AWS reads them"),
        "s3_events_per_month": Usage("events", "data events of S3"),
        "eks_audit_events_per_month": Usage(
            "events", "events of the control planes of EKS; zero without any"
        ),
        "lambda_flow_gb_per_month": Usage("GB", "network traffic logs of functions"),
        "monitored_vcpus": Usage("vCPUs", "vCPUs with an agent of runtime monitoring", scales=False),
    },
    lines=_lines,
    warnings=_warnings,
)
