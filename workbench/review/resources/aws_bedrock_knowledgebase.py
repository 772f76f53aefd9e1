"""Knowledge bases: tokens that are made into vectors, or queries over tables. What holds the vectors pays for itself.

Facts: https://aws.amazon.com/bedrock/pricing/ ("Knowledge Bases")
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import bedrock
from workbench.review.by_use import refuse_keys
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage, one_of

_THOUSAND = constant(1_000, "1,000")


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    config = resource.properties.get("KnowledgeBaseConfiguration") or {}
    kind = one_of(resource, config.get("Type"), "Type", ("VECTOR", "SQL", "KENDRA"))
    if kind != "VECTOR":
        refuse_keys(resource, f"it is of type {kind}", "embedded_tokens_per_month")
    if kind != "SQL":
        refuse_keys(resource, f"it is of type {kind}", "queries_per_month")
    if kind == "VECTOR":
        written = (config.get("VectorKnowledgeBaseConfiguration") or {}).get("EmbeddingModelArn")
        model, _ = bedrock.model_of(resource, written, "EmbeddingModelArn")
        tokens = context.derive(resource, "embedded_tokens_per_month")
        yield CostLine(f"Tokens embedded ({model})", "tokens", tokens, f"bedrock.{model}.input")
    elif kind == "SQL":
        queries = context.derive(resource, "queries_per_month", by=lambda count: count / _THOUSAND)
        yield CostLine(
            "Queries (SQL)", "thousand queries", queries, "bedrock.knowledge_base.structured_query"
        )


ROOM = Room(
    type="AWS::Bedrock::KnowledgeBase",
    classification="usage",
    usage={
        "embedded_tokens_per_month": Usage("tokens", "tokens of new documents and of questions"),
        "queries_per_month": Usage("queries", "questions that become SQL, where it is over tables"),
    },
    lines=_lines,
)
