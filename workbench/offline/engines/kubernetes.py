"""An EKS cluster that does something: a small Kubernetes API server with controllers, and pods that are programs.

`Cluster` is the engine behind an `AWS::EKS::Cluster`. Its API server (`kubernetes_server.py`) keeps objects
(`kubernetes_objects.py`) that are valid by the schemas of its version (`kubernetes_kinds.py`), for callers with
an access entry (`kubernetes_access.py`). One loop acts on them: Deployments and autoscalers make pods
(`kubernetes_deployments.py`), pods are put on nodes (`kubernetes_nodes.py`) and run (`kubernetes_pods.py`), and
load balancers lead to them (`kubernetes_ingress.py`, `kubernetes_bindings.py`). What is kept without any effect is
said to whoever applies it, as a warning of the API server.

When a zone is lost, its pods are replaced elsewhere after `RESCHEDULE_AFTER` seconds; on AWS a node is first
missed for 40 s, and its pods are tolerated for 300 s ("Taints and Tolerations", Kubernetes documentation).
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import eks

from workbench.offline.control import Refused, command
from workbench.offline.engine_commands import engine_called
from workbench.offline.engines import RUNNING, free_name
from workbench.offline.engines import program as programs
from workbench.offline.engines.kubernetes_access import Access
from workbench.offline.engines.kubernetes_bindings import BINDING, Bindings
from workbench.offline.engines.kubernetes_deployments import (
    DEPLOYMENT,
    Deployments,
    keep_to_the_minimum,
    load,
)
from workbench.offline.engines.kubernetes_ingress import INGRESS, Ingresses, open_gates
from workbench.offline.engines.kubernetes_kinds import Kind, require_version
from workbench.offline.engines.kubernetes_nodes import Fleet, Node
from workbench.offline.engines.kubernetes_objects import NAMESPACE, Object, Objects, now
from workbench.offline.engines.kubernetes_pods import POD, Pod, owner_of, unheeded
from workbench.offline.engines.kubernetes_server import Api, Server
from workbench.offline.parts import workers
from workbench.offline.standing import Fault, stand
from workbench.offline.surroundings import LOOPBACK

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
TOPOLOGY, POD_TOPOLOGY_SINCE = (
    "topology.kubernetes.io/",
    (1, 35),
)  # from when pods have these labels of their node
RESCHEDULE_AFTER = 1.0
LOOK_EVERY = 0.5
RUNS_WITHIN = 10.0
STOPPED_WITHIN = 8.0

NODE, EVENT = Kind("", "v1", "Node"), Kind("", "v1", "Event")
ACTED_ON = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "Deployment",
        "HorizontalPodAutoscaler",
        "Ingress",
        "IngressClass",
        "IngressClassParams",
        "Namespace",
        "Pod",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
        "TargetGroupBinding",
    }
)
_log = logging.getLogger(__name__)


class Cluster:
    """The engine of one EKS cluster. Raises `UnknownVersion` where there are no schemas of `version`."""

    kind = "kubernetes"

    def __init__(self, name: str, version: str, account: str, region: str) -> None:
        self.pids: list[int] = []  # the API server is in this process, and its pods are engines of their own
        require_version(version)
        self.name, self.version, self.account, self.region = name, version, account, region
        self.objects = Objects(version)
        for namespace in NAMESPACES:
            self.objects.apply(NAMESPACE, "", namespace, _namespace(namespace), "kube-apiserver", force=True)
        self.fleet = Fleet(name, account, region)
        self.ingresses = Ingresses(name, account, region, self.objects)
        self.bindings = Bindings(name, account, region, self.objects)
        self.deployments = Deployments(self.objects, self._is_available, self._is_ending)
        self.pods: dict[str, Pod] = {}  # by uid of their object
        self._ending: dict[str, Pod] = {}
        self._nodes: dict[str, Node] = {}
        access = Access(name, account, region, self.objects)
        self._server = Server(Api(self.objects, access, _without_effect, self._log_of))
        self._running = threading.Event()
        self._loop: threading.Thread | None = None
        self._acting = threading.RLock()
        self._problem = ""

    def stands_for(self, name: str, account: str, region: str) -> bool:
        """Whether it is the engine of that cluster: regions may have clusters of one name."""
        return (self.name, self.account, self.region) == (name, account, region)

    @property
    def url(self) -> str:
        """The endpoint of its API server; the same for as long as the cluster exists."""
        return f"https://{LOOPBACK}:{self._server.port}"

    def start(self) -> None:
        self._server.open()
        if not self._running.is_set():
            self._running.set()
            self._loop = threading.Thread(
                target=self._act_for_ever, daemon=True, name=f"kubernetes-{self.name}"
            )
            self._loop.start()

    def stop(self) -> None:
        """Stop the API server and every pod; the objects are kept, and `start` makes their pods again."""
        self._running.clear()
        self.objects.changed.set()
        self._server.close()
        if self._loop is not None:
            self._loop.join(STOPPED_WITHIN)
        with self._acting:
            ending = [*self.pods.values(), *self._ending.values()]
            for pod in ending:
                pod.kill()
                pod.end()
            until = time.monotonic() + STOPPED_WITHIN
            for pod in ending:
                pod.wait(max(0.0, until - time.monotonic()))
            self.pods, self._ending = {}, {}

    def lose_zone(self, zone: str) -> list[str]:
        """Lose the nodes in the zone, and name them; their pods name themselves, as programs."""
        with self._acting:
            for pod in self.pods.values():
                if pod.node.zone == zone and pod.lost_since is None:
                    pod.lose()
            nodes = [node.name for node in self._nodes.values() if node.zone == zone]
        self.objects.changed.set()
        return nodes

    def restore_zone(self, zone: str) -> list[str]:
        with self._acting:
            for pod in self.pods.values():
                if pod.node.zone == zone:
                    pod.find_again()
            nodes = [node.name for node in self._nodes.values() if node.zone == zone]
        self.objects.changed.set()
        return nodes

    def settle(self) -> None:
        """Act once on all that was said until now."""
        with self._acting:
            self._act()

    def change_version(self, version: str) -> None:
        """Know the kinds of another version from now on. Raises `UnknownVersion`."""
        require_version(version)
        self.version = self.objects.version = version

    def pod_called(self, name: str) -> Pod:
        """The pod of this name, in whichever namespace. Raises `Refused`."""
        for pod in list(self.pods.values()):
            if pod.name == name:
                return pod
        raise Refused(f"the cluster {self.name} runs no pod {name}")

    def pods_of(self, namespace: str, deployment: str) -> list[Pod]:
        """The pods of a Deployment that run, by name."""
        found = self.objects.find(DEPLOYMENT, namespace, deployment)
        uid = found["metadata"]["uid"] if found else None
        mine = [pod for pod in list(self.pods.values()) if uid and pod.owner == uid]
        return sorted(mine, key=lambda pod: pod.name)

    def _act_for_ever(self) -> None:
        while self._running.is_set():
            self.objects.changed.wait(LOOK_EVERY)
            self.objects.changed.clear()
            try:
                with self._acting:
                    if self._running.is_set():
                        self._act()
            except Exception as problem:  # an object that nobody expected must not end the cluster
                if str(problem) != self._problem:
                    self._problem = str(problem)
                    _log.exception("the cluster %s cannot act on its objects", self.name)

    def _act(self) -> None:
        """One round: everything is brought one step nearer to what the objects say."""
        self._keep_nodes()
        self._tell_pods()
        keep_to_the_minimum(self.objects)
        self.deployments.act()
        self._schedule()
        self._run_and_end_pods()
        self._tell_load_balancers()
        # What is no target any more may end now, not before.
        for pod in self._ending.values():
            pod.end()
        self._ending = {uid: pod for uid, pod in self._ending.items() if not pod.wait(0)}

    def _keep_nodes(self) -> None:
        self._nodes = {node.name: node for node in self.fleet.nodes()}
        for node in self._nodes.values():
            self.objects.put(NODE, "", node.name, node.as_object(ready=not programs.is_lost(node.zone)))
        for known in self.objects.list(NODE):
            if known["metadata"]["name"] not in self._nodes:
                self.objects.delete(NODE, "", known["metadata"]["name"])

    def _tell_pods(self) -> None:
        """Write the status of every pod, and give up those whose node has been gone for too long."""
        gated = [pod for pod in self.pods.values() if pod.gates]
        if gated and open_gates(gated, self.ingresses.gates() | self.bindings.gates()):
            self.objects.changed.set()
        for pod in list(self.pods.values()):
            self._tell(pod)
            gone = pod.node.name not in self._nodes and not pod.node.on_fargate
            late = pod.lost_since is not None and time.monotonic() - pod.lost_since >= RESCHEDULE_AFTER
            if (gone or late) and self.objects.find(POD, pod.namespace, pod.name):
                self.objects.delete(POD, pod.namespace, pod.name)

    def _tell(self, pod: Pod) -> None:
        status = pod.status()
        self.objects.write(POD, pod.namespace, pod.name, lambda live: live.update(status=status))

    def _schedule(self) -> None:
        """Put every pod that has none on a node: in the zone, and there on the node, with the fewest of its kind."""
        pods = self.objects.list(POD)
        placed = Counter(
            (owner_of(pod), pod["spec"]["nodeName"]) for pod in pods if "nodeName" in pod["spec"]
        )
        for pod in pods:
            if "nodeName" in pod["spec"]:
                continue
            nodes, owner = self._fitting_nodes(pod), owner_of(pod)
            if not nodes:
                message = f"0/{len(self._nodes)} nodes are available"
                self.note(POD, pod, "FailedScheduling", message)
                continue
            in_zone: Counter[str] = Counter()
            for node in nodes:
                in_zone[node.zone] += placed[owner, node.name]
            chosen = min(nodes, key=lambda node: (in_zone[node.zone], placed[owner, node.name]))
            placed[owner, chosen.name] += 1
            self._bind(pod, chosen)

    def _fitting_nodes(self, pod: Object) -> list[Node]:
        wanted = pod["spec"].get("nodeSelector", {}).items()
        return [
            node
            for node in self.fleet.fargate_nodes(pod) or self._nodes.values()
            if not programs.is_lost(node.zone) and wanted <= dict(node.labels).items()
        ]

    def _bind(self, pod: Object, node: Node) -> None:
        gates = self._gates_for(pod)
        topology = {name: value for name, value in node.labels if name.startswith(TOPOLOGY)}

        def bind(live: Object) -> None:
            live["spec"]["nodeName"] = node.name
            if _number(self.version) >= POD_TOPOLOGY_SINCE:
                live["metadata"]["labels"] = live["metadata"].get("labels", {}) | topology
            if gates:
                live["spec"]["readinessGates"] = live["spec"].get("readinessGates", []) + gates

        self.objects.write(POD, pod["metadata"]["namespace"], pod["metadata"]["name"], bind)

    def _gates_for(self, pod: Object) -> list[Object]:
        namespace = self.objects.find(NAMESPACE, "", pod["metadata"]["namespace"])
        if namespace is None:
            return []
        labels = pod["metadata"].get("labels", {})
        return self.ingresses.gates_for(namespace, labels) + self.bindings.gates_for(namespace, labels)

    def _run_and_end_pods(self) -> None:
        wanted = {pod["metadata"]["uid"]: pod for pod in self.objects.list(POD) if "nodeName" in pod["spec"]}
        for uid in self.pods.keys() - wanted.keys():
            self._ending[uid] = self.pods.pop(uid)
        for uid in wanted.keys() - self.pods.keys():
            pod = wanted[uid]
            node = self.fleet.named(pod["spec"]["nodeName"])
            if node is not None:
                made = Pod(pod, node, self.objects, self.role_of(pod), self.objects.changed.set)
                self.pods[uid] = made
                made.run()

    def role_of(self, pod: Object) -> str | None:
        """The role that EKS Pod Identity gives to the service account of a pod, if any."""
        account = pod["spec"].get("serviceAccountName", "default")
        with request_scope(self.account, self.region):
            for key, association in eks._pod_identity_associations.items():
                mine = str(key).startswith(f"{self.name}\x00")
                where = (association["namespace"], association["serviceAccount"])
                if mine and where == (pod["metadata"]["namespace"], account):
                    return str(association["roleArn"])
        return None

    def _tell_load_balancers(self) -> None:
        pods = list(self.pods.values())
        for ingress, refusal in self.ingresses.act(pods):
            self.note(INGRESS, ingress, "NoLoadBalancer", refusal)
        for binding, refusal in self.bindings.act(pods):
            self.note(BINDING, binding, "BackendNotFound", refusal)

    def note(self, kind: Kind, about: Object, reason: str, message: str) -> None:
        """Keep an Event about an object; one for each thing that can be said of it."""
        metadata = about["metadata"]
        namespace = metadata.get("namespace", "default")
        name = f"{metadata['name']}.{hashlib.sha256((reason + message).encode()).hexdigest()[:10]}"
        if self.objects.find(EVENT, namespace, name) is None:
            involved = {
                "kind": kind.name,
                "namespace": namespace,
                "name": metadata["name"],
                "uid": metadata["uid"],
            }
            event = {"involvedObject": involved, "reason": reason, "message": message, "type": "Warning"}
            self.objects.put(EVENT, namespace, name, event | {"lastTimestamp": now()})

    def _is_available(self, pod: Object, seconds: float) -> bool:
        running = self.pods.get(pod["metadata"]["uid"])
        return running is not None and running.ready_for(seconds)

    def _is_ending(self, uid: str) -> bool:
        return any(pod.owner == uid for pod in self._ending.values())

    def _log_of(self, namespace: str, name: str) -> str:
        found = [pod for pod in list(self.pods.values()) if (pod.namespace, pod.name) == (namespace, name)]
        return found[0].log() if found else ""


def launch(name: str, version: str, account: str, region: str) -> Cluster:
    """Start the engine of a new cluster. Raises `UnknownVersion`."""
    cluster = Cluster(name, version, account, region)
    cluster.start()
    RUNNING[f"{Cluster.kind}/{free_name(Cluster.kind, name, region)}"] = cluster
    return cluster


def behind(name: str, account: str, region: str) -> Cluster | None:
    """The engine of the cluster with that name in an account and region."""
    return next((each for _, each in _clusters() if each.stands_for(name, account, region)), None)


def _clusters() -> list[tuple[str, Cluster]]:
    """Every engine, with what commands call it."""
    running = list(RUNNING.items())
    return [(key.partition("/")[2], each) for key, each in running if isinstance(each, Cluster)]


def end(name: str, account: str, region: str) -> None:
    """End the engine of a cluster that is deleted, with its pods; its load balancers stay, as on AWS.

    "Delete a cluster", Amazon EKS User Guide: Services and Ingresses are to be deleted before.
    """
    for called, cluster in _clusters():
        if cluster.stands_for(name, account, region):
            del RUNNING[f"{Cluster.kind}/{called}"]
            with suppress(Exception):
                cluster.settle()  # an Ingress may have been deleted a moment ago
            cluster.stop()


def running(name: str) -> Cluster:
    """The engine that commands call `name`. Raises `Refused`."""
    return engine_called(Cluster, name, "EKS cluster")


@dataclass(frozen=True)
class Program:
    """What a Deployment runs, on whichever cluster: `namespace` and `name` are its own."""

    cluster: Cluster
    namespace: str
    name: str

    @property
    def sessions(self) -> re.Pattern[str]:
        """What the ARNs of its pods' sessions look like: a pod's session has the pod's name. Raises `Refused`."""
        template = self.cluster.objects.get(DEPLOYMENT, self.namespace, self.name)["spec"]["template"]
        role = self.cluster.role_of({"metadata": {"namespace": self.namespace}, "spec": template["spec"]})
        if role is None:
            raise Refused(
                f"the pods of {self.namespace}/{self.name} have no role: nothing they call is theirs"
            )
        pod = rf"{re.escape(self.name)}-[0-9a-f]+-[0-9a-f]+"
        return re.compile(rf":assumed-role/{re.escape(role.rpartition('/')[2])}/{pod}$")

    def pids(self) -> list[int]:
        """The processes of its pods."""
        return [pid for pod in self.cluster.pods_of(self.namespace, self.name) for pid in pod.pids]

    def a_running_pod(self) -> Pod:
        """One that has a process, waited for as long as a pod takes to come. Raises `Refused`."""
        until = time.monotonic() + RUNS_WITHIN
        while True:
            for pod in self.cluster.pods_of(self.namespace, self.name):
                if pod.pids and pod.contained:
                    return pod
            if time.monotonic() >= until:
                words = f"no pod of {self.namespace}/{self.name} was ready within {RUNS_WITHIN:.0f} s"
                raise Refused(words)
            time.sleep(LOOK_EVERY / 10)


def program(deployment: str) -> Program | None:
    """The Deployment "namespace/name" on whichever cluster; None where there is none."""
    namespace, _, name = deployment.partition("/")
    for _, cluster in _clusters():
        if cluster.objects.find(DEPLOYMENT, namespace, name) is not None:
            return Program(cluster, namespace, name)
    return None


def _existing(deployment: str) -> Program:
    found = program(deployment)
    if found is None:
        raise Refused(f"there is no Deployment {deployment}; it is named as namespace/name")
    return found


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _without_effect(kind: Kind, manifest: Object) -> list[str]:
    """What of a manifest is kept here without any effect, each in one line."""
    if kind.name not in ACTED_ON:
        return [f"offline, {kind.name} is kept without any effect"]
    if kind.open:
        return [f"offline there is no schema of {kind.api_version}; {kind.name} is taken as it is"]
    spec = manifest.get("spec", {})
    if kind.name == "Service" and spec["type"] in ("LoadBalancer", "ExternalName"):
        return [f"offline, a Service of type {spec['type']} leads nowhere"]
    if kind.name == "Deployment":
        spec = spec["template"]["spec"]
    if kind.name in ("Deployment", "Pod"):
        return [f"offline, {field} has no effect" for field in unheeded(spec)]
    return []


@command("kubernetes/list")
def list_clusters() -> dict[str, Any]:
    """Every EKS cluster, with its version, endpoint, nodes by zone and number of pods."""
    return {called: _describe(each) for called, each in _clusters()}


@command("kubernetes/pods")
def list_pods(cluster: str) -> list[dict[str, Any]]:
    """The pods of a cluster: namespace, name, node, zone, address, phase, whether ready, restarts."""
    return [
        {
            "namespace": pod.namespace,
            "name": pod.name,
            "node": pod.node.name,
            "zone": pod.node.zone,
            "ip": pod.ip,
            "phase": pod.status()["phase"],
            "ready": pod.ready,
            "restarts": pod.restarts,
        }
        for pod in sorted(running(cluster).pods.values(), key=lambda pod: (pod.namespace, pod.name))
    ]


@command("kubernetes/kill_pod")
def kill_pod(cluster: str, pod: str) -> dict[str, str]:
    """Kill the process of a pod, as running out of memory does: its container is started again."""
    running(cluster).pod_called(pod).kill()
    return {"killed": pod}


@command("pods/kill")
def kill_pod_of(deployment: str) -> dict[str, str]:
    """Kill the process of one ready pod of a Deployment, and name the pod: its container is started again."""
    pod = _existing(deployment).a_running_pod()
    pod.kill()
    return {"killed": pod.name}


@command("pods/freeze")
def freeze_pod_of(deployment: str) -> dict[str, str]:
    """Let the process of one ready pod of a Deployment stand still. Its liveness probe goes on."""
    pids = _existing(deployment).a_running_pod().pids
    workers.freeze(pids)
    return stand(Fault(end=lambda: workers.thaw(pids), struck=1))


@command("kubernetes/load")
def push_load(cluster: str, namespace: str, deployment: str, cpu_percent: float) -> dict[str, int]:
    """Let a Deployment's autoscaler decide once at this load, in percent of the CPU that its pods request."""
    try:
        return {"replicas": load(running(cluster).objects, namespace, deployment, cpu_percent)}
    except LookupError as problem:
        raise Refused(str(problem)) from None


def _describe(cluster: Cluster) -> dict[str, Any]:
    nodes: dict[str, list[str]] = {}
    for node in cluster.objects.list(NODE):
        nodes.setdefault(node["metadata"]["labels"]["topology.kubernetes.io/zone"], []).append(
            node["metadata"]["name"]
        )
    return {"version": cluster.version, "endpoint": cluster.url, "nodes": nodes, "pods": len(cluster.pods)}
