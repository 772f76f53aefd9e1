"""Models of Amazon Bedrock by their ids, and what their tokens cost.

A template names a model by its id, by the ARN of a foundation model, or by that of an inference profile, whose id
begins with where it may run: `us.anthropic.claude-…`, `global.anthropic.claude-…`. The prices of Claude in the book
are those of global profiles; a model in one region or one geography costs a tenth more (the AWS price map of
2026-09-11). Facts: https://aws.amazon.com/bedrock/pricing/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from workbench.assembly import Resource
from workbench.review.numbers import constant
from workbench.review.prices import PriceBook
from workbench.review.room import Context, CostLine, Usage, refuse
from workbench.workload import Figure

USAGE = {
    "input_tokens_per_month": Usage("tokens", "tokens sent to the model, those of its instructions included"),
    "output_tokens_per_month": Usage("tokens", "tokens that the model writes"),
    "cached_tokens_per_month": Usage("tokens", "tokens read from the prompt cache, if it is used"),
}

_MODELS = {
    "anthropic.claude-haiku-4-5": "claude_haiku_4_5",
    "anthropic.claude-haiku-5-5": "claude_haiku_5_5",
    "anthropic.claude-opus-4-5": "claude_opus_4_5",
    "anthropic.claude-opus-4-8": "claude_opus_4_8",
    "anthropic.claude-opus-5": "claude_opus_5",
    "anthropic.claude-opus-5-5": "claude_opus_5_5",
    "anthropic.claude-sonnet-4-5": "claude_sonnet_4_5",
    "anthropic.claude-sonnet-4-6": "claude_sonnet_4_6",
    "anthropic.claude-sonnet-5": "claude_sonnet_5",
    "anthropic.claude-sonnet-5-5": "claude_sonnet_5_5",
    "cohere.embed-english-v3": "cohere_embed_v3",
    "cohere.embed-multilingual-v3": "cohere_embed_v3",
    "cohere.embed-v4:0": "cohere_embed_v4",
    "deepseek.v3.2": "deepseek_v3_2",
    "openai.gpt-oss-120b-1:0": "gpt_oss_120b",
    "openai.gpt-oss-20b-1:0": "gpt_oss_20b",
    "meta.llama3-3-70b-instruct-v1:0": "llama3_3_70b",
    "meta.llama4-maverick-17b-instruct-v1:0": "llama4_maverick",
    "meta.llama4-scout-17b-instruct-v1:0": "llama4_scout",
    "amazon.nova-2-lite-v1:0": "nova_2_lite",
    "amazon.nova-2-multimodal-embeddings-v1:0": "nova_multimodal_embed",
    "amazon.nova-lite-v1:0": "nova_lite",
    "amazon.nova-micro-v1:0": "nova_micro",
    "amazon.nova-premier-v1:0": "nova_premier",
    "amazon.nova-pro-v1:0": "nova_pro",
    "qwen.qwen3-32b-v1:0": "qwen3_32b",
    "amazon.titan-embed-text-v2:0": "titan_embed_v2",
}
_WHERE = re.compile(r"(?P<where>us|us-gov|eu|apac|jp|au|global)\.(?P<model>.+)")
# Of Claude the ids may end in a date and a version: anthropic.claude-sonnet-4-5-20250929-v1:0
_DATED = re.compile(r"(-\d{8})?(-v\d+(:\d+)?)?$")


def model_of(resource: Resource, value: Any, name: str) -> tuple[str, bool]:
    """The model that the property `name` holds, as the price keys write it, and whether it may run anywhere.

    Raises `NotPriced` for one that the book has no price of.
    """
    written = str(value).rsplit("/", 1)[-1]
    found = _WHERE.fullmatch(written)
    where, model = (found["where"], found["model"]) if found else ("", written)
    key = _MODELS.get(model) or _MODELS.get(_DATED.sub("", model))
    if key is None:
        raise refuse(resource, f"{name} is {value}, a model without a price")
    return key, where == "global"


def token_lines(resource: Resource, context: Context, value: Any, name: str) -> Iterator[CostLine]:
    """What the model that the property `name` holds reads and writes."""
    model, anywhere = model_of(resource, value, name)
    book = PriceBook.load()
    for words, key, kind in (
        ("Tokens in", "input_tokens_per_month", "input"),
        ("Tokens out", "output_tokens_per_month", "output"),
        ("Tokens from the cache", "cached_tokens_per_month", "cache_read"),
    ):
        price_key = f"bedrock.{model}.{kind}"
        if kind == "cache_read" and key not in resource.workload:
            continue
        if price_key not in book.prices:
            if kind == "output":
                continue
            raise refuse(resource, f"{key} is declared, and {model} has no price for it")
        tokens = context.derive(resource, key, by=_priced(model, anywhere))
        yield CostLine(f"{words} ({model})", "tokens", tokens, price_key)


def _priced(model: str, anywhere: bool) -> Callable[[Figure], Figure]:
    def tokens(count: Figure) -> Figure:
        if anywhere or not model.startswith("claude"):
            return count
        return count * constant("1.1", "1.1 (in one region or geography a tenth more)")

    return tokens
