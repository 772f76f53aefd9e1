"""A program for the tests: it says who and where it is, calls AWS under its role, and can die or fall ill."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3

ILL = False


def zone() -> str:
    """The availability zone, from the metadata service of an instance or of a task."""
    if task := os.environ.get("ECS_CONTAINER_METADATA_URI_V4"):
        return str(json.loads(_fetch(f"{task}/task"))["AvailabilityZone"])
    service = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = _fetch(f"{service}/latest/api/token", "PUT", ttl)
    place = f"{service}/latest/meta-data/placement/availability-zone"
    return _fetch(place, "GET", {"X-aws-ec2-metadata-token": token})


def client(service: str) -> Any:
    """A client with what the environment says: endpoint, region, credentials."""
    make: Any = boto3.Session().client
    return make(service)


def calls() -> dict[str, str]:
    """What becomes of two calls: one that the role allows, and one that it does not."""
    outcomes = {"identity": client("sts").get_caller_identity()["Arn"]}
    tables = client("dynamodb")
    table, item = os.environ["TABLE"], {"id": {"S": "1"}}
    attempts: dict[str, Callable[[], object]] = {
        "put": lambda: tables.put_item(TableName=table, Item=item),
        "scan": lambda: tables.scan(TableName=table),
    }
    for outcome, attempt in attempts.items():
        try:
            attempt()
            outcomes[outcome] = "allowed"
        except tables.exceptions.ClientError as error:
            outcomes[outcome] = error.response["Error"]["Code"]
    return outcomes


def _fetch(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> str:
    request = urllib.request.Request(url, method=method, headers=headers or {})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return str(answer.read().decode())


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        global ILL
        if self.path == "/health":
            self._answer(500 if ILL else 200, {})
        elif self.path == "/die":
            os._exit(3)
        elif self.path == "/fall-ill":
            ILL = True
            self._answer(200, {})
        elif self.path == "/calls":
            self._answer(200, calls())
        else:
            told = {name: os.environ.get(name) for name in ("GREETING", "STYLE", "COLOUR", "PASSWORD")}
            self._answer(200, {"zone": zone(), "pid": os.getpid(), "path": self.path} | told)

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    if "CALLS_FIRST" in os.environ:
        client("sts").get_caller_identity()
    sys.stdout.write("listening\n")
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
