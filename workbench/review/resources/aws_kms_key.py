"""KMS keys: a dollar a month, requests, and with rotation a dollar more for each of the first two in later years.

Requests are those that programs make themselves. What S3, SQS, SNS, DynamoDB, Kinesis and Secrets Manager ask for you
is a line of the resource that causes it. Facts: https://aws.amazon.com/kms/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review import kms
from workbench.review.by_use import is_true
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only, each
from workbench.workload import Figure

_ROTATIONS_PAID = 2
_SYMMETRIC = "SYMMETRIC_DEFAULT"
# Quota, the name of its limit, and how the specs of the keys begin that share it.
_RATES = (
    ("kms.requests_per_second", "KMS requests a second", (_SYMMETRIC, "HMAC_")),
    ("kms.rsa_requests_per_second", "KMS requests a second (RSA)", ("RSA_",)),
    ("kms.ecc_requests_per_second", "KMS requests a second (ECC)", ("ECC_", "SM2")),
)


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    yield CostLine("Customer managed keys", "keys", each(1, "key, before its first rotation"), "kms.key")
    if "rotations" in resource.workload:
        done = context.derive(resource, "rotations", by=_paid)
        yield CostLine("Rotations of the key", "keys", done, "kms.key")
    requests = context.derive(resource, "requests_per_month")
    kind, price_key = kms.of_kind(resource.properties.get("KeySpec"))
    yield CostLine(f"Requests ({kind})", "requests", requests, price_key)


def _paid(rotations: Figure) -> Figure:
    held = min(rotations.value, Decimal(_ROTATIONS_PAID))
    return constant(held, f"{rotations.formula}, of which {_ROTATIONS_PAID} are paid at the most")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if is_true(resource.properties.get("EnableKeyRotation")) and "rotations" not in resource.workload:
        yield (
            f"{context.name_of(resource)}: each of its first two rotations adds a dollar a month; "
            "it is priced as in its first year"
        )


def _limits_of_account(context: Context) -> Iterator[Limit]:
    """What the keys of each kind are asked; all of one kind share one rate in an account."""
    keys = list(context.all_of("AWS::KMS::Key"))
    for quota, limit, specs in _RATES:
        asked = [key for key in keys if str(key.properties.get("KeySpec", _SYMMETRIC)).startswith(specs)]
        rate = declared_only(context.derive(key, "peak_requests_per_second") for key in asked)
        if rate is not None:
            yield context.against(quota, "account", limit, rate)


ROOM = Room(
    type="AWS::KMS::Key",
    classification="mixed",
    usage={
        "requests_per_month": Usage(
            "requests",
            "calls of your own programs; those that S3, SQS and others make are the lines of those",
        ),
        "peak_requests_per_second": Usage(
            "requests/s", "all calls in the busiest second, those of AWS included"
        ),
        "rotations": Usage("rotations", "how often it was rotated, if ever", scales=False),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
    warnings=_warnings,
)
