"""Forks worker processes that have the libraries of every handler loaded already.

MiniStack starts an interpreter for each concurrent invocation of a function, and each would import the SDK,
Powertools and pydantic for half a second. This process imports them once, and forks. It runs as
`python -m workbench.offline.forkserver FD`, where FD is its end of a socket pair; `ForkServer` is the other end,
inside the offline AWS. It ends when that end is closed.

A request is a line of JSON (script, folder, environment) with three file descriptors: the worker's standard
streams. The answer is the worker's process id. An environment with `SHIFT_VARIABLE` gives the worker another
clock (`clock.py`), and loses that variable; one with `AWS_ENDPOINT_URL` lets it reach APIs by their AWS names
(`inside/aws_names.py`).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from workbench.offline.clock import SHIFT_VARIABLE, shift
from workbench.offline.inside.aws_names import reach_apis

PRELOADED = (
    "botocore.session",
    "botocore.config",
    "botocore.httpsession",
    "botocore.retries.standard",
    "botocore.signers",
    "aws_lambda_powertools.event_handler.api_gateway",
    "aws_lambda_powertools.event_handler.openapi.params",
    "aws_lambda_powertools.event_handler.openapi.models",
    "aws_lambda_powertools.event_handler.openapi.dependant",
    "aws_lambda_powertools.event_handler.middlewares.openapi_validation",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.batch",
    "pydantic",
    "secrets",
)
LARGEST_REQUEST = 1 << 20


class ForkServer:
    """The near end: `popen(script, folder, environment)` is a worker, as `subprocess.Popen` would give it."""

    def __init__(self) -> None:
        near, far = socket.socketpair()
        self._near = near
        self._lock = threading.Lock()
        with far:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "workbench.offline.forkserver", str(far.fileno())],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """Let the far end go; the workers that it started live on until their own streams close."""
        self._near.close()
        self.process.wait(timeout=10)

    def popen(self, script: str, folder: str, environment: Mapping[str, str]) -> Forked:
        """Start `script` in `folder` with exactly `environment`, its streams connected to us."""
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        ours_err, theirs_err = os.pipe()
        request = json.dumps({"script": script, "folder": folder, "environment": dict(environment)}).encode()
        with self._lock:
            head = len(request).to_bytes(4, "big")
            socket.send_fds(self._near, [head], [theirs_in, theirs_out, theirs_err])
            self._near.sendall(request)
            pid = int.from_bytes(_exactly(self._near, 4), "big")
        for descriptor in (theirs_in, theirs_out, theirs_err):
            os.close(descriptor)
        return Forked(pid, os.fdopen(ours_in, "w", 1), os.fdopen(ours_out), os.fdopen(ours_err))


class Forked:
    """A worker, with as much of `subprocess.Popen` as MiniStack uses. Its exit code is not known here."""

    def __init__(self, pid: int, stdin: IO[str], stdout: IO[str], stderr: IO[str]) -> None:
        self.pid = pid
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it lives; afterwards -1."""
        if self.returncode is None:
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                self.returncode = -1
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended. Raises `subprocess.TimeoutExpired`."""
        until = None if timeout is None else time.monotonic() + timeout
        while (ended := self.poll()) is None:
            if until is not None and time.monotonic() >= until:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.005)
        return ended

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()
        self.wait()

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def serve(connection: socket.socket) -> None:
    """Answer requests until the other end closes."""
    for name in PRELOADED:
        with contextlib.suppress(ImportError):  # a system may do without
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # what is loaded stays shared between the workers
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a worker ended
    while True:
        head, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
        if not head:
            return
        request = json.loads(_exactly(connection, int.from_bytes(head, "big")))
        pid = os.fork()
        if pid == 0:
            _become(connection, descriptors, request)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(pid.to_bytes(4, "big"))


def _become(connection: socket.socket, descriptors: list[int], request: dict[str, Any]) -> NoReturn:
    """The forked child: a fresh worker, as if the interpreter had been started on the script."""
    code = 1
    try:
        connection.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for stream, descriptor in enumerate(descriptors):
            os.dup2(descriptor, stream)
            os.close(descriptor)
        sys.stdin = os.fdopen(0, "r", closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        sys.stderr = os.fdopen(2, "w", 1, closefd=False)
        os.environ.clear()
        os.environ.update(request["environment"])
        if seconds := os.environ.pop(SHIFT_VARIABLE, ""):
            shift(float(seconds))
        reach_apis(os.environ)
        os.chdir(request["folder"])
        script = request["script"]
        sys.argv = [script]
        sys.path[0] = os.path.dirname(script)
        with open(script) as source:
            program = compile(source.read(), script, "exec")
        exec(program, {"__name__": "__main__", "__file__": script})  # noqa: S102 (MiniStack's own script)
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _exactly(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = connection.recv(min(count - len(received), LARGEST_REQUEST))
        if not part:
            raise ConnectionError("the other end is gone")
        received += part
    return received


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
