"""What a kubelet does, for the pods of an offline cluster: each is one local program, probed and restarted.

Sources: "Pod Lifecycle", "Liveness, Readiness and Startup Probes", "Container Lifecycle Hooks" and "Define
Environment Variables for a Container", Kubernetes documentation. Times pass ten times as fast: the intervals
and delays of probes, the back-off between restarts, and the sleep of a `preStop` hook. A program itself starts no
faster here than there: its probes begin when its port is open, or it was given `STARTS_WITHIN`.

A pod's first container is what runs. Other containers, init containers, volumes, resources, security contexts
and probes by `exec` or `grpc` have no effect; `unheeded` names those that a pod has. For an `emptyDir` it has the
folders of this machine.
"""

from __future__ import annotations

import base64
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from workbench.errors import Misuse
from workbench.offline import images
from workbench.offline.engines import program
from workbench.offline.engines.kubernetes_kinds import Kind
from workbench.offline.engines.kubernetes_nodes import Node
from workbench.offline.engines.kubernetes_objects import Object, Objects, now

SPEED = 10.0  # how much faster than on AWS
SHORTEST_PERIOD = 0.2
FIRST_BACKOFF, LONGEST_BACKOFF, STEADY_AFTER = 10.0 / SPEED, 300.0 / SPEED, 600.0 / SPEED
STARTS_WITHIN = 30.0
_TICK = 0.05
_LONGEST_PRE_STOP = 3.0

_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
POD, SERVICE, CONFIG_MAP, SECRET = (
    Kind("", "v1", name) for name in ("Pod", "Service", "ConfigMap", "Secret")
)


class NotYet(Exception):
    """A pod cannot start at this moment; `reason` is what its container waits with."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Pod:
    """A pod on its node, from `run` until `end`; `changed` is called whenever its status may have."""

    def __init__(
        self, pod: Object, node: Node, objects: Objects, role_arn: str | None, changed: Callable[[], None]
    ) -> None:
        self.namespace, self.name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        self.spec, self.labels = pod["spec"], pod["metadata"].get("labels", {})
        self.owner = owner_of(pod)
        self.container = self.spec["containers"][0]
        self.node = node
        self.ip: str | None = None
        self.lost_since: float | None = None  # when its zone went
        self.restarts = 0
        self.gates: dict[str, bool] = {
            each["conditionType"]: False for each in self.spec.get("readinessGates", [])
        }
        self._objects, self._role_arn, self._changed = objects, role_arn, changed
        self._program: program.Program | None = None
        self._waiting = NotYet("ContainerCreating", "")
        self._ready_since: float | None = None
        self._started_at = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True, name=f"pod-{self.name}")

    @property
    def contained(self) -> bool:
        """Whether its container is ready: it runs, and its readiness probe is content."""
        return self._ready_since is not None and self.lost_since is None and not self._ended.is_set()

    @property
    def ready(self) -> bool:
        """Whether it is ready as a whole: its readiness gates are open too."""
        return self.contained and all(self.gates.values())

    @property
    def pids(self) -> list[int]:
        """Its process, while it has one."""
        return list(self._program.pids) if self._program is not None and self._program.running else []

    def run(self) -> None:
        """Start it and look after it, in a thread of its own."""
        self._thread.start()

    def kill(self) -> None:
        """Kill its process, as running out of memory does; its container is started again."""
        if self._program is not None:
            self._program.stop()

    def lose(self) -> None:
        """Its node is gone, and it with it."""
        self.lost_since = time.monotonic()
        self.kill()

    def find_again(self) -> None:
        """Its node is back before it was replaced."""
        self.lost_since = None

    def end(self) -> None:
        """End it in its own time: the `preStop` hook, then SIGTERM, at last SIGKILL. Returns at once."""
        self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, its process with it, within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def status(self) -> Object:
        """The status of the pod's object."""
        running = self._program is not None and self._program.running
        state: Object = (
            {"running": {"startedAt": self._started_at}}
            if running
            else {"waiting": {"reason": self._waiting.reason, "message": str(self._waiting)}}
        )
        conditions = {
            "PodScheduled": True,
            "ContainersReady": self.contained,
            "Ready": self.ready,
            **self.gates,
        }
        status: Object = {
            "phase": "Unknown"
            if self.lost_since is not None
            else "Running"
            if self._started_at
            else "Pending",
            "hostIP": self.node.ip,
            "conditions": [{"type": name, "status": str(holds)} for name, holds in conditions.items()],
            "containerStatuses": [
                {
                    "name": self.container["name"],
                    "image": self.container["image"],
                    "imageID": "",
                    "ready": self.contained,
                    "started": running,
                    "restartCount": self.restarts,
                    "state": state,
                }
            ],
        }
        return status | ({"podIP": self.ip} if self.ip else {})

    def log(self) -> str:
        """What its container has written."""
        if self._program is None or not self._program.log_file.exists():
            return ""
        return self._program.log_file.read_text(errors="replace")

    def _look_after(self) -> None:
        while not self._ended.is_set() and not self._start():
            self._ended.wait(FIRST_BACKOFF)
        backoff = FIRST_BACKOFF
        while not self._ended.is_set():
            since = time.monotonic()
            self._serve()
            self._set_ready(False)
            if self._ended.is_set():
                break
            self._waiting = NotYet("CrashLoopBackOff", f"the container ended; its log is {self._log_file}")
            self._changed()
            if time.monotonic() - since >= STEADY_AFTER:
                backoff = FIRST_BACKOFF
            if self.restarts:  # the first restart is at once
                self._ended.wait(backoff)
                backoff = min(backoff * 2, LONGEST_BACKOFF)
            while self.lost_since is not None and not self._ended.wait(_TICK):
                pass
            if not self._ended.is_set():
                self.restarts += 1
                self._launch()
        self._close()

    @property
    def _log_file(self) -> str:
        return str(self._program.log_file) if self._program is not None else ""

    def _start(self) -> bool:
        """Make its program; False, with the reason in its status, when something for it is missing."""
        try:
            container = self.container
            image = images.program_of(container["image"])
            with program.PLACING:
                self.ip = program.free_ip(self.node.cidr)
                self._program = program.Program(
                    image.with_command(container.get("command"), container.get("args")),
                    environment(self._objects, self),
                    name=self.name,
                    role_arn=self._role_arn,
                    zone=self.node.zone,
                    private_ip=self.ip,
                    restarts=False,
                ).launch()
        except NotYet as reason:
            self._waiting = reason
        except Misuse as problem:
            self._waiting = NotYet("ErrImagePull", str(problem))
        except ValueError as problem:  # the subnet is full
            self._waiting = NotYet("ContainerCreating", str(problem))
        if self._program is None:
            self.ip = None
        self._started_at = now() if self._program is not None else ""
        self._changed()
        return self._program is not None

    def _launch(self) -> None:
        if self._program is not None:
            with suppress(Misuse):
                self._program.launch()
            self._started_at = now()
            self._changed()

    def _serve(self) -> None:
        """Probe the running program until it ends, is ended, or fails its liveness probe."""
        assert self._program is not None
        startup, readiness, liveness = (
            Probe(self.container[name]) if name in self.container else None for name in _PROBES
        )
        started = time.monotonic()
        has_begun = not any(each and each.connects for each in (startup, readiness, liveness))
        while self._program.running and not self._ended.wait(_TICK):
            address = program.address_of(self._program.private_ip)
            passed = time.monotonic() - started
            if address is None:
                continue
            has_begun = has_begun or passed >= STARTS_WITHIN or _listens(address)
            if not has_begun:
                continue
            if startup is not None and startup.content is not True:
                startup.look(address, passed)
                if startup.content is False:
                    self._program.stop()
                continue
            if readiness is not None:
                readiness.look(address, passed)
            if liveness is not None:
                liveness.look(address, passed)
                if liveness.content is False:
                    self._program.stop()
            self._set_ready(readiness is None or readiness.content is True)

    def _set_ready(self, ready: bool) -> None:
        if ready != (self._ready_since is not None):
            self._ready_since = time.monotonic() if ready else None
            self._changed()

    def ready_for(self, seconds: float) -> bool:
        """Whether it is ready, and has been for so long."""
        since = self._ready_since
        return self.ready and since is not None and time.monotonic() - since >= seconds

    def _close(self) -> None:
        if self._program is None:
            return
        if self._program.running and self.lost_since is None:
            time.sleep(pre_stop_seconds(self.container))
        self._program.close()
        self._changed()


def owner_of(pod: Object) -> str | None:
    """The uid of the Deployment that a pod belongs to; None for one that was made by hand."""
    owners = pod["metadata"].get("ownerReferences", [])
    return str(owners[0]["uid"]) if owners else None


class Probe:
    """A probe with its thresholds; `content` is None until it has made up its mind."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        self._declared = declared
        self._period = max(declared.get("periodSeconds", 10) / SPEED, SHORTEST_PERIOD)
        self._next = declared.get("initialDelaySeconds", 0) / SPEED
        self._successes = self._failures = 0
        self.content: bool | None = None

    @property
    def connects(self) -> bool:
        """Whether it asks the container's port; others always succeed here."""
        return bool({"httpGet", "tcpSocket"} & self._declared.keys())

    def look(self, address: tuple[str, int], passed: float) -> None:
        """Probe when it is time; `passed` is how many seconds the container has run."""
        if passed < self._next:
            return
        self._next = passed + self._period
        if self._succeeds(address):
            self._successes, self._failures = self._successes + 1, 0
            if self._successes >= self._declared.get("successThreshold", 1):
                self.content = True
        else:
            self._successes, self._failures = 0, self._failures + 1
            if self._failures >= self._declared.get("failureThreshold", 3):
                self.content = False

    def _succeeds(self, address: tuple[str, int]) -> bool:
        timeout = float(self._declared.get("timeoutSeconds", 1))
        try:
            if "httpGet" in self._declared:
                return 200 <= _status_of(self._declared["httpGet"], address, timeout) < 400
            if "tcpSocket" in self._declared:
                socket.create_connection(address, timeout).close()
        except (OSError, http.client.HTTPException):
            return False
        return True


def _listens(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(address) == 0


def _status_of(http_get: Mapping[str, Any], address: tuple[str, int], timeout: float) -> int:
    secure = http_get.get("scheme") == "HTTPS"
    connection: http.client.HTTPConnection = (
        # A kubelet does not check the certificate of what it probes.
        http.client.HTTPSConnection(*address, timeout=timeout, context=ssl._create_unverified_context())  # noqa: S323
        if secure
        else http.client.HTTPConnection(*address, timeout=timeout)
    )
    headers = {each["name"]: each["value"] for each in http_get.get("httpHeaders", [])}
    try:
        connection.request("GET", http_get.get("path", "/"), headers={"User-Agent": "kube-probe", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


def environment(objects: Objects, pod: Pod) -> dict[str, str]:
    """The environment of a pod's container. Raises `NotYet` where a ConfigMap or a Secret is missing."""
    found: dict[str, str] = {}
    for source in pod.container.get("envFrom", []):
        for name, kind in (("configMapRef", CONFIG_MAP), ("secretRef", SECRET)):
            if reference := source.get(name):
                data = _data_of(objects, kind, pod.namespace, reference) or {}
                found |= {source.get("prefix", "") + key: value for key, value in data.items()}
    for each in pod.container.get("env", []):
        value = (
            each.get("value", "") if "valueFrom" not in each else _value_from(objects, pod, each["valueFrom"])
        )
        if value is not None:
            found[each["name"]] = value
    return found


def _value_from(objects: Objects, pod: Pod, source: Mapping[str, Any]) -> str | None:
    for name, kind in (("configMapKeyRef", CONFIG_MAP), ("secretKeyRef", SECRET)):
        if reference := source.get(name):
            data = _data_of(objects, kind, pod.namespace, reference)
            if data is not None and reference["key"] in data:
                return data[reference["key"]]
            if reference.get("optional"):
                return None
            message = (
                f"couldn't find key {reference['key']} in {kind.name} {pod.namespace}/{reference['name']}"
            )
            raise NotYet("CreateContainerConfigError", message)
    path = source.get("fieldRef", {}).get("fieldPath", "")
    fields = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "spec.nodeName": pod.node.name,
        "spec.serviceAccountName": pod.spec.get("serviceAccountName", "default"),
        "status.podIP": pod.ip or "",
        "status.hostIP": pod.node.ip,
    }
    if label := re.fullmatch(r"metadata\.labels\['(.+)'\]", path):
        return str(pod.labels.get(label[1], ""))
    if path not in fields:
        raise NotYet(
            "CreateContainerConfigError", f"offline no variable is filled from {path or sorted(source)}"
        )
    return str(fields[path])


def _data_of(
    objects: Objects, kind: Kind, namespace: str, reference: Mapping[str, Any]
) -> dict[str, str] | None:
    found = objects.find(kind, namespace, reference["name"])
    if found is None:
        if reference.get("optional"):
            return None
        message = f'{kind.name.lower()} "{reference["name"]}" not found'
        raise NotYet("CreateContainerConfigError", message)
    data: dict[str, str] = found.get("data") or {}
    if kind is SECRET:
        return {name: base64.b64decode(value).decode() for name, value in data.items()}
    return data


def pre_stop_seconds(container: Mapping[str, Any]) -> float:
    """How long its `preStop` hook takes here: of hooks, only those that sleep are known."""
    hook = container.get("lifecycle", {}).get("preStop", {})
    command = hook.get("exec", {}).get("command", [])
    seconds = hook.get("sleep", {}).get("seconds", 0)
    if len(command) == 2 and command[0].rpartition("/")[2] == "sleep":
        seconds = float(command[1])
    return min(float(seconds) / SPEED, _LONGEST_PRE_STOP)


def unheeded(spec: Mapping[str, Any]) -> Iterator[str]:
    """What a pod's spec asks for that has no effect here, by field."""
    for name in ("initContainers", "tolerations", "affinity"):
        if spec.get(name):
            yield f"spec.{name}"
    if any(
        "emptyDir" not in each for each in spec.get("volumes") or []
    ):  # files of this machine are as empty
        yield "spec.volumes"
    containers = spec["containers"]
    if len(containers) > 1:
        yield f"spec.containers: only {containers[0]['name']} runs"
    for probe in _PROBES:
        if {"exec", "grpc"} & containers[0].get(probe, {}).keys():
            yield f"spec.containers[0].{probe}: it always succeeds"
    hook = containers[0].get("lifecycle", {}).get("preStop")
    if hook and not pre_stop_seconds(containers[0]):
        yield "spec.containers[0].lifecycle.preStop: only sleeping is known"
