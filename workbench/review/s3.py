"""The storage classes of S3 beside Standard: what each pays, and which of them the rules of a bucket move data to.

Facts: https://aws.amazon.com/s3/pricing/ and
https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-class-intro.html (the days that are paid at least)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.assembly import Resource
from workbench.review.room import Context, CostLine, Usage, number, one_of


@dataclass(frozen=True)
class StorageClass:
    """One class, `named` in a template; data that leaves it before `least_days` is paid as if it had stayed so long.

    `retrieval` is the price key of what is read from it, None where reading is free; where there are several
    speeds it is the standard one. `restore` is that of asking for an object first, where the book has one.
    """

    key: str
    words: str
    named: str
    least_days: int
    retrieval: str | None
    restore: str | None = None


CLASSES = (
    StorageClass("standard_ia", "Standard-IA", "STANDARD_IA", 30, "s3.retrieval.standard_ia"),
    StorageClass("onezone_ia", "One Zone-IA", "ONEZONE_IA", 30, "s3.retrieval.onezone_ia"),
    StorageClass("intelligent_tiering", "Intelligent-Tiering", "INTELLIGENT_TIERING", 0, None),
    StorageClass(
        "glacier_instant", "Glacier Instant Retrieval", "GLACIER_IR", 90, "s3.retrieval.glacier_instant"
    ),
    StorageClass(
        "glacier_flexible",
        "Glacier Flexible Retrieval",
        "GLACIER",
        90,
        "s3.retrieval.glacier_flexible_standard",
        "s3.restore.glacier_flexible_standard",
    ),
    StorageClass(
        "deep_archive", "Glacier Deep Archive", "DEEP_ARCHIVE", 180, "s3.retrieval.deep_archive_standard"
    ),
)
_BY_NAME = {each.named: each for each in CLASSES}
# Price keys of requests that are not as in Standard; a class that is missing here has no price of its own.
_PUT = ("standard_ia", "onezone_ia", "intelligent_tiering", "glacier_instant", "glacier_flexible")
_GET = ("standard_ia", "glacier_instant", "intelligent_tiering")
_TIERS = {
    "infrequent": "infrequent access",
    "archive_instant": "archive instant access",
    "archive": "archive access",
    "deep_archive": "deep archive access",
}
_OPTIONAL_TIERS = {"ARCHIVE_ACCESS": "archive", "DEEP_ARCHIVE_ACCESS": "deep_archive"}


def _usage() -> Iterator[tuple[str, Usage]]:
    for each in CLASSES:
        yield f"stored_gb_{each.key}", Usage("GB", f"data held in {each.words}")
        yield (
            f"transitions_to_{each.key}_per_month",
            Usage("requests", f"objects that a rule moves to {each.words}"),
        )
        if each.retrieval:
            yield (
                f"retrieved_gb_{each.key}_per_month",
                Usage("GB", f"bytes read from {each.words}, at the standard speed"),
            )
        if each.restore:
            yield (
                f"restores_{each.key}_per_month",
                Usage("requests", f"objects restored from {each.words}, at the standard speed"),
            )
        if each.key in _PUT:
            yield (
                f"put_requests_{each.key}_per_month",
                Usage("requests", f"PUT, COPY and POST straight into {each.words}"),
            )
        if each.key in _GET:
            yield f"get_requests_{each.key}_per_month", Usage("requests", f"GET from {each.words}")
    for tier, words in _TIERS.items():
        yield (
            f"stored_gb_intelligent_tiering_{tier}",
            Usage("GB", f"data that Intelligent-Tiering has moved to {words}"),
        )
    yield (
        "monitored_objects",
        Usage("objects", "objects of 128 KB and more that Intelligent-Tiering watches"),
    )


USAGE: Mapping[str, Usage] = dict(_usage())


def rules(bucket: Resource) -> list[dict[str, Any]]:
    """The lifecycle rules that are on."""
    found = (bucket.properties.get("LifecycleConfiguration") or {}).get("Rules") or []
    return [rule for rule in found if rule.get("Status") != "Disabled"]


def moves(bucket: Resource) -> list[StorageClass]:
    """The classes that the rules move data to, old versions included; each once."""
    named = [
        step.get("StorageClass")
        for rule in rules(bucket)
        for step in (*transitions(rule), *_of_old_versions(rule))
    ]
    known = tuple(_BY_NAME)
    return [
        _BY_NAME[name]
        for name in dict.fromkeys(one_of(bucket, each, "StorageClass", known) for each in named)
    ]


def transitions(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where a rule moves what is current; the older spelling in the singular too."""
    return [*(rule.get("Transitions") or []), *([rule["Transition"]] if rule.get("Transition") else [])]


def _of_old_versions(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    one = rule.get("NoncurrentVersionTransition")
    return [*(rule.get("NoncurrentVersionTransitions") or []), *([one] if one else [])]


def class_lines(bucket: Resource, context: Context) -> Iterator[CostLine]:
    """What each class costs that a rule moves data to, or that usage is declared of."""
    moved = moves(bucket)
    for each in CLASSES:
        yield from _lines_of(bucket, context, each, is_moved_to=each in moved)
    yield from _tier_lines(bucket, context, in_use=_BY_NAME["INTELLIGENT_TIERING"] in moved)


def _lines_of(
    bucket: Resource, context: Context, each: StorageClass, *, is_moved_to: bool
) -> Iterator[CostLine]:
    wanted = [
        (f"Stored data ({each.words})", "GB-months", f"stored_gb_{each.key}", f"s3.storage.{_held(each)}"),
        (
            f"Transitions (to {each.words})",
            "requests",
            f"transitions_to_{each.key}_per_month",
            f"s3.lifecycle.{each.key}",
        ),
    ]
    if each.retrieval:
        wanted.append(
            (f"Data retrieved ({each.words})", "GB", f"retrieved_gb_{each.key}_per_month", each.retrieval)
        )
    if each.restore:
        wanted.append(
            (f"Restores ({each.words})", "requests", f"restores_{each.key}_per_month", each.restore)
        )
    for component, unit, key, price_key in wanted:
        if is_moved_to or key in bucket.workload:
            yield CostLine(component, unit, context.derive(bucket, key), price_key)
    for verb, classes in (("put", _PUT), ("get", _GET)):
        key = f"{verb}_requests_{each.key}_per_month"
        if each.key in classes and key in bucket.workload:
            words = f"Requests ({verb}, {each.words})"
            price_key = f"s3.requests.{verb}.{each.key}"
            yield CostLine(words, "requests", context.derive(bucket, key), price_key)


def _held(each: StorageClass) -> str:
    """The end of the price key of data held; what Intelligent-Tiering has not moved yet is in frequent access."""
    return "intelligent_tiering.frequent" if each.key == "intelligent_tiering" else each.key


def _tier_lines(bucket: Resource, context: Context, *, in_use: bool) -> Iterator[CostLine]:
    configured = _configured_tiers(bucket)
    for tier, words in _TIERS.items():
        key = f"stored_gb_intelligent_tiering_{tier}"
        if tier in configured or key in bucket.workload:
            stored = context.derive(bucket, key)
            component = f"Stored data (Intelligent-Tiering, {words})"
            yield CostLine(component, "GB-months", stored, f"s3.storage.intelligent_tiering.{tier}")
    used = in_use or configured or any("intelligent_tiering" in key for key in bucket.workload)
    if used or "monitored_objects" in bucket.workload:
        watched = context.derive(bucket, "monitored_objects")
        yield CostLine(
            "Objects monitored (Intelligent-Tiering)",
            "objects",
            watched,
            "s3.intelligent_tiering.monitoring",
        )


def _configured_tiers(bucket: Resource) -> list[str]:
    return [
        _OPTIONAL_TIERS[one_of(bucket, tiering.get("AccessTier"), "AccessTier", tuple(_OPTIONAL_TIERS))]
        for config in bucket.properties.get("IntelligentTieringConfigurations") or []
        if config.get("Status") != "Disabled"
        for tiering in config.get("Tierings") or []
    ]


def put_price(bucket: Resource, named: Any) -> str:
    """The price key of a PUT into the class that a template names; without one it is Standard."""
    if named in (None, "STANDARD"):
        return "s3.requests.put.standard"
    known = {each.named: each.key for each in CLASSES if each.key in _PUT}
    return f"s3.requests.put.{known[one_of(bucket, named, 'StorageClass', tuple(known))]}"


def undeclared_classes(bucket: Resource) -> list[StorageClass]:
    """The classes that a rule moves data to, and of which nobody declared how much they hold."""
    return [each for each in moves(bucket) if f"stored_gb_{each.key}" not in bucket.workload]


def early_deletions(bucket: Resource) -> Iterator[tuple[StorageClass, int]]:
    """Each class that a rule takes data out of again before it is paid for, and after how many days."""
    for rule in rules(bucket):
        if rule.get("ExpirationInDays") is None:
            continue
        ends = number(bucket, rule["ExpirationInDays"], "ExpirationInDays")
        for step in transitions(rule):
            each = _BY_NAME[one_of(bucket, step.get("StorageClass"), "StorageClass", tuple(_BY_NAME))]
            if step.get("TransitionInDays") is None:
                continue
            stays = ends - number(bucket, step["TransitionInDays"], "TransitionInDays")
            if stays < each.least_days:
                yield each, int(stays)
