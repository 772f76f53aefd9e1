"""The clients of a benchmark, in a process of their own so that what they cost is not measured as the server's.

`python -m bench.client` reads one JSON document, {"url", "ca_bundle", "clients", "requests", "warm_up"}, sends
every request once, a thread a client, and writes {"seconds", "answers"}. It connects to 127.0.0.1 and nowhere
else.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from workbench.dryrun.emulator import LOOPBACK, Endpoint
from workbench.dryrun.http import Http


def main() -> None:
    """Do what standard input says."""
    work = json.load(sys.stdin)
    endpoint = Endpoint(work["url"], work["ca_bundle"])
    if urlsplit(endpoint.url).hostname != LOOPBACK:
        raise SystemExit(f"load goes to {LOOPBACK} only, not to {endpoint.url}")
    https = [Http(endpoint) for _ in range(work["clients"])]
    for requests in _rounds(work["warm_up"], len(https)):
        send(https[: len(requests)], requests)
    seconds, answers = send(https, work["requests"])
    for http in https:
        http.close()
    json.dump({"seconds": seconds, "answers": answers}, sys.stdout)


def send(https: list[Http], requests: list[dict[str, Any]]) -> tuple[float, list[dict[str, Any]]]:
    """Every request once, as soon as one of the clients is free: seconds in all, and the answers in order."""
    waiting = deque(enumerate(requests))
    answers: dict[int, dict[str, Any]] = {}
    failures: list[Exception] = []
    together = threading.Barrier(len(https) + 1)

    def client(http: Http) -> None:
        together.wait()
        while not failures:
            try:
                place, request = waiting.popleft()
            except IndexError:
                return
            try:
                answers[place] = _one(http, **request)
            except Exception as problem:
                failures.append(problem)

    threads = [threading.Thread(target=client, args=(http,), daemon=True) for http in https]
    for thread in threads:
        thread.start()
    together.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    if failures:
        raise SystemExit(f"a request was not answered: {failures[0]}")
    return seconds, [answers[place] for place in range(len(requests))]


def _one(http: Http, method: str, url: str, json: Any, bearer: str | None) -> dict[str, Any]:
    started = time.perf_counter()
    answer = http.request(method, url, json=json, bearer=bearer)
    seconds = time.perf_counter() - started
    return {
        "status": answer.status,
        "location": answer.headers.get("location"),
        "body": answer.text,
        "seconds": seconds,
    }


def _rounds(requests: list[dict[str, Any]], most: int) -> list[list[dict[str, Any]]]:
    """Four at once, then eight, and so on up to `most`: what starts for each of them starts a few at a time.

    The last round has one request for every client, which leaves each with its connection.
    """
    if not requests:
        return []
    sizes = [*range(4, most, 4), most]
    return [[requests[n % len(requests)] for n in range(size)] for size in sizes]


if __name__ == "__main__":
    main()
