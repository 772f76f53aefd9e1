"""Rule groups of your own: each rule inside pays by the month, as it does in a web ACL, and so do challenges.

The web ACL that uses the group pays for it as for one rule, and for the requests. Facts:
https://aws.amazon.com/waf/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Room, Usage, each, refuse

_ANSWERS = (
    ("Captcha", "Captchas", "captchas_per_month", "waf.captcha"),
    ("Challenge", "Challenges", "challenges_per_month", "waf.challenge"),
)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("MonetizationConfig"):
        raise refuse(resource, "MonetizationConfig has a price of its own")
    rules = properties.get("Rules") or []
    if rules:
        yield CostLine("Rules", "rules", each(len(rules), "rule" if len(rules) == 1 else "rules"), "waf.rule")
    for action, component, usage, price_key in _ANSWERS:
        if any(action in (rule.get("Action") or {}) for rule in rules):
            yield CostLine(component, "attempts", context.derive(resource, usage), price_key)
        elif usage in resource.workload:
            raise refuse(resource, f"{usage} is declared, and none of its rules answers with a {action}")


ROOM = Room(
    type="AWS::WAFv2::RuleGroup",
    classification="mixed",
    usage={
        "captchas_per_month": Usage("attempts", "answers to a CAPTCHA that its rules ask for"),
        "challenges_per_month": Usage("attempts", "challenges that its rules serve"),
    },
    lines=_lines,
)
