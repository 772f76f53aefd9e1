"""A blueprint deployed on an offline AWS of its own, and requests to it from a process of their own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.fresh import Bench
from bench.memory import resident_mb
from workbench import catalogue
from workbench.assembly import DEFAULT_REGION, Assembly, Stack
from workbench.dryrun import deploy
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http
from workbench.dryrun.localise import localise
from workbench.dryrun.synthesis import assembly_for
from workbench.dryrun.world import World


@dataclass(frozen=True)
class Request:
    """One HTTP request; `json` is its body."""

    method: str
    url: str
    json: Any = None
    bearer: str | None = None


@dataclass(frozen=True)
class Answer:
    """One answer: its status, its `Location`, its body where it has one, and how long it took in seconds."""

    status: int
    location: str | None
    body: str
    seconds: float


@dataclass(frozen=True)
class Batch:
    """What a number of requests came to: the answers in their order, and the seconds from first to last."""

    answers: list[Answer]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.answers) / self.seconds

    @property
    def latencies_ms(self) -> list[float]:
        return [answer.seconds * 1000 for answer in self.answers]


@dataclass
class Offline:
    """A deployed blueprint.

    `ready_seconds` is the offline AWS's start, `deploy_seconds` all of the deployment, and `idle_mb` the memory
    of its process between them, None where it cannot be asked.
    """

    bench: Bench
    emulator: Emulator
    world: World
    outputs: dict[str, str]
    ready_seconds: float
    deploy_seconds: float
    idle_mb: float | None
    assembly: Assembly
    _standing: list[deploy.Deployed] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """A client of `service`, of the account's owner."""
        return self.world.client(service)

    def send(self, requests: Sequence[Request], clients: int, *, warm_up: Sequence[Request] = ()) -> Batch:
        """Send `requests`, each once, from `clients` at a time, each with a connection of its own.

        Every one of them has its connection before the clock runs. `warm_up` is sent before that.
        """
        work = {
            "url": self.emulator.endpoint.url,
            "ca_bundle": self.emulator.endpoint.ca_bundle,
            "clients": clients,
            "requests": [vars(request) for request in requests],
            "warm_up": [vars(request) for request in warm_up],
        }
        done = json.loads(self.bench.python("-m", "bench.client", given=json.dumps(work)).output)
        return Batch([Answer(**answer) for answer in done["answers"]], done["seconds"])

    def add(self, name: str, template: dict[str, Any]) -> dict[str, str]:
        """Deploy a stack besides, and return its outputs."""
        stack = Stack(name, name, DEFAULT_REGION, template, Path(f"{name}.template.json"), ())
        deploy.create(stack, template, lambda service, _: self.client(service), self._standing)
        return self._standing[-1].outputs


def synthesized(name: str, scratch: Path) -> Assembly:
    """The blueprint `name` as whoever asks for nothing gets it."""
    folder = assembly_for(catalogue.find(name), catalogue.DEFAULT_USERS, catalogue.DEFAULT_STAGE, scratch)
    return Assembly.load(folder)


@contextmanager
def offline(bench: Bench, name: str) -> Iterator[Offline]:
    """The blueprint `name`, deployed; the offline AWS is gone after the `with`."""
    folder = bench.scratch / f"aws-{time.monotonic_ns()}"
    folder.mkdir()
    assembly = synthesized(name, folder)
    started = time.perf_counter()
    with Emulator(folder) as emulator:
        emulator.wait_until_ready()
        ready = time.perf_counter()
        idle_mb = resident_mb(emulator.pid)

        @lru_cache
        def client(service: str, region: str = DEFAULT_REGION) -> Any:
            return emulator.endpoint.client(service, region)

        standing: list[deploy.Deployed] = []
        for region in sorted({stack.region for stack in assembly.stacks}):
            assets = [asset for stack in assembly.stacks for asset in stack.assets]
            deploy.prepare(assets, client, region, ExitStack())  # it goes with the offline AWS
        for stack in assembly.stacks:
            template = localise(stack, emulator.known_types()).template
            deploy.create(stack, template, client, standing)
        deployed = time.perf_counter()
        outputs = {key: value for stack in standing for key, value in stack.outputs.items()}
        http = Http(emulator.endpoint)
        try:
            yield Offline(
                bench=bench,
                emulator=emulator,
                world=World(outputs, client, http),
                outputs=outputs,
                ready_seconds=ready - started,
                deploy_seconds=deployed - ready,
                idle_mb=idle_mb,
                assembly=assembly,
            )
        finally:
            http.close()
