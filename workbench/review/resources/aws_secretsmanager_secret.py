"""Secrets: each copy pays by the month, and calls.

With a key of the customer's (`KmsKeyId`) each call asks KMS to decrypt, which is the secret's line and not the key's;
with `alias/aws/secretsmanager`, or none named, that is free. Facts: https://aws.amazon.com/secrets-manager/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import kms
from workbench.review.room import Context, CostLine, Limit, Room, Usage, declared_only, each

_FREE_KEY = "alias/aws/secretsmanager"


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    copies = 1 + len(resource.properties.get("ReplicaRegions") or [])
    count = each(copies, "secret" if copies == 1 else "copies of the secret")
    yield CostLine("Secrets", "secrets", count, "secretsmanager.secret")
    requests = context.derive(resource, "requests_per_month")
    yield CostLine("Requests", "requests", requests, "secretsmanager.api")
    if str(resource.properties.get("KmsKeyId") or _FREE_KEY) != _FREE_KEY:
        yield from kms.lines(requests)


def _limits_of_account(context: Context) -> Iterator[Limit]:
    secrets = context.all_of("AWS::SecretsManager::Secret")
    rate = declared_only(context.derive(each, "peak_requests_per_second") for each in secrets)
    if rate is not None:
        yield context.against("secretsmanager.get_per_second", "account", "Secrets read a second", rate)


ROOM = Room(
    type="AWS::SecretsManager::Secret",
    classification="mixed",
    usage={
        "requests_per_month": Usage("requests", "GetSecretValue and other calls"),
        "peak_requests_per_second": Usage("requests/s", "GetSecretValue in the busiest second"),
    },
    lines=_lines,
    limits_of_account=_limits_of_account,
)
