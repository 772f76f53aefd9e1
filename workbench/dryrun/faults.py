"""Faults that a scenario can make, each for the time of a `with`: what was before is so again after it.

Some are made with calls that AWS has too, and work there as they do offline. The others are made by our own
offline AWS; elsewhere they raise `FaultUnavailable`, and `World.step` notes the step as not played.

Those that strike calls, clocks, processes, WebSocket connections or the messages of a queue raise `AssertionError` at
the end when they have struck none: a step that nothing happened to has proven nothing. What they yield, where they
yield something, is a function that says how many they have struck so far.
Numbers in brackets are cases of the catalogue of faults, docs/faults.md, which also names the test of each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, TypedDict, Unpack
from urllib.parse import urlsplit

from workbench.dryrun.control import CommandRefused, Control

Struck = Callable[[], int]

MOVED_WITHIN = 60.0
SETTLED_WITHIN = 2.0
ENDED_WITHIN = 5.0


class Which(TypedDict, total=False):
    """Which calls of a service are struck: the `first` ones, or a `share` of them; without either, all."""

    action: str | None  # as IAM calls it ("UpdateItem"); left away, every action
    share: float  # from 0 to 1
    first: int | None
    seed: int  # by which the share is chosen: the same calls in every run


class FaultUnavailable(Exception):
    """This fault can be made by the project's own offline AWS alone, and the play is elsewhere."""


class Faults:
    """`world.faults`. Functions, queues and streams are named as outputs name them: ARNs, names, queue URLs."""

    def __init__(
        self,
        client: Callable[[str], Any],
        control: Control | None,
        expect_refusal: Callable[[str, str], None],
    ) -> None:
        self._client = client
        self._control = control
        self._expect_refusal = expect_refusal

    # Made with calls that AWS has too.

    @contextmanager
    def paused(self, function_arn: str) -> Iterator[None]:
        """No invocation of the function runs: its reserved concurrency is 0 meanwhile (13)."""
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

    def redriven(self, dead_letter_queue_url: str) -> int:
        """Move what is in a dead-letter queue back to where it came from, and return how many that were (12).

        Raises `AssertionError` when the move fails or takes longer than `MOVED_WITHIN` seconds.
        """
        queues, arn = self._client("sqs"), self._queue_arn(dead_letter_queue_url)
        queues.start_message_move_task(SourceArn=arn)
        until = time.monotonic() + MOVED_WITHIN
        while True:
            [task] = queues.list_message_move_tasks(SourceArn=arn, MaxResults=1)["Results"]
            if task["Status"] == "COMPLETED":
                return int(task["ApproximateNumberOfMessagesMoved"])
            if task["Status"] != "RUNNING" or time.monotonic() >= until:
                raise AssertionError(f"the redrive of {dead_letter_queue_url} is {task['Status']}: {task}")
            time.sleep(0.5)

    # Calls to AWS, of one function, program or role, or of the pods of a Deployment ("namespace/name"), whichever of
    # them calls. `service` is IAM's name of it ("dynamodb"); left away, calls of every service are meant. Each try of
    # the SDK is one.

    def slow(
        self, function: str, service: str | None = None, *, seconds: float, **which: Unpack[Which]
    ) -> AbstractContextManager[Struck]:
        """Calls take `seconds` longer (5, 20)."""
        return self._calls(function, service, which, effect="slow", seconds=seconds)

    def throttled(
        self, function: str, service: str, **which: Unpack[Which]
    ) -> AbstractContextManager[Struck]:
        """The service refuses calls as too many, in its own words (4, 18); they are not carried out."""
        return self._calls(function, service, which, effect="throttled")

    def failing(
        self, function: str, service: str, *, status: int = 500, **which: Unpack[Which]
    ) -> AbstractContextManager[Struck]:
        """The service fails calls with `status`, 500 or above (4, 18, 19); they are not carried out."""
        return self._calls(function, service, which, effect="failing", status=status)

    def replies_lost(
        self, function: str, service: str, **which: Unpack[Which]
    ) -> AbstractContextManager[Struck]:
        """Calls are carried out, and the connection ends before the answer (3, 20, 25)."""
        return self._calls(function, service, which, effect="reply_lost")

    # Processes of functions and programs.

    def worker_killed(
        self, function: str, *, after: int = 1, service: str | None = None, action: str | None = None
    ) -> AbstractContextManager[Struck]:
        """The process is killed in the middle of an invocation (11, 24).

        That is once, when its `after`-th call of `service` and `action` has been carried out and before it
        hears of it. In a batch of records that each make one such call, that is between two records.
        """
        return self._calls(function, service, {"action": action}, effect="killed", after=after)

    def frozen(
        self,
        function: str,
        *,
        after: int | None = None,
        service: str | None = None,
        action: str | None = None,
    ) -> AbstractContextManager[Struck]:
        """The process stands still, as one in a long garbage collection does, and goes on at the end (20, 23).

        Without `after`, that is whatever runs of the function now; at most 5 s are waited for it to run. With
        it, the process that makes the `after`-th call of `service` and `action`, once that is carried out.
        Lambda's timeout goes on, and ends an invocation that stands still for longer.
        """
        if after is None:
            return self._struck("workers/freeze", function=function)
        return self._calls(function, service, {"action": action}, effect="frozen", after=after)

    def clock_shifted(self, function: str, seconds: float) -> AbstractContextManager[Struck]:
        """The wall clock of the function's processes is `seconds` ahead, or behind when negative (22, 23, 28).

        The invocations that start meanwhile have it; the function starts cold. Python functions only; see
        `workbench/offline/clock.py` for what is covered. As on AWS, calls are refused that are signed more
        than 15 minutes off (5 with some services): RequestTimeTooSkewed.
        """
        return self._struck("clock/shift", function=function, seconds=seconds)

    def pod_killed(self, deployment: str) -> str:
        """The process of one ready pod of a Deployment ("namespace/name") is killed at once; the pod is named.

        Its container is started again, as the same pod.
        """
        return str(self._only_ours("pod_killed").call("pods/kill", deployment=deployment)["killed"])

    def pod_frozen(self, deployment: str) -> AbstractContextManager[Struck]:
        """The process of one ready pod of a Deployment stands still, and goes on at the end.

        It answers nobody meanwhile, so its load balancer and its peers take it for gone; what waits for it then comes
        late. Its liveness probe goes on, and has it killed and started again after as many failures as it takes.
        """
        return self._struck("pods/freeze", deployment=deployment)

    # Queues, by URL or ARN; and streams and Kafka topics, by the ARN of the source or the UUID of the mapping.

    @contextmanager
    def delivered_again(self, source: str, *, times: int = 1, concurrent: bool = False) -> Iterator[Struck]:
        """What has been delivered is delivered again (9, 16, 27).

        From a standard queue each message `times` times, once its receiver has deleted it, or with
        `concurrent` while the first receiver has it still. From a stream or topic, the last batch that went
        well, on entering.
        """
        if _is_queue(source):
            with self._disturbed(source, "again", times=times, concurrent=concurrent) as struck:
                yield struck
            return
        records = self._last_batch_again(source)
        yield lambda: records

    @contextmanager
    def reordered(self, source: str, *, seconds: float = 0.5) -> Iterator[None]:
        """What waits is delivered in another order (16, 27).

        From a standard queue latest first, once none has come for `seconds` (at most four times that). What
        comes into a Kafka topic meanwhile is delivered at the end, partition by partition, the last one first; within
        a partition it keeps its order. A FIFO queue, a shard and a table's stream promise an order: they are refused.
        """
        if _is_queue(source):
            with self._disturbed(source, "reordered", seconds=seconds):
                yield
            return
        with self.held(source):
            yield
            self._only_ours("reordered").call("streams/reorder", mapping=source)

    @contextmanager
    def held(self, source: str) -> Iterator[None]:
        """Nothing is delivered, and all of it at the end (17)."""
        if _is_queue(source):
            with self._disturbed(source, "held"):
                yield
            return
        with self._for_the_time("streams/hold", "streams/release", mapping=source):
            yield

    # WebSocket APIs, by id or endpoint.

    @contextmanager
    def disconnects_lost(self, api: str) -> Iterator[Struck]:
        """`$disconnect` comes for no connection that ends meanwhile (7); sending to one is answered with 410.

        A connection's end takes the API a moment to see: up to `ENDED_WITHIN` seconds are waited for the first.
        """
        named = (urlsplit(api).hostname or api).partition(".")[0]
        with self._struck("websockets/lose_disconnects", api=named) as lost:
            yield lost
            until = time.monotonic() + ENDED_WITHIN
            while not lost() and time.monotonic() < until:
                time.sleep(0.05)

    # Servers, brokers, zones and regions.

    def stopped(self, kind: str, name: str) -> AbstractContextManager[None]:
        """The server behind a resource is down (29): `kind` "redis" or "postgres", `name` the resource's.

        Its connections end and new ones are refused. What a database has committed is there again at the end, and
        what a cache with failover holds; any other cache comes back empty.
        """
        return self._for_the_time(f"{kind}/stop", f"{kind}/start", name=name)

    def restarted(self, kind: str, name: str) -> None:
        """The server behind a resource crashes and comes back at once (29), with as much as after `stopped`.

        Every connection to it ends.
        """
        self._only_ours("restarted").call(f"{kind}/restart", name=name)

    def broker_down(self, cluster: str, broker: int) -> AbstractContextManager[None]:
        """One broker of a Kafka cluster, named by the cluster's name and its number from 1, is down.

        Its port refuses; the others lead its partitions until it is back.
        """
        return self._for_the_time("kafka/stop_broker", "kafka/start_broker", name=cluster, broker=broker)

    @contextmanager
    def zone_lost(self, zone: str) -> Iterator[list[str]]:
        """The servers, brokers, machines, tasks and pods in an availability zone ("us-east-1a") are down (30).

        Yields the names of what was stopped; raises `AssertionError` when nothing stands there. A Multi-AZ database
        fails over, and does not fail back.
        """
        control = self._only_ours("zone_lost")
        try:
            stopped = list(control.call("zone/lose", zone=zone)["stopped"])
            if not stopped:
                raise AssertionError(f"nothing stands in {zone}, so losing it proves nothing")
            yield stopped
        finally:
            control.call("zone/restore", zone=zone)

    @contextmanager
    def region_cut_off(self, region: str) -> Iterator[None]:
        """Nobody reaches the region's AWS (30): calls end without an answer, and none of its functions runs.

        Databases, caches and brokers, which clients reach by connections of their own, go on.
        """
        control = self._only_ours("region_cut_off")
        fault = control.call("region/cut", region=region)["fault"]
        try:
            yield
        finally:
            control.call("faults/end", fault=fault)

    def _calls(
        self, function: str, service: str | None, which: Which, **how: Any
    ) -> AbstractContextManager[Struck]:
        return self._struck("calls/strike", who=function, service=service, **which, **how)

    def _only_ours(self, fault: str) -> Control:
        if self._control is None:
            raise FaultUnavailable(f"only our own offline AWS can make the fault {fault}")
        return self._control

    @contextmanager
    def _struck(self, command: str, **arguments: Any) -> Iterator[Struck]:
        """A fault that counts what it strikes, and must strike something."""
        named = str(arguments.get("effect") or arguments.get("manner") or command)
        control = self._only_ours(named)
        fault = control.call(command, **arguments)["fault"]
        struck = 0
        try:
            yield lambda: int(control.call("faults/struck", fault=fault)["struck"])
        finally:
            struck = control.call("faults/end", fault=fault)["struck"]
        if not struck:
            raise AssertionError(f"the fault {named} struck nothing, so it has proven nothing: {arguments}")

    @contextmanager
    def _disturbed(self, queue: str, manner: str, **how: Any) -> Iterator[Struck]:
        self._only_ours(manner)
        arn = self._queue_arn(queue)
        with self._struck("queues/disturb", queue=arn, manner=manner, **how) as struck:
            yield struck

    @contextmanager
    def _for_the_time(self, begin: str, end: str, **arguments: Any) -> Iterator[None]:
        control = self._only_ours(begin)
        try:
            control.call(begin, **arguments)
        except CommandRefused:
            with suppress(CommandRefused):  # it may have been carried out in part
                control.call(end, **arguments)
            raise
        try:
            yield
        finally:
            control.call(end, **arguments)

    def _last_batch_again(self, source: str) -> int:
        """Have the last batch of a stream delivered again; how many records it had.

        Its effects can be seen before Lambda knows that it went well: for that a moment is waited.
        """
        control = self._only_ours("delivered_again")
        until = time.monotonic() + SETTLED_WITHIN
        while True:
            answer = control.call("streams/again", mapping=source)
            if records := sum(int(each["records"]) for each in answer["mappings"]):
                return records
            if time.monotonic() >= until:
                raise AssertionError(f"{source} has delivered nothing yet that could be delivered again")
            time.sleep(0.05)

    def _queue_arn(self, queue: str) -> str:
        if queue.startswith("arn:"):
            return queue
        asked = {"QueueUrl": queue, "AttributeNames": ["QueueArn"]}
        return str(self._client("sqs").get_queue_attributes(**asked)["Attributes"]["QueueArn"])


def _is_queue(source: str) -> bool:
    return source.startswith(("http", "arn:aws:sqs:"))
