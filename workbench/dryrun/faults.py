"""Faults that a scenario can make, with calls that work on AWS as they do offline, and end with the `with`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Faults:
    """`world.faults`."""

    def __init__(self, client: Callable[[str], Any], expect_refusal: Callable[[str, str], None]) -> None:
        self._client = client
        self._expect_refusal = expect_refusal

    @contextmanager
    def paused(self, function_arn: str) -> Iterator[None]:
        """No invocation of the function runs: its reserved concurrency is 0 meanwhile."""
        functions = self._client("lambda")
        found = functions.get_function(FunctionName=function_arn)
        before = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        functions.put_function_concurrency(FunctionName=function_arn, ReservedConcurrentExecutions=0)
        try:
            yield
        finally:
            if before is None:
                functions.delete_function_concurrency(FunctionName=function_arn)
            else:
                functions.put_function_concurrency(
                    FunctionName=function_arn, ReservedConcurrentExecutions=before
                )

    @contextmanager
    def refusing_sends(self, queue_url: str) -> Iterator[None]:
        """Nobody may send to the queue: a Deny is put before its policy meanwhile."""
        queues = self._client("sqs")
        names = ["Policy", "QueueArn"]
        attributes = queues.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
        before, arn = attributes.get("Policy", ""), attributes["QueueArn"]
        policy = json.loads(before) if before else {"Version": "2012-10-17", "Statement": []}
        deny = {
            "Sid": "Fault",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy["Statement"] = [*policy["Statement"], deny]
        self._expect_refusal("sqs:SendMessage", arn)
        queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": json.dumps(policy)})
        try:
            yield
        finally:
            queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": before})
