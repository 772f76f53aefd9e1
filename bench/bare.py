"""An offline AWS with nothing deployed, for benchmarks that make what they need by its API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from bench.fresh import Bench
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator


@dataclass(frozen=True)
class Bare:
    """The offline AWS, and how it is told what no AWS API says."""

    emulator: Emulator
    control: Control

    def client(self, service: str) -> Any:
        """A client of `service`, of the account's owner."""
        return self.emulator.endpoint.client(service)

    def role(self, name: str, trusted: Mapping[str, str], actions: list[str]) -> str:
        """A role that `trusted` may assume, and that may do `actions` on everything; its ARN."""
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
        if actions:
            grant = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_policy(grant))
        return str(made["Role"]["Arn"])


@contextmanager
def bare(bench: Bench) -> Iterator[Bare]:
    """Ready inside the `with`, gone after it."""
    folder = bench.scratch / f"bare-{time.monotonic_ns()}"
    folder.mkdir()
    with Emulator(folder) as emulator:
        emulator.wait_until_ready()
        with closing(Control(emulator.endpoint)) as control:
            yield Bare(emulator, control)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
