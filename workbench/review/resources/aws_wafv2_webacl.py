"""Web ACLs: the list, each rule, the requests it inspects, and the rule groups of AWS that pay beside that.

Bot Control and Fraud Control pay by the month and by the request; the first of them takes every request that the list
inspects, unless declared otherwise. Capacity beyond 1,500 units pays more for a request; a template doesn't tell it.
Facts: https://aws.amazon.com/waf/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each, one_of, refuse

_BOT_CONTROL = "AWSManagedRulesBotControlRuleSet"
_FRAUD_CONTROL = {
    "AWSManagedRulesATPRuleSet": "account takeover",
    "AWSManagedRulesACFPRuleSet": "account creation",
}
_WITHOUT_PRICE = ("AWSManagedRulesAntiDDoSRuleSet",)
_LEVELS = {"COMMON": "waf.bot_control.requests", "TARGETED": "waf.bot_control_targeted.requests"}
# Bytes of a body that are looked at without paying more.
_FREE_BODY = ("KB_8", "KB_16")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    rules = resource.properties.get("Rules") or []
    if resource.properties.get("MonetizationConfig"):
        raise refuse(resource, "MonetizationConfig has a price of its own")
    for rule in rules:
        _refuse_unknown(resource, rule)
    yield CostLine("Web ACLs", "web ACLs", each(1, "web ACL"), "waf.web_acl")
    if rules:
        yield CostLine("Rules", "rules", each(len(rules), "rule" if len(rules) == 1 else "rules"), "waf.rule")
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests inspected", "requests", requests, "waf.requests")
    for group in map(_group, rules):
        if group.get("Name") == _BOT_CONTROL:
            yield from _bot_control(resource, context, group)
        elif group.get("Name") in _FRAUD_CONTROL:
            yield from _fraud_control(resource, context, _FRAUD_CONTROL[group["Name"]])
    for action, component, usage, price_key in (
        ("Captcha", "Captchas", "captchas_per_month", "waf.captcha"),
        ("Challenge", "Challenges", "challenges_per_month", "waf.challenge"),
    ):
        if usage in resource.workload or any(_acts(rule, action) for rule in rules):
            yield CostLine(component, "attempts", context.derive(resource, usage), price_key)


def _group(rule: dict[str, Any]) -> dict[str, Any]:
    return (rule.get("Statement") or {}).get("ManagedRuleGroupStatement") or {}


def _acts(rule: dict[str, Any], action: str) -> bool:
    """Whether a rule, or what it makes of a rule of its group, answers so."""
    overrides = _group(rule).get("RuleActionOverrides") or []
    actions = [rule.get("Action") or {}, *(each.get("ActionToUse") or {} for each in overrides)]
    return any(action in each for each in actions)


def _bot_control(resource: Resource, context: Context, group: dict[str, Any]) -> Iterator[CostLine]:
    level = "COMMON"
    for config in group.get("ManagedRuleGroupConfigs") or []:
        level = (config.get(_BOT_CONTROL) or {}).get("InspectionLevel", level)
    price_key = _LEVELS[one_of(resource, level, "InspectionLevel", tuple(_LEVELS))]
    yield CostLine("Bot Control", "web ACLs", each(1, "web ACL"), "waf.bot_control")
    own = "bot_control_requests_per_month"
    inspected = context.derive(resource, own if own in resource.workload else "requests_per_month")
    yield CostLine(f"Requests (Bot Control, {level.lower()})", "requests", inspected, price_key)


def _fraud_control(resource: Resource, context: Context, words: str) -> Iterator[CostLine]:
    yield CostLine(f"Fraud Control ({words})", "web ACLs", each(1, "web ACL"), "waf.fraud_control")
    attempts = context.derive(resource, "fraud_control_requests_per_month")
    yield CostLine(f"Requests (Fraud Control, {words})", "requests", attempts, "waf.fraud_control.requests")


def _refuse_unknown(resource: Resource, rule: dict[str, Any]) -> None:
    group = _group(rule)
    if group.get("Name") in _WITHOUT_PRICE or group.get("VendorName", "AWS") != "AWS":
        raise refuse(resource, f"the rule group {group.get('Name')} has a price of its own")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    bodies = (resource.properties.get("AssociationConfig") or {}).get("RequestBody") or {}
    for kind, settings in bodies.items():
        most = settings.get("DefaultSizeInspectionLimit")
        if most is not None and most not in _FREE_BODY:
            yield (
                f"{context.name_of(resource)}: bodies of up to {str(most).removeprefix('KB_')} KB ({kind}) "
                "pay more for a request, which is not priced"
            )


ROOM = Room(
    type="AWS::WAFv2::WebACL",
    classification="mixed",
    usage={
        "requests_per_month": Usage("requests", "requests inspected"),
        "bot_control_requests_per_month": Usage(
            "requests", "those that Bot Control inspects; all of them when not declared"
        ),
        "fraud_control_requests_per_month": Usage(
            "requests", "sign-ins, or sign-ups, that each group of Fraud Control inspects"
        ),
        "captchas_per_month": Usage("attempts", "CAPTCHAs that viewers try"),
        "challenges_per_month": Usage("attempts", "silent challenges that are answered"),
    },
    lines=_lines,
    warnings=_warnings,
)
