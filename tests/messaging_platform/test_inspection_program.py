"""The inspection as Kubernetes runs it: a process with its probes, told to end by a signal."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from lambdas.messaging_platform.settings import InspectSettings
from services.messaging_platform.health import serve
from tests.conftest import ROOT

pytestmark = pytest.mark.fast

BOUND_S = 20.0


def ask(port: int, path: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=BOUND_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_health_is_of_the_process_and_readiness_what_the_program_says() -> None:
    well = [True]
    with serve(0, lambda: well[0], "127.0.0.1") as server:
        assert ask(server.port, "/health") == (200, {"status": "serving"})
        assert ask(server.port, "/ready") == (200, {"ready": True})
        well[0] = False
        assert ask(server.port, "/ready") == (503, {"ready": False})
        assert ask(server.port, "/health?from=kubelet")[0] == 200
        assert ask(server.port, "/else")[0] == 404
    with pytest.raises(ConnectionError):
        ask(server.port, "/health")


def test_a_program_that_cannot_say_whether_it_is_ready_is_not() -> None:
    def broken() -> bool:
        raise KeyError

    with serve(0, broken, "127.0.0.1") as server:
        assert ask(server.port, "/ready") == (503, {"ready": False})


def test_a_probe_that_hangs_holds_up_no_other() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> bool:
        asked.set()
        return go_on.wait(BOUND_S)

    with serve(0, slow, "127.0.0.1") as server:
        answers: list[Any] = []
        probe = threading.Thread(target=lambda: answers.append(ask(server.port, "/ready")))
        probe.start()
        assert asked.wait(BOUND_S)
        assert ask(server.port, "/health")[0] == 200
        go_on.set()
        probe.join(BOUND_S)
    assert answers == [(200, {"ready": True})]


NAME = "services.messaging_platform.inspection"
TOLD_WHILE_IT_WAITS = f"""
import runpy, signal, sys, threading

wait = threading.Condition.wait

def told(self, timeout=None):
    by = sys._getframe(2).f_code.co_filename
    if threading.current_thread() is threading.main_thread() and by.endswith("inspection/program.py"):
        signal.raise_signal(signal.SIGTERM)
    return wait(self, timeout)

threading.Condition.wait = told
runpy.run_module("{NAME}", run_name="__main__")
"""


@pytest.mark.parametrize("started_by", [["-m", NAME], ["-c", TOLD_WHILE_IT_WAITS]], ids=["as it is", "told"])
def test_the_process_serves_its_probes_and_ends_when_it_is_told_to(
    started_by: list[str], tmp_path: Path
) -> None:
    """Its queue never answers: it is healthy, never ready, and ends all the same.

    Also where the signal comes while its main thread is within what the signal is to set, if it ever is.
    """
    port, closed = free_port(), free_port()
    settings = InspectSettings("media", f"http://127.0.0.1:{closed}/queue", "uploads", "published")
    environment = os.environ | settings.as_environment()
    environment |= {
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{closed}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    command = [sys.executable, *started_by]
    log = tmp_path / "log"
    with log.open("w") as out:
        program = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: ask(port, "/health") == (200, {"status": "serving"}))
        assert ask(port, "/ready")[0] == 503
        eventually(lambda: "the queue does not answer" in log.read_text())
        program.send_signal(signal.SIGTERM)
        assert program.wait(BOUND_S) == 0
    finally:
        program.kill()
        program.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [lines[0]["message"], lines[-1]["message"]] == ["started", "ended"]
    assert {line["service"] for line in lines} == {"inspection"}


def eventually(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + BOUND_S
    while True:
        try:
            if holds():
                return
        except ConnectionError:
            pass
        assert time.monotonic() < give_up_at
        threading.Event().wait(0.02)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
