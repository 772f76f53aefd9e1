"""moto's server: a second emulator, for the services that MiniStack lacks. One process, on loopback.

It starts with the first request for such a service, and ends with the process group of the offline AWS. What it holds
is in its memory alone, and it knows nothing of what MiniStack holds.
"""

from __future__ import annotations

import http.client
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import Misuse
from workbench.offline.engines import free_port
from workbench.offline.surroundings import LOOPBACK, surroundings

READY_WITHIN = 30.0  # seconds
ANSWERS_WITHIN = 60.0
NOT_INSTALLED = "moto is not installed: run `make setup-dev`"
_OF_THE_CONNECTION = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
)
_starting = threading.Lock()
_running: tuple[subprocess.Popen[bytes], int] | None = None


@dataclass(frozen=True)
class Response:
    """What it answered; of the headers, those that belong to the answer and not to the connection."""

    status: int
    headers: dict[str, str]
    body: bytes


def is_installed() -> bool:
    """Whether there is a moto with its server here."""
    return all(importlib.util.find_spec(name) is not None for name in ("moto", "flask"))


def log_file() -> Path:
    """What its server writes, and the traces of what went wrong in it."""
    return surroundings().folder / "moto.log"


def url() -> str:
    """Where it answers; it is started when it does not run.

    Raises `Misuse` where it is not installed, `TimeoutError` when it does not come up.
    """
    return f"http://{LOOPBACK}:{_port()}"


def ask(method: str, target: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Have it answer a request, unchanged; `target` is the path with its query, as it came.

    Raises `Misuse` where it is not installed, `TimeoutError` and `OSError` when it does not answer.
    """
    connection = http.client.HTTPConnection(LOOPBACK, _port(), timeout=ANSWERS_WITHIN)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in _of_the_message(headers.items()).items():
            connection.putheader(name, value.encode())
        connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    return Response(answer.status, _of_the_message(answer.getheaders()), content)


def _of_the_message(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in _OF_THE_CONNECTION}


def _port() -> int:
    global _running
    with _starting:
        if _running is None or _running[0].poll() is not None:
            _running = _start()
        return _running[1]


def _start() -> tuple[subprocess.Popen[bytes], int]:
    if not is_installed():
        raise Misuse(NOT_INSTALLED)
    port = free_port()
    with open(log_file(), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", LOOPBACK, "-p", str(port)],
            cwd=surroundings().folder,
            env=os.environ | {"MOTO_PORT": str(port)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    until = time.monotonic() + READY_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as attempt:
            attempt.settimeout(1.0)
            if attempt.connect_ex((LOOPBACK, port)) == 0:
                return process, port
        time.sleep(0.02)
    process.kill()
    raise TimeoutError(f"moto's server did not answer within {READY_WITHIN:.0f} s; its log is {log_file()}")
