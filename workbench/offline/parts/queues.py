"""Queues that deliver again, late or in another order, as standard queues may; and the redrive of dead letters.

"Amazon SQS at-least-once delivery" (SQS Developer Guide): a copy of a message may be on a server that was away
when it was deleted, and be delivered again. "Amazon SQS standard queues": the order is best-effort.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from ministack.core import iam_actions
from ministack.services import sqs

from workbench.offline.control import Refused, command
from workbench.offline.standing import Fault, stand

LONGEST_GATHERING = 4  # times the quiet that is waited for
Manner = Literal["again", "reordered", "held"]
_faults: dict[tuple[str, Manner], QueueFault] = {}  # by the queue's ARN
_moves: list[dict[str, Any]] = []  # what StartMessageMoveTask has done, latest last


@dataclass(kw_only=True)
class QueueFault(Fault):
    """`times` a message comes again; `seconds` without a new one until those that wait are delivered, reordered."""

    times: int = 1
    seconds: float = 0.5
    concurrent: bool = False
    seen: dict[str, int] = field(default_factory=dict)  # how often a message has come again, by its id
    lock: threading.Lock = field(default_factory=threading.Lock)

    def gathers(self, ages: Iterable[float]) -> bool:
        """Whether to wait for more to come: until none has come for a while, or the first has waited long."""
        waited = sorted(ages)
        return bool(waited) and waited[0] < self.seconds and waited[-1] < LONGEST_GATHERING * self.seconds

    def copies(self, queue: dict[str, Any], messages: list[dict[str, Any]]) -> None:
        """Put a copy of each message into the queue that has not come `times` again yet."""
        with self.lock:
            for message in messages:
                if self.seen.get(message["id"], 0) < self.times:
                    self.seen[message["id"]] = self.seen.get(message["id"], 0) + 1
                    self.struck += 1
                    fresh = {"receipt_handle": None, "visible_at": time.time(), "receive_count": 0}
                    queue["messages"].append({**message, **fresh})
        sqs.esm_wake.set()


@command("queues/disturb")
def disturb(queue: str, manner: Manner, **how: Any) -> dict[str, str]:
    """Let the queue with this ARN deliver `again`, `reordered`, or nothing (`held`); `how` as in `QueueFault`."""
    found = sqs._queue_by_arn(queue)
    if found is None:
        raise Refused(f"there is no queue {queue}")
    if found["is_fifo"] and manner != "held":
        raise Refused(
            f"{queue} is a FIFO queue, which delivers in order, and again only what was not deleted"
        )
    if (queue, manner) in _faults:
        raise Refused(f"{queue} is {manner} already")

    def end() -> None:
        del _faults[queue, manner]
        if manner == "held":
            fault.struck = len(found["messages"])
        sqs.esm_wake.set()

    fault = _faults[queue, manner] = QueueFault(end=end, **how)
    return stand(fault)


def extend() -> None:
    """Put the faults between queues and their receivers, and add the three calls of a redrive."""
    sqs._collect_msgs = _collecting(sqs._collect_msgs)
    sqs._delete_messages_for_esm = _deleting(
        sqs._delete_messages_for_esm, lambda url, _handles: sqs._get_q(url)
    )
    for name in ("DeleteMessage", "DeleteMessageBatch"):
        sqs._HANDLERS[name] = _deleting(
            sqs._HANDLERS[name], lambda data, url: sqs._get_q(data.get("QueueUrl", url))
        )
    iam_actions.extract_resource_arn = _by_source(iam_actions.extract_resource_arn)
    sqs._HANDLERS["StartMessageMoveTask"] = start_message_move_task
    sqs._HANDLERS["ListMessageMoveTasks"] = list_message_move_tasks
    sqs._HANDLERS["CancelMessageMoveTask"] = cancel_message_move_task


def _collecting(collect: Callable[..., Any]) -> Callable[..., Any]:
    """What a receiver is given."""

    def collected(queue: dict[str, Any], most: int, invisible: int) -> Any:
        if not _faults:
            return collect(queue, most, invisible)
        arn = queue["attributes"].get("QueueArn", "")
        now = time.time()
        for message in queue["messages"]:
            sqs._ensure_msg_fields(message)
        if (arn, "held") in _faults:
            return []
        shown = queue
        if reordered := _faults.get((arn, "reordered")):
            if reordered.gathers(
                now - each["sent_at"] for each in queue["messages"] if not each["receive_count"]
            ):
                return []
            shown = {**queue, "messages": queue["messages"][::-1]}
        found = collect(shown, most, invisible)
        if reordered:
            reordered.struck += _overtaking(queue["messages"], found)
        if (again := _faults.get((arn, "again"))) and again.concurrent:
            again.copies(queue, found)
        return found

    return collected


def _overtaking(messages: list[dict[str, Any]], received: list[dict[str, Any]]) -> int:
    """How many of the received messages come before one that was sent earlier."""
    waiting = [each["sent_at"] for each in messages if each["receive_count"] == 0]
    overtaking = 0
    for message in reversed(received):
        overtaking += any(sent < message["sent_at"] for sent in waiting)
        waiting.append(message["sent_at"])
    return overtaking


def _deleting(delete: Callable[..., Any], queue_of: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """What a receiver deletes comes again, where a fault has it so."""

    def deleted(*arguments: Any) -> Any:
        queue = queue_of(*arguments)
        again = _faults.get((queue["attributes"].get("QueueArn", ""), "again"))
        if again is None or again.concurrent:
            return delete(*arguments)
        before = list(queue["messages"])
        answer = delete(*arguments)
        left = {id(message) for message in queue["messages"]}
        again.copies(queue, [message for message in before if id(message) not in left])
        return answer

    return deleted


def _by_source(resource_of: Callable[..., str]) -> Callable[..., str]:
    """IAM is asked about a redrive by the ARN of its source: these calls name no queue by URL."""

    def resource(service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any) -> str:
        found = resource_of(service, method, path, headers, body, *rest)
        if service == "sqs" and found == "*":
            return str(iam_actions._safe_json_field(body, "SourceArn") or found)
        return found

    return resource


def start_message_move_task(data: dict[str, Any], _url: str) -> dict[str, Any]:
    """Move what a dead-letter queue shows back to its sources, or to `DestinationArn`.

    "StartMessageMoveTask" (SQS API Reference). All is moved within the call: a rate is taken as no limit, and
    the task is COMPLETED when it is answered. Moved messages are new ones, with an id and an enqueue time of
    their own ("Configure a dead-letter queue redrive", SQS Developer Guide).
    """
    source_arn, destination_arn = str(data.get("SourceArn", "")), str(data.get("DestinationArn", ""))
    source = sqs._queue_by_arn(source_arn)
    if source is None or (destination_arn and sqs._queue_by_arn(destination_arn) is None):
        raise sqs._Err(
            "ResourceNotFoundException", "The resource that you specified for the ARN doesn't exist."
        )
    if not _is_dead_letter_queue(source_arn):
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    task: dict[str, Any] = {
        "TaskHandle": f"task-{len(_moves) + 1}",
        "Status": "COMPLETED",
        "SourceArn": source_arn,
        "StartedTimestamp": round(time.time() * 1000),
        "ApproximateNumberOfMessagesToMove": 0,
        "ApproximateNumberOfMessagesMoved": 0,
        **({"DestinationArn": destination_arn} if destination_arn else {}),
    }
    with sqs._queues_lock:
        for message in [each for each in source["messages"] if each["visible_at"] <= time.time()]:
            task["ApproximateNumberOfMessagesToMove"] += 1
            origin = message.get("sys", {}).get("DeadLetterQueueSourceArn", "")
            if destination := sqs._queue_by_arn(destination_arn or origin):
                source["messages"].remove(message)
                destination["messages"].append(_anew(message, destination))
                task["ApproximateNumberOfMessagesMoved"] += 1
    _moves.append(task)
    sqs.esm_wake.set()
    return {"TaskHandle": task["TaskHandle"]}


def list_message_move_tasks(data: dict[str, Any], _url: str) -> dict[str, Any]:
    """The latest moves from `SourceArn`, at most `MaxResults` (1)."""
    moves = [task for task in reversed(_moves) if task["SourceArn"] == data.get("SourceArn")]
    shown = moves[: int(data.get("MaxResults", 1))]
    return {
        "Results": [{name: value for name, value in each.items() if name != "TaskHandle"} for each in shown]
    }


def cancel_message_move_task(_data: dict[str, Any], _url: str) -> dict[str, Any]:
    """Refused: no task is still running once it is answered."""
    raise sqs._Err("ResourceNotFoundException", "No running message move task has this handle.")


def _is_dead_letter_queue(arn: str) -> bool:
    policies = (each["attributes"].get("RedrivePolicy") for each in list(sqs._queues._data.values()))
    return any(json.loads(policy).get("deadLetterTargetArn") == arn for policy in policies if policy)


def _anew(message: dict[str, Any], destination: dict[str, Any]) -> dict[str, Any]:
    now = time.time()
    moved = {
        **message,
        "id": sqs.new_uuid(),
        "receipt_handle": None,
        "sent_at": now,
        "enqueued_at": now,
        "visible_at": now,
        "receive_count": 0,
        "first_receive_at": None,
        "sys": {name: value for name, value in message["sys"].items() if name != "DeadLetterQueueSourceArn"}
        | {"SentTimestamp": str(round(now * 1000))},
    }
    if destination["is_fifo"]:
        destination["fifo_seq"] += 1
        moved["seq"] = str(destination["fifo_seq"]).zfill(20)
    return moved
