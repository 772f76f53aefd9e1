"""What a fault adds to the calls that it looks at: DynamoDB's GetItem at the offline AWS, call by call.

"looked at" is a rule that matches the caller and never strikes: the whole of the work, and no fault.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.bare import Bare, bare
from bench.fresh import Bench
from bench.table import Row, Table, compared, percentile
from workbench.assembly import DEFAULT_REGION
from workbench.dryrun.control import Control

CALLS = 200
ROUNDS = 3
GOAL_MS = 2.0
TABLE_NAME, ROLE, BYSTANDER = "items", "caller", "bystander"


def run(bench: Bench) -> Table:
    """Milliseconds a call at the median, and what a fault adds to it."""
    taken: dict[str, list[float]] = {"none": [], BYSTANDER: [], ROLE: []}
    with bare(bench) as aws:
        dynamodb = _caller(aws)
        _calls(dynamodb, CALLS)
        for _ in range(ROUNDS):
            for who, latencies in taken.items():
                with _unstruck(aws.control, who):
                    latencies += _calls(dynamodb, CALLS)
    none, bystander, looked_at = (percentile(latencies, 0.5) for latencies in taken.values())
    rows = (
        Row("no fault stands", none, "ms"),
        compared("one stands, on another caller", bystander, "ms", none, "none stands"),
        compared("one stands, on this caller: looked at", looked_at, "ms", none, "none stands"),
        Row("· what being looked at adds", looked_at - none, "ms", goal=GOAL_MS),
    )
    notes = (
        f"One client over TLS, its connection kept; p50 of {ROUNDS} rounds of {CALLS} calls each, in turn.",
    )
    return Table("call-faults", "Faults on AWS calls", rows, notes)


@contextmanager
def _unstruck(control: Control, who: str) -> Iterator[None]:
    """A fault on `who` that strikes nothing; for "none", no fault."""
    if who == "none":
        yield
        return
    fault = control.call("calls/strike", who=who, effect="slow", share=0.0, seconds=1.0)["fault"]
    yield
    control.call("faults/end", fault=fault)


def _calls(dynamodb: Any, count: int) -> list[float]:
    latencies = []
    for _ in range(count):
        started = time.perf_counter()
        dynamodb.get_item(TableName=TABLE_NAME, Key={"id": {"S": "x"}})
        latencies.append((time.perf_counter() - started) * 1000)
    return latencies


def _caller(aws: Bare) -> Any:
    """A client with a session of a role, which may read the table that this makes."""
    import boto3

    aws.client("dynamodb").create_table(
        TableName=TABLE_NAME,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.role(BYSTANDER, {"AWS": "*"}, [])
    role = aws.role(ROLE, {"AWS": "*"}, ["dynamodb:GetItem"])
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="bench")["Credentials"]
    session = boto3.Session(
        keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], DEFAULT_REGION
    )
    endpoint = aws.emulator.endpoint
    return session.client("dynamodb", endpoint_url=endpoint.url, verify=endpoint.ca_bundle)
