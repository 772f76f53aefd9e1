"""A link's life, as its owner and its visitors see it; at the end the promise, under its faults."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import ceil
from typing import Any

from workbench.dryrun.http import Response
from workbench.dryrun.world import World

# From public documents: a fragment, a query, a non-ASCII character, an encoded path, a bare host.
URLS = (
    "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html#key-policy-default-allow-administrators",
    "https://github.com/aws-solutions/virtual-waiting-room-on-aws/issues/new?assignees=&labels=feature-request%2C+enhancement&template=feature_request.md&title=",
    "https://constructs.dev/packages/@cdklabs/cdk-amazonmq/v/0.0.1?lang=go#rabbitmq-brokers",
    "https://86kp2xjgbh.execute-api.eu-west-1.amazonaws.com/",
    "https://www.docker.com/get-started/",
)
NOT_ASCII = "https://github.com/aws-samples/bedrock-chat.git）"  # with a full-width bracket
REFUSED = (
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "http://127.0.0.1/admin",
    "http://2130706433/",
    "http://[::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "https://user:secret@example.com/",
)


def play(world: World) -> None:
    """The whole story."""
    shortener = Shortener(world)
    made: dict[str, str] = {}

    with world.step("an owner signs in; without a token nobody makes a link"):
        shortener.sign_in("owner")
        assert shortener.post_link({"url": URLS[0]}, token="").status == 401
        assert shortener.post_link({"url": URLS[0]}, token="not.a.token").status == 401

    with world.step("a link is made, and redirects to exactly what was given"):
        for url in (*URLS, NOT_ASCII):
            answer = shortener.post_link({"url": url})
            assert answer.status == 201, answer.text
            assert answer.json()["url"] == url
            made[answer.json()["code"]] = url
        for code, url in made.items():
            answer = shortener.follow(code)
            assert answer.status == 302, answer.text
            assert answer.headers["location"] == shortener.as_header(url)
            assert answer.headers["cache-control"] == "no-store"

    with world.step("a link that is to expire soon redirects until then"):
        for seconds in (0.8, 10):  # a slow machine may look too late at the first
            soon = datetime.fromtimestamp(ceil(datetime.now(UTC).timestamp() + seconds), UTC)
            answer = shortener.post_link({"url": "https://example.com/soon", "expires_at": soon.isoformat()})
            assert answer.status == 201, answer.text
            expiring = answer.json()["code"]
            redirect = shortener.follow(expiring)
            if redirect.status == 302:
                break
        assert redirect.status == 302

    with world.step("a HEAD answers as a GET, without a body"):
        code = next(iter(made))
        answer = world.http.head(f"{shortener.url}/{code}")
        assert answer.status == 302
        assert answer.body == b""

    with world.step(
        "a malicious scheme is refused, and so is the way into a private network, and a link to itself"
    ):
        for url in (*REFUSED, f"{shortener.url}/{code}"):
            answer = shortener.post_link({"url": url})
            assert answer.status == 422, f"{url}: {answer.text}"

    with world.step("fifty want one alias, five at a time: exactly one gets it"):
        alias = f"sale-{world.run_id}"
        answers = at_once(
            50, lambda n: shortener.post_link({"url": f"https://example.com/{n}", "alias": alias})
        )
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [201] + 49 * [409]
        [winner] = [answer.json()["url"] for answer in answers if answer.status == 201]
        assert shortener.follow(alias).headers["location"] == winner

    with world.step(
        "the same request again, with its key, makes no second link; another one with that key is refused"
    ):
        key, wish = {"Idempotency-Key": f"key-{world.run_id}"}, {"url": "https://example.com/once"}
        answers = at_once(8, lambda _: shortener.post_link(wish, headers=key))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json()["code"] for answer in answers}) == 1
        assert shortener.post_link({"url": "https://example.com/other"}, headers=key).status == 422

    with world.step("the owner's list has every link, newest first, page by page"):
        world.eventually(lambda: len(shortener.list_all()) >= len(made) + 3, what="all links in the list")
        listed = shortener.list_all()
        assert [link["created_at"] for link in listed] == sorted(
            (each["created_at"] for each in listed), reverse=True
        )
        assert made.keys() <= {link["code"] for link in listed}

    with world.step("a deleted link is gone at once, also at the edge, and its code is never given again"):
        doomed = shortener.post_link(
            {"url": "https://example.com/doomed", "alias": f"gone-{world.run_id}"}
        ).json()
        assert shortener.follow(doomed["code"]).status == 302
        assert shortener.delete(doomed["code"]).status == 204
        assert shortener.follow(doomed["code"]).status == 410
        assert shortener.delete(doomed["code"]).status == 204
        assert shortener.post_link({"url": "https://example.com/new", "alias": doomed["code"]}).status == 409

    with world.step("what is not there is not found, and becomes a link the moment it is made"):
        later = f"later-{world.run_id}"
        assert shortener.follow(later).status == 404
        assert shortener.post_link({"url": "https://example.com/later", "alias": later}).status == 201
        assert shortener.follow(later).status == 302

    with world.step("another owner can neither see, delete nor read the statistics of a link"):
        stranger = shortener.token_of("stranger")
        assert shortener.delete(code, token=stranger).status == 404
        assert shortener.stats(code, token=stranger).status == 404
        assert shortener.list_all(token=stranger) == []
        assert shortener.follow(code).status == 302

    with world.step("clicks are counted, each once, though they are delivered twice"):
        counted = shortener.post_link({"url": "https://example.com/counted"}).json()["code"]
        for _ in range(5):
            assert shortener.follow(counted).status == 302
        world.eventually(lambda: shortener.clicks(counted) == 5, within=30, what="five clicks are counted")
        shortener.click_message(counted, "twice")
        shortener.click_message(counted, "twice")
        world.eventually(
            lambda: shortener.clicks(counted) == 6, within=30, what="the doubled click counts once"
        )

    with world.step("redirects go on while clicks cannot be counted, and are counted afterwards"):
        with world.faults.paused(world.outputs["CountFunctionArn"]):
            for _ in range(3):
                assert shortener.follow(counted).status == 302
            assert shortener.clicks(counted) == 6
        world.eventually(
            lambda: shortener.clicks(counted) == 9, within=60, what="the waiting clicks are counted"
        )

    queue = world.outputs["ClickQueueUrl"]
    with (
        world.step("redirects go on while the click queue refuses everything"),
        world.faults.refusing_sends(queue),
    ):
        for code, url in made.items():
            answer = shortener.follow(code)
            assert answer.status == 302
            assert answer.headers["location"] == shortener.as_header(url)

    with world.step("an expired link is gone, for good, also at the edge"):
        world.eventually(lambda: shortener.follow(expiring).status == 410, within=30, what="the link expires")

    with world.step("the promise: every code still points at the one URL it was made for"):
        for code, url in made.items():
            assert shortener.follow(code).headers["location"] == shortener.as_header(url)
        assert shortener.follow(alias).headers["location"] == winner


class Shortener:
    """The shortener's HTTP interface, as a client uses it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.url = world.outputs["Url"]
        self._token = ""

    def sign_in(self, name: str) -> None:
        """Every call is `name`'s from now on, unless it says otherwise."""
        self._token = self.token_of(name)

    def token_of(self, name: str) -> str:
        outputs = self._world.outputs
        return self._world.sign_in(outputs["UserPoolId"], outputs["ClientId"], name)

    def post_link(
        self, wish: dict[str, Any], *, token: str | None = None, headers: dict[str, str] | None = None
    ) -> Response:
        return self._world.http.post(
            f"{self.url}/api/links",
            json=wish,
            headers=headers,
            bearer=self._token if token is None else token or None,
        )

    def follow(self, code: str) -> Response:
        return self._world.http.get(f"{self.url}/{code}")

    def delete(self, code: str, *, token: str | None = None) -> Response:
        return self._world.http.delete(f"{self.url}/api/links/{code}", bearer=token or self._token)

    def stats(self, code: str, *, token: str | None = None) -> Response:
        return self._world.http.get(f"{self.url}/api/links/{code}/stats", bearer=token or self._token)

    def clicks(self, code: str) -> int:
        answer = self.stats(code)
        assert answer.status == 200, answer.text
        return int(answer.json()["total"])

    def list_all(self, *, token: str | None = None) -> list[dict[str, Any]]:
        """Every link of the owner, five a page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self._world.http.get(f"{self.url}/api/links?limit=5{cursor}", bearer=token or self._token)
            assert page.status == 200, page.text
            found += page.json()["links"]
            if not page.json()["next_cursor"]:
                return found
            cursor = f"&cursor={page.json()['next_cursor']}"

    def click_message(self, code: str, click_id: str) -> None:
        """Put a click into the queue, as the redirect would."""
        body = {
            "v": 1,
            "id": f"{click_id}-{self._world.run_id}",
            "code": code,
            "at": datetime.now(UTC).isoformat(),
        }
        queue = self._world.outputs["ClickQueueUrl"]
        self._world.client("sqs").send_message(QueueUrl=queue, MessageBody=json.dumps(body))

    @staticmethod
    def as_header(url: str) -> str:
        """A URL as a header can carry it: what is not ASCII is percent-encoded, the rest stays (RFC 3986)."""
        return "".join(c if c.isascii() else "".join(f"%{byte:02X}" for byte in c.encode()) for c in url)


def at_once(count: int, call: Callable[[int], Response]) -> list[Response]:
    """`count` calls from five threads. (A test sends fifty truly at once; offline, each would be a process.)"""
    with ThreadPoolExecutor(5) as pool:
        return list(pool.map(call, range(count)))
