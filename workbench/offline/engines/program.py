"""Long-running programs: what runs on EC2 instances, in ECS tasks and in Kubernetes pods, as local processes.

A program gets the environment that the template gives it, with one substitution: `PORT` is a free port of
this machine and `HOST` is loopback, because all programs share one network here. `address_of` says where the
private IP of an instance, task or pod really answers; load balancers and services go by it.

What a program finds around it is what it finds on AWS: the AWS API at `AWS_ENDPOINT_URL` under temporary
credentials of its role (IAM is enforced under `assumed-role/<role>/<name>`), the endpoints of APIs by their AWS
names (Python programs only: `inside/aws_names.py`), and the metadata service, which alone tells it its zone: on
instances and nodes IMDSv2 at `AWS_EC2_METADATA_SERVICE_ENDPOINT` (169.254.169.254 on AWS), in ECS tasks the task
metadata endpoint version 4 at `ECS_CONTAINER_METADATA_URI_V4`. Two things differ: credentials are in the environment
rather than fetched from there, and they do not expire.

A program that dies is started again after 0.1 s, then twice as long each time and at most 10 s, until it has
run for 10 s: as Docker's restart policy does ("Start containers automatically", Docker manuals).
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Literal

from workbench.errors import Misuse
from workbench.offline.engines import LOST_ZONES, RUNNING, free_port
from workbench.offline.engines.listeners import HttpListener
from workbench.offline.identity import session_of
from workbench.offline.images import Image
from workbench.offline.surroundings import LOOPBACK, surroundings

Host = Literal["instance", "task"]  # which metadata service a program finds

ANSWERS_WITHIN = 20.0
GRACE_SECONDS = 3.0
FIRST_PAUSE, LONGEST_PAUSE, STEADY_AFTER = 0.1, 10.0, 10.0
RUN_FIRST = Path(__file__).parent.parent / "inside"  # by Python programs: it leads their PYTHONPATH
RESERVED_ADDRESSES = 4  # of each subnet AWS keeps the first four, and the last
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "PYTHONDONTWRITEBYTECODE")

_programs: dict[str, Program] = {}  # by private IP, unique over all networks of this machine
PLACING = threading.RLock()  # held from looking for a free address until a program has it


def address_of(private_ip: str) -> tuple[str, int] | None:
    """Where what has `private_ip` really answers: host and port; None when no program has that address."""
    program = _programs.get(private_ip)
    return (LOOPBACK, program.port) if program is not None else None


def free_ip(cidr: str, taken: Collection[str] = ()) -> str:
    """An address of the subnet `cidr` that is not `taken` and no program has; for a caller that holds `PLACING`.

    Raises `ValueError` when it is full.
    """
    network = ipaddress.ip_network(cidr)
    for number in range(RESERVED_ADDRESSES, network.num_addresses - 1):
        if (address := str(network[number])) not in _programs and address not in taken:
            return address
    raise ValueError(f"the subnet {cidr} has no address left")


def is_lost(zone: str) -> bool:
    """Whether a fault has taken the zone away: nothing starts there."""
    return zone in LOST_ZONES


class Program:
    """A program on this machine; an `Engine`. `Program(…).launch()` starts `image` and returns at once.

    From then on it is in `RUNNING` under `program/<name>`, until `close`. `name` is the instance, task or pod, and
    the name of its role's session; without `role_arn` it has no credentials. `private_ip` must be free (`free_ip`).
    `restarts` False leaves it to the caller to look after a program that died. In a zone that is lost, it starts
    when the zone is back. Raises `ValueError` when name or address are taken.
    """

    kind = "program"

    def __init__(
        self,
        image: Image,
        environment: Mapping[str, str],
        *,
        name: str,
        role_arn: str | None,
        zone: str,
        private_ip: str,
        host: Host = "instance",
        restarts: bool = True,
    ) -> None:
        key = f"{self.kind}/{name}"
        if key in RUNNING or private_ip in _programs:
            raise ValueError(f"a program called {name} or one with the address {private_ip} runs already")
        self.image, self.name, self.zone, self.private_ip = image, name, zone, private_ip
        self.pids: list[int] = []
        self.port = free_port()
        self.log_file = surroundings().folder / "programs" / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.log"
        self._given = dict(environment)
        self._restarts = restarts
        self._credentials = session_of(role_arn, name) if role_arn else {}
        self._metadata = _Metadata(self, host)
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = threading.Event()
        self._lost = is_lost(zone)
        self._closed = False
        RUNNING[key] = _programs[private_ip] = self

    @property
    def listens(self) -> bool:
        """Whether it serves anything: its image exposes a port, or it is told one."""
        return self.image.port is not None or "PORT" in self._given

    @property
    def running(self) -> bool:
        """Whether its process lives at this moment."""
        process = self._process
        return process is not None and process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How its latest process ended; None while it lives or before it was started."""
        return self._process.poll() if self._process is not None else None

    def launch(self) -> Program:
        """Start it without waiting, where its zone is lost once that is back. One that runs or is closed stays so.

        Raises `Misuse` when it cannot be executed.
        """
        with self._lock:
            if not self._closed:
                self._wanted.set()
                if not self._lost and not self.running:
                    self._spawn(FIRST_PAUSE)
        return self

    def start(self) -> None:
        """Start it and return when it answers; at once if it serves nothing, is closed, or its zone is lost.

        Raises `TimeoutError` when it does not answer.
        """
        self.launch()
        until = time.monotonic() + ANSWERS_WITHIN
        while self.listens and self._wanted.is_set() and not self._lost and not self._answers():
            if not self._restarts and not self.running:
                return
            if time.monotonic() >= until:
                raise TimeoutError(
                    f"the program {self.name} did not answer on port {self.port} within"
                    f" {ANSWERS_WITHIN:.0f} s; its log is {self.log_file}"
                )
            time.sleep(0.02)

    def output(self) -> Iterator[bytes]:
        """What it writes, as it does, until it has ended for good."""
        with open(self.log_file, "rb") as file:
            while True:
                ended = self._closed or not (self._restarts or self.running)
                if chunk := file.read():
                    yield chunk
                elif ended:
                    return
                else:
                    time.sleep(0.1)

    def stop(self) -> None:
        """Kill it; it stays down until `start`."""
        with self._lock:
            self._wanted.clear()
            self._kill()

    def close(self) -> None:
        """End it for good, as `docker stop` does: it is told, and killed when it takes too long."""
        with self._lock:
            self._closed = True
            self._wanted.clear()
            process = self._process
        children: list[int] = []
        if process is not None and process.poll() is None:
            children = _with_descendants(process.pid)[1:]  # once it has ended, nobody knows whose they were
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
        with self._lock:
            self._kill()
            _kill_all(children)
            self._metadata.close()
            RUNNING.pop(f"{self.kind}/{self.name}", None)
            _programs.pop(self.private_ip, None)

    def lose_zone(self, zone: str) -> list[str]:
        with self._lock:
            if zone != self.zone or self._lost:
                return []
            self._lost = True
            self._kill()
            return [self.name]

    def restore_zone(self, zone: str) -> list[str]:
        with self._lock:
            if zone != self.zone or not self._lost:
                return []
            self._lost = False
        if not self._restarts or not self._wanted.is_set():
            return []  # whoever looks after it has replaced it elsewhere, or it was stopped by itself
        self.launch()
        return [self.name]

    def _spawn(self, next_pause: float) -> None:
        self.port = free_port()
        self.log_file.parent.mkdir(exist_ok=True)
        command = self.image.command
        try:
            with open(self.log_file, "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    cwd=self.image.folder,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        except OSError as problem:
            self.close()
            raise Misuse(f"{command[0]} of {self.image.folder} cannot be run: {problem.strerror}") from None
        self.pids = [self._process.pid]
        arguments = (self._process, time.monotonic(), next_pause)
        threading.Thread(target=self._look_after, args=arguments, daemon=True, name=self.name).start()

    def _look_after(self, process: subprocess.Popen[bytes], since: float, pause: float) -> None:
        """Start it again when this process of it dies, unless somebody else looks after that."""
        process.wait()
        with self._lock:
            if self._process is process:
                self.pids = []
        if not self._restarts:
            return
        if time.monotonic() - since >= STEADY_AFTER:
            pause = FIRST_PAUSE
        time.sleep(pause)
        with self._lock:
            if self._wanted.is_set() and not self._lost and self._process is process:
                self._spawn(min(pause * 2, LONGEST_PAUSE))

    def _kill(self) -> None:
        if self._process is None or not self.running:  # one that was waited for has given its number away
            return
        _kill_all(_with_descendants(self._process.pid))
        self._process.wait()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((LOOPBACK, self.port)) == 0

    def _environment(self) -> dict[str, str]:
        here = surroundings()
        region = self.zone[:-1]
        ours = {
            "PYTHONUNBUFFERED": "1",  # what it says is in its log at once
            "HOST": LOOPBACK,
            "AWS_ENDPOINT_URL": here.url,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CA_BUNDLE": str(here.ca_bundle),
            "NODE_EXTRA_CA_CERTS": str(here.ca_bundle),
            "SSL_CERT_FILE": str(here.ca_bundle),
        }
        if self.listens:
            ours["PORT"] = str(self.port)
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        theirs = inherited | dict(self.image.environment) | self._given
        searched = [str(RUN_FIRST), theirs.get("PYTHONPATH", "")]
        ours["PYTHONPATH"] = os.pathsep.join(filter(None, searched))
        return theirs | ours | self._credentials | self._metadata.environment


def _with_descendants(pid: int) -> list[int]:
    """The process and all that it has started, parents first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in brackets may hold anything; after it come the state and the parent's id.
            parent = int(entry.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, []))
    return found


def _kill_all(pids: list[int]) -> None:
    """Kill them, children first."""
    for pid in reversed(pids):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class _Metadata:
    """The metadata service of one program: IMDSv2 on an instance, the task metadata endpoint in a task.

    "Use the Instance Metadata Service to access instance metadata" (EC2 User Guide): a session token by PUT,
    then GET with the token; without one the answer is 401. "Amazon ECS task metadata endpoint version 4"
    (ECS Developer Guide): plain GET.
    """

    def __init__(self, program: Program, host: Host) -> None:
        zone, name = program.zone, program.name
        self.tokens: set[str] = set()
        self.leaves = {
            "/latest/meta-data/placement/availability-zone": zone,
            "/latest/meta-data/placement/region": zone[:-1],
            "/latest/meta-data/instance-id": name,
            "/latest/meta-data/local-ipv4": program.private_ip,
        }
        task = {"AvailabilityZone": zone, "KnownStatus": "RUNNING"}
        network = {"NetworkMode": "awsvpc", "IPv4Addresses": [program.private_ip]}
        container = {"Name": name, "KnownStatus": "RUNNING", "Networks": [network]}
        self.documents = {
            "/v4": json.dumps(container),
            "/v4/task": json.dumps(task | {"Containers": [container]}),
        }
        self._listener = HttpListener(_answering(self), name=f"{name}-metadata")
        self._listener.open()
        url = f"http://{LOOPBACK}:{self._listener.port}"
        self.environment = (
            {"AWS_EC2_METADATA_SERVICE_ENDPOINT": url}
            if host == "instance"
            else {"ECS_CONTAINER_METADATA_URI_V4": f"{url}/v4"}
        )
        self.close = self._listener.close


def _answering(metadata: _Metadata) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            if self.path == "/latest/api/token":
                token = secrets.token_urlsafe(32)
                metadata.tokens.add(token)
                self._answer(200, token)
            else:
                self._answer(404, "")

        def do_GET(self) -> None:
            if self.path in metadata.documents:
                self._answer(200, metadata.documents[self.path])
            elif self.headers.get("X-aws-ec2-metadata-token") not in metadata.tokens:
                self._answer(401, "Unauthorized")
            elif self.path in metadata.leaves:
                self._answer(200, metadata.leaves[self.path])
            else:
                self._answer(404, "")

        def _answer(self, status: int, text: str) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing: it is no news that a program asks."""

    return Answering
