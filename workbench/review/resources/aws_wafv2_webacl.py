"""Web ACLs: the list, each rule, and the requests it inspects. Paid rule groups are refused.

Facts: https://aws.amazon.com/waf/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each, refuse

_PAID_GROUPS = (
    "AWSManagedRulesBotControlRuleSet",
    "AWSManagedRulesATPRuleSet",
    "AWSManagedRulesACFPRuleSet",
    "AWSManagedRulesAntiDDoSRuleSet",
)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    rules = resource.properties.get("Rules") or []
    for rule in rules:
        _refuse_paid(resource, rule)
    yield CostLine("Web ACLs", "web ACLs", each(1, "web ACL"), "waf.web_acl")
    if rules:
        yield CostLine("Rules", "rules", each(len(rules), "rule" if len(rules) == 1 else "rules"), "waf.rule")
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests inspected", "requests", requests, "waf.requests")


def _refuse_paid(resource: Resource, rule: dict[str, Any]) -> None:
    group = (rule.get("Statement") or {}).get("ManagedRuleGroupStatement") or {}
    if group.get("Name") in _PAID_GROUPS or group.get("VendorName", "AWS") != "AWS":
        raise refuse(resource, f"the rule group {group.get('Name')} has a price of its own")
    if {"Captcha", "Challenge"} & set(rule.get("Action") or ()):
        raise refuse(resource, f"the rule {rule.get('Name')} pays by the challenge")


ROOM = Room(
    type="AWS::WAFv2::WebACL",
    classification="mixed",
    usage={"requests_per_month": Usage("requests", "requests inspected")},
    lines=_lines,
)
