"""Forked workers are as fresh interpreters: their own streams, folder and environment, and they die alone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.offline.forkserver import Forked, ForkServer


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    running = ForkServer()
    yield running
    running.close()


def _script(folder: Path, body: str) -> str:
    file = folder / "_worker.py"
    file.write_text(body)
    return str(file)


def _start(server: ForkServer, folder: Path, body: str, **environment: str) -> Forked:
    return server.popen(_script(folder, body), str(folder), environment)


def test_a_worker_has_its_own_streams_folder_and_environment(server: ForkServer, tmp_path: Path) -> None:
    body = (
        "import os, sys\n"
        "line = sys.stdin.readline()\n"
        "print(line.strip(), os.getcwd(), sorted(os.environ), os.environ['ONLY'], sys.path[0], __name__)\n"
        "print('a log line', file=sys.stderr)\n"
    )
    with _start(server, tmp_path, body, ONLY="this") as worker:
        worker.stdin.write("hello\n")
        worker.stdin.flush()
        assert worker.stdout.read() == f"hello {tmp_path} ['ONLY'] this {tmp_path} __main__\n"
        assert worker.stderr.read() == "a log line\n"
        assert worker.wait(timeout=5) == -1


def test_workers_share_nothing_that_they_change(server: ForkServer, tmp_path: Path) -> None:
    body = "import sys, json\nprint(hasattr(json, 'mine'))\njson.mine = 1\n"
    for _ in range(2):
        with _start(server, tmp_path, body) as worker:
            assert worker.stdout.read() == "False\n"


def test_a_worker_that_fails_says_why_and_the_next_one_starts(server: ForkServer, tmp_path: Path) -> None:
    with _start(server, tmp_path, "raise RuntimeError('no')\n") as failing:
        assert "RuntimeError: no" in failing.stderr.read()
    with _start(server, tmp_path, "print('yes')\n") as worker:
        assert worker.stdout.read() == "yes\n"


def test_a_worker_can_be_ended(server: ForkServer, tmp_path: Path) -> None:
    with _start(server, tmp_path, "import time\nprint('up', flush=True)\ntime.sleep(60)\n") as worker:
        assert worker.stdout.readline() == "up\n"
        assert worker.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            worker.wait(timeout=0.05)
        worker.terminate()
        worker.wait(timeout=5)
        worker.kill()  # again is nothing


def test_the_server_ends_with_its_other_end(tmp_path: Path) -> None:
    running = ForkServer()
    with _start(running, tmp_path, "print('up')\n") as worker:
        assert worker.stdout.read() == "up\n"
    running.close()
    with pytest.raises(ProcessLookupError):
        os.kill(running.process.pid, signal.SIGCONT)
