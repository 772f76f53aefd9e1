"""The story of a guestbook: written by whoever comes, kept in four stores, and served while a zone is away."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from workbench.dryrun.http import Response
from workbench.dryrun.world import World

ZONES = 3
SECRET_HEADER = "X-Origin-Verify"
NOT_ENTRIES = ("", "{", "[]", '{"author": ""}', '{"author": "x", "text": 1}', '{"author": "x"}')


def play(world: World) -> None:
    """On virtual machines behind the edge, in pods behind an Ingress, and with a zone away."""
    guestbook, pods = Guestbook(world, world.outputs["Url"]), Guestbook(world, world.outputs["KubernetesUrl"])
    both = (guestbook, pods)
    late: list[Response] = []  # what is written under faults, where they can be made
    away: list[Response] = []
    here: list[Response] = []

    with world.step(
        "the service answers through the edge, and through the load balancer that Kubernetes made"
    ):
        for book in both:
            book.wait_until_it_answers()

    with world.step("whoever goes past the edge is refused"):
        for headers in ({}, {SECRET_HEADER: "guessed"}):
            answer = world.http.get(f"{world.outputs['BalancerUrl']}/health", headers=headers)
            assert answer.status == 403

    with world.step("every store of it answers"):
        for book in both:
            book.wait_until_it_is_ready()

    with world.step("an entry becomes a row, an item, an object and a record"):
        answers = [
            guestbook.write("ada", "Hello from a virtual machine"),
            pods.write("grace", "Hello from a pod"),
        ]
        assert [answer.status for answer in answers] == [201, 201], [answer.text for answer in answers]
        first, second = (answer.json() for answer in answers)
        for entry in (first, second):
            assert entry["stored"]["row"] is entry["stored"]["item"] is entry["stored"]["object"] is True
            assert entry["stored"]["record"]["offset"] is not None

    with world.step("each store holds it by itself, and what one program wrote the other one reads"):
        for entry, text, book in (
            (first, "Hello from a virtual machine", pods),
            (second, "Hello from a pod", guestbook),
        ):
            assert guestbook.item(entry)["text"] == {"S": text}
            assert guestbook.object(entry["id"])["text"] == text
            assert book.read(entry["id"])["row"]["text"] == text
        for author, entry, book in (("ada", first, pods), ("grace", second, guestbook)):
            listed = book.get(f"/entries?author={book.name(author)}&limit=10").json()["entries"]
            assert [each["id"] for each in listed] == [entry["id"]]

    with world.step("a second reading comes from the cache"):
        answer = guestbook.get(f"/entries/{first['id']}")
        assert answer.headers["x-read-from"] == "cache"

    with world.step(
        "the same request again, with its key, writes nothing; another one with that key is refused"
    ):
        key = f"key-{world.run_id}"
        made, again = guestbook.write("ada", "Once", key=key), pods.write("ada", "Once", key=key)
        assert (made.status, again.status) == (201, 200)
        assert again.json()["id"] == made.json()["id"]
        refused = guestbook.write("ada", "Twice", key=key)
        assert refused.status == 422

    with world.step("what is not an entry is refused, and what is not there is not found"):
        for body in NOT_ENTRIES:
            answer = guestbook.post(body)
            assert answer.status == 400, f"{body!r}: {answer.text}"
        answer = guestbook.get("/entries/00000000-0000-8000-8000-000000000000")
        assert answer.status == 404

    with world.step("every record reaches the function that counts, and each entry counts once"):
        guestbook.wait_until_counted("ada", 2)
        guestbook.wait_until_counted("grace", 1)

    with world.step("a record that is no entry is parked, and the others of its batch are counted"):
        entry = {"id": f"by-hand-{world.run_id}", "author": guestbook.name("linus")}
        guestbook.deliver(b"no entry", json.dumps(entry).encode())
        guestbook.wait_until_counted("linus", 1)
        assert "not JSON" in guestbook.parked()["reason"]

    with (
        world.step("without its cache the service is slower, and right"),
        world.faults.stopped("redis", world.outputs["CacheId"]),
    ):
        for book in both:
            answer = book.get(f"/entries/{first['id']}")
            assert (answer.status, answer.headers["x-read-from"]) == (200, "stores")

    with world.step("while the database is away writes are told so, and completed by their retry"):
        key = f"late-{world.run_id}"
        with world.faults.stopped("postgres", world.outputs["DatabaseId"]):
            answer = guestbook.write("ada", "Late", key=key)
            assert answer.status == 503, answer.text
        guestbook.wait_until_it_is_ready()
        late = [guestbook.write("ada", "Late", key=key)]
        assert late[0].status in (200, 201), late[0].text  # its row may have come after all

    with world.step("a machine in every zone serves, and pods in more than one"):
        guestbook.wait_until(lambda zones: len(zones) == ZONES, "three zones answer")
        # Kubernetes moves no pod that runs: where a zone was away before, they may stand in the two others.
        pods.wait_until(lambda zones: len(zones) > 1, "two zones answer")

    lost, before = sorted(guestbook.zones() & pods.zones())[0], pods.instances()
    with (
        world.step(
            "a zone is lost, with its machines, pods and broker: every request is answered, and written"
        ),
        world.faults.zone_lost(lost),
    ):
        for book in both:
            book.wait_until(lambda zones: lost not in zones, f"{lost} serves nobody")
        pods.wait_until_one_serves_that_is_not_of(before)
        away = at_once(12, lambda i: guestbook.write("ada", f"While {lost} is away: {i}"))
        assert [answer.status for answer in away] == [201] * 12, [each.text for each in away]
        here = [pods.write("grace", "Here, too")]
        assert here[0].status == 201, here[0].text

    with world.step("the zone is back, and serves"):
        guestbook.wait_until(lambda zones: lost in zones, f"{lost} serves again")

    with world.step("the promise: every entry is in all its stores, and was counted once"):
        for i, answer in enumerate(away):
            entry = answer.json()
            assert guestbook.read(entry["id"])["row"]["text"] == f"While {lost} is away: {i}"
            assert guestbook.object(entry["id"])["text"] == f"While {lost} is away: {i}"
        guestbook.wait_until_counted("ada", 2 + len(late) + len(away))
        guestbook.wait_until_counted("grace", 1 + len(here))


class Guestbook:
    """The service's HTTP interface at one address, and its stores as their owner sees them."""

    def __init__(self, world: World, url: str) -> None:
        self._world = world
        self.url = url

    def name(self, author: str) -> str:
        """An author of this play alone."""
        return f"{author}-{self._world.run_id}"

    def get(self, path: str) -> Response:
        return self._world.http.get(self.url + path)

    def post(self, body: str) -> Response:
        headers = {"Content-Type": "application/json"}
        return self._world.http.post(f"{self.url}/entries", body=body, headers=headers)

    def write(self, author: str, text: str, key: str | None = None) -> Response:
        headers = {"Idempotency-Key": key} if key else None
        wish = {"author": self.name(author), "text": text}
        return self._world.http.post(f"{self.url}/entries", json=wish, headers=headers)

    def read(self, entry_id: str) -> Any:
        answer = self.get(f"/entries/{entry_id}")
        assert answer.status == 200, answer.text
        return answer.json()

    def zones(self) -> set[str]:
        """The zones that answer a dozen requests, of which none may fail."""
        return {zone for zone, _ in self._where()}

    def instances(self) -> set[str]:
        """The machines or pods that answer a dozen requests, of which none may fail."""
        return {instance for _, instance in self._where()}

    def _where(self) -> set[tuple[str, str]]:
        answers = [self.get("/where") for _ in range(12)]
        assert [answer.status for answer in answers] == [200] * 12, [answer.text for answer in answers]
        return {(answer.json()["zone"], answer.json()["instance"]) for answer in answers}

    def item(self, entry: dict[str, Any]) -> dict[str, Any]:
        key = {"author": {"S": entry["author"]}, "entry": {"S": f"{entry['at']}#{entry['id']}"}}
        found: dict[str, Any] = self._world.client("dynamodb").get_item(
            TableName=self._world.outputs["EntriesTable"], Key=key, ConsistentRead=True
        )["Item"]
        return found

    def object(self, entry_id: str) -> Any:
        bucket = self._world.outputs["ObjectsBucket"]
        found = self._world.client("s3").get_object(Bucket=bucket, Key=f"entries/{entry_id}.json")
        return json.loads(found["Body"].read())

    def counted(self, author: str) -> int:
        """How many entries the function has counted for the author."""
        found = self._world.client("dynamodb").get_item(
            TableName=self._world.outputs["AuthorsTable"],
            Key={"author": {"S": self.name(author)}},
            ConsistentRead=True,
        )
        return int(found.get("Item", {}).get("entries", {"N": "0"})["N"])

    def deliver(self, *values: bytes) -> None:
        """Give the function records, as Lambda does when it has read them from the topic."""
        records = [{"topic": "entries", "value": base64.b64encode(value).decode()} for value in values]
        event = {"eventSource": "aws:kafka", "records": {"entries-0": records}}
        answer = self._world.client("lambda").invoke(
            FunctionName=self._world.outputs["CountFunctionArn"], Payload=json.dumps(event).encode()
        )
        assert "FunctionError" not in answer, answer["Payload"].read()

    def parked(self) -> dict[str, Any]:
        """What the function parked last, taken out of the queue."""
        queue = self._world.outputs["ParkedUrl"]

        def taken() -> dict[str, Any]:
            found = self._world.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1)
            [message] = found.get("Messages") or [None]
            assert message is not None, "nothing is parked"
            self._world.client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            parked: dict[str, Any] = json.loads(message["Body"])
            return parked

        return self._world.eventually(taken, what="a record is parked")

    def wait_until_it_answers(self) -> None:
        """Again and again: while none of its targets is healthy yet, a load balancer asks those that do not, too."""
        self.wait_until(bool, f"{self.url} answers")

    def wait_until_it_is_ready(self) -> None:
        def ready() -> bool:
            answer = self.get("/ready")
            assert answer.status == 200, answer.text
            return True

        self._world.eventually(ready, within=60, what="every store answers")

    def wait_until_counted(self, author: str, entries: int) -> None:
        def counted() -> bool:
            found = self.counted(author)
            assert found == entries, f"{found} are counted"
            return True

        self._world.eventually(counted, within=60, what=f"{author}'s {entries} entries are counted")

    def wait_until_one_serves_that_is_not_of(self, before: set[str]) -> None:
        """Wait for what takes the place of what was lost: a zone may be back sooner than anything is replaced."""

        def replaced() -> bool:
            found = self.instances()
            assert found - before, f"only {sorted(found)} answer"
            return True

        self._world.eventually(replaced, within=120, what="what was lost is replaced")

    def wait_until(self, holds: Callable[[set[str]], bool], what: str) -> None:
        """Wait until `holds` is true of the zones that answer."""

        def check() -> bool:
            found = self.zones()
            assert holds(found), f"{sorted(found)} answer"
            return True

        self._world.eventually(check, within=120, what=what)


def at_once(count: int, call: Callable[[int], Response]) -> list[Response]:
    """`count` calls from four threads."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(call, range(count)))
