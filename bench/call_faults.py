"""What a fault adds to the calls that it looks at: DynamoDB's GetItem at the offline AWS, call by call.

"looked at" is a rule that matches the caller and never strikes: the whole of the work, and no fault.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.fresh import Bench
from bench.table import Row, Table, compared, percentile
from workbench.assembly import DEFAULT_REGION
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator

CALLS = 200
ROUNDS = 3
GOAL_MS = 2.0
TABLE_NAME, ROLE, BYSTANDER = "items", "caller", "bystander"


def run(bench: Bench) -> Table:
    """Milliseconds a call at the median, and what a fault adds to it."""
    folder = bench.scratch / f"faults-{time.monotonic_ns()}"
    folder.mkdir()
    with Emulator(folder) as emulator:
        emulator.wait_until_ready()
        control = Control(emulator.endpoint)
        dynamodb = _caller(emulator)
        _calls(dynamodb, CALLS)
        taken: dict[str, list[float]] = {"none": [], BYSTANDER: [], ROLE: []}
        for _ in range(ROUNDS):
            for who, latencies in taken.items():
                with _unstruck(control, who):
                    latencies += _calls(dynamodb, CALLS)
        control.close()
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


def _caller(emulator: Emulator) -> Any:
    """A client with a session of a role, which may read the table that this makes."""
    import boto3

    client = emulator.endpoint.client
    client("dynamodb").create_table(
        TableName=TABLE_NAME,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for role in (ROLE, BYSTANDER):
        trust = _policy("sts:AssumeRole", Principal={"AWS": "*"})
        client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    grant = _policy("dynamodb:GetItem", Resource="*")
    client("iam").put_role_policy(RoleName=ROLE, PolicyName="read", PolicyDocument=grant)
    arn = client("iam").get_role(RoleName=ROLE)["Role"]["Arn"]
    keys = client("sts").assume_role(RoleArn=arn, RoleSessionName="bench")["Credentials"]
    make: Any = boto3.client
    return make(
        "dynamodb",
        DEFAULT_REGION,
        endpoint_url=emulator.endpoint.url,
        verify=emulator.endpoint.ca_bundle,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )


def _policy(action: str, **rest: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, **rest}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
