"""Guardrails: each policy pays for each text unit that it reads, which is up to 1,000 characters.

Words and regular expressions are free. Facts: https://aws.amazon.com/bedrock/pricing/ ("Guardrails")
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage, refuse

_THOUSAND = constant(1_000, "1,000")
_POLICIES = (
    ("ContentPolicyConfig", "FiltersConfig", "content filters", "content_filter"),
    ("TopicPolicyConfig", "TopicsConfig", "denied topics", "denied_topics"),
    ("SensitiveInformationPolicyConfig", "PiiEntitiesConfig", "personal data", "pii"),
    ("ContextualGroundingPolicyConfig", "FiltersConfig", "grounding", "contextual_grounding"),
)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    if properties.get("AutomatedReasoningPolicyConfig"):
        raise refuse(resource, "AutomatedReasoningPolicyConfig has no price in the book")
    if any(_reads_images(each) for each in _filters(properties)):
        raise refuse(resource, "a filter reads IMAGE, which pays by the image")
    for policy, settings, words, key in _POLICIES:
        if (properties.get(policy) or {}).get(settings):
            units = context.derive(resource, "text_units_per_month", by=lambda count: count / _THOUSAND)
            yield CostLine(f"Text units ({words})", "thousand units", units, f"bedrock.guardrails.{key}")


def _filters(properties: dict[str, Any]) -> list[dict[str, Any]]:
    return (properties.get("ContentPolicyConfig") or {}).get("FiltersConfig") or []


def _reads_images(filter_config: dict[str, Any]) -> bool:
    return any("IMAGE" in (filter_config.get(f"{way}Modalities") or ()) for way in ("Input", "Output"))


ROOM = Room(
    type="AWS::Bedrock::Guardrail",
    classification="usage",
    usage={
        "text_units_per_month": Usage("units", "texts in and out that it reads, in steps of 1,000 characters")
    },
    lines=_lines,
)
