"""Calls of KMS that a service makes for a resource that is encrypted with a key of the account.

They are a line of the resource that causes them, and never of the key, whose own figure is what programs ask it
themselves. The account's keys are those that customers manage and those that AWS manages there (`alias/aws/sqs`):
the first pay by the month too, both by the request. A key that AWS owns, such as that of SSE-S3 or SSE-SQS, costs
nothing, and neither does `alias/aws/secretsmanager`. Facts: https://aws.amazon.com/kms/pricing/ and the pages that
the rooms name.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from workbench.assembly import Resource
from workbench.review.numbers import constant, shown
from workbench.review.room import Context, CostLine, Usage, is_declared
from workbench.workload import SECONDS_PER_MONTH, Figure

# For how long most services use a data key again.
FIVE_MINUTES = Decimal(300)


_SYMMETRIC = "SYMMETRIC_DEFAULT"
# Of the asymmetric keys RSA_2048 alone has the price of the symmetric ones.
_PLAIN = (_SYMMETRIC, "HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512", "RSA_2048")


def of_kind(spec: Any) -> tuple[str, str]:
    """What the requests of a key of the `KeySpec` `spec` are called, and their price key."""
    named = str(spec or _SYMMETRIC)
    if named in _PLAIN:
        return "symmetric" if named == _SYMMETRIC else named, "kms.requests"
    return "asymmetric", "kms.requests.asymmetric"


def lines(requests: Figure) -> Iterator[CostLine]:
    """`requests`, which the service makes."""
    yield CostLine("KMS requests (encryption)", "requests", requests, "kms.requests")


def principals(verb: str) -> Usage:
    """The usage key of who shares no data key with others."""
    return Usage("principals", f"roles and users that {verb}; one, where it is not declared", scales=False)


def declared_or_one(context: Context, resource: Resource, key: str, words: str) -> Figure:
    """How many principals there are, which `key` says: one where nobody declared it."""
    figure = context.declared(resource, key)
    return constant(1, f"1 {words}") if figure is None else figure


def by_data_keys(requests: Figure, reuse_seconds: Decimal, calls: Figure) -> Figure:
    """`calls` each time that the data keys are renewed, but never more than there are requests."""
    if not is_declared(requests):
        return requests
    reused = constant(reuse_seconds, f"{shown(reuse_seconds)} s that a data key is used")
    most = calls * constant(SECONDS_PER_MONTH, "2,628,000 s") / reused
    if requests.value <= most.value:
        return Figure(requests.value, f"one each of {requests.formula}, which is less than {most.formula}")
    return most
