"""What the controllers of Deployments and HorizontalPodAutoscalers do in an offline cluster.

Sources: "Deployments" and "Horizontal Pod Autoscaling", Kubernetes documentation. Pods belong to their Deployment
itself; there is no ReplicaSet between them, and so no history to roll back to. `minReadySeconds` and
`progressDeadlineSeconds` pass ten times as fast.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any

from workbench.offline.engines.kubernetes_kinds import Kind
from workbench.offline.engines.kubernetes_objects import Object, Objects, now
from workbench.offline.engines.kubernetes_pods import POD, SPEED, owner_of

DEPLOYMENT = Kind("apps", "v1", "Deployment")
AUTOSCALER = Kind("autoscaling", "v2", "HorizontalPodAutoscaler")
TEMPLATE_HASH = "pod-template-hash"
TOLERANCE = 0.1  # an autoscaler leaves a ratio so near to one alone


class Deployments:
    """`available(pod, seconds)` says whether a pod has been ready for so long, `ending(uid)` whether pods of a
    Deployment are still on their way out.
    """

    def __init__(
        self, objects: Objects, available: Callable[[Object, float], bool], ending: Callable[[str], bool]
    ) -> None:
        self._objects, self._available, self._ending = objects, available, ending
        self._progress: dict[str, tuple[object, float]] = {}  # by uid: what there was, and since when

    def act(self) -> None:
        """Bring the pods of every Deployment one step nearer to it, and say in its status where they are."""
        pods: dict[str, list[Object]] = {}
        for pod in self._objects.list(POD):
            if owner := owner_of(pod):
                pods.setdefault(owner, []).append(pod)
        deployments = {each["metadata"]["uid"]: each for each in self._objects.list(DEPLOYMENT)}
        for owner, orphans in pods.items():
            if owner not in deployments:
                self._remove(orphans)
        self._progress = {uid: since for uid, since in self._progress.items() if uid in deployments}
        for uid, deployment in deployments.items():
            self._roll(deployment, pods.get(uid, []))
            self._report(deployment)

    def _roll(self, deployment: Object, pods: list[Object]) -> None:
        spec = deployment["spec"]
        wanted, current = spec["replicas"], template_hash(deployment)
        new = [pod for pod in pods if pod["metadata"]["labels"].get(TEMPLATE_HASH) == current]
        old = [pod for pod in pods if pod not in new]
        if spec["strategy"]["type"] == "Recreate":
            self._remove(old)
            if not old and not self._ending(deployment["metadata"]["uid"]):
                self._create(deployment, wanted - len(new))
            surge, unavailable = 0, wanted
        else:
            surge, unavailable = _bounds(spec["strategy"]["rollingUpdate"], wanted)
            room = wanted + surge - len(pods) if old else wanted - len(new)
            self._create(deployment, min(wanted - len(new), room))
        self._remove(self._worst_first(new)[: max(0, len(new) - wanted)])
        ready = [pod for pod in pods if self._is_available(deployment, pod)]
        unready_new = len(new) - sum(pod in ready for pod in new)
        budget = len(pods) - (wanted - unavailable) - unready_new
        broken = [pod for pod in old if pod not in ready][: max(0, budget)]
        spare = max(0, min(len(ready) - (wanted - unavailable), budget - len(broken)))
        self._remove(broken + [pod for pod in old if pod in ready][:spare])

    def _create(self, deployment: Object, count: int) -> None:
        metadata, template = deployment["metadata"], deployment["spec"]["template"]
        current = template_hash(deployment)
        for _ in range(count):
            name = f"{metadata['name']}-{current}-{secrets.token_hex(3)[:5]}"
            labels = {**(template.get("metadata") or {}).get("labels", {}), TEMPLATE_HASH: current}
            owner = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": metadata["name"],
                "uid": metadata["uid"],
                "controller": True,
            }
            annotations = (template.get("metadata") or {}).get("annotations")
            made: Object = {"labels": labels, "ownerReferences": [owner]}
            pod = {
                "metadata": made | ({"annotations": annotations} if annotations else {}),
                "spec": copy.deepcopy(template["spec"]),
                "status": {"phase": "Pending"},
            }
            self._objects.put(POD, metadata["namespace"], name, pod)

    def _remove(self, pods: list[Object]) -> None:
        for pod in pods:
            self._objects.delete(POD, pod["metadata"]["namespace"], pod["metadata"]["name"])

    def _worst_first(self, pods: list[Object]) -> list[Object]:
        return sorted(pods, key=lambda pod: self._available(pod, 0.0))

    def _is_available(self, deployment: Object, pod: Object) -> bool:
        return self._available(pod, deployment["spec"].get("minReadySeconds", 0) / SPEED)

    def _report(self, deployment: Object) -> None:
        metadata, spec = deployment["metadata"], deployment["spec"]
        pods = [
            each
            for each in self._objects.list(POD, metadata["namespace"])
            if owner_of(each) == metadata["uid"]
        ]
        current = template_hash(deployment)
        updated = [pod for pod in pods if pod["metadata"]["labels"].get(TEMPLATE_HASH) == current]
        ready = sum(self._available(pod, 0.0) for pod in pods)
        available = sum(self._is_available(deployment, pod) for pod in pods)
        least = spec["replicas"] - _bounds(spec["strategy"].get("rollingUpdate", {}), spec["replicas"])[1]
        done = len(updated) == len(pods) == spec["replicas"] and available >= spec["replicas"]
        status = {
            "observedGeneration": metadata["generation"],
            "replicas": len(pods),
            "updatedReplicas": len(updated),
            "readyReplicas": ready,
            "availableReplicas": available,
            "unavailableReplicas": max(0, spec["replicas"] - available),
        }
        late = self._is_late(deployment, done, status)
        held = {each["type"]: each for each in deployment.get("status", {}).get("conditions", [])}
        status["conditions"] = [
            _condition(held, "Available", available >= least, "MinimumReplicas", "Available", "Unavailable"),
            _condition(
                held, "Progressing", not late, "", "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
            )
            if done or late
            else _condition(held, "Progressing", True, "", "ReplicaSetUpdated", ""),
        ]
        self._objects.write(
            DEPLOYMENT, metadata["namespace"], metadata["name"], lambda live: live.update(status=status)
        )

    def _is_late(self, deployment: Object, done: bool, status: Mapping[str, Any]) -> bool:
        """Whether nothing has moved for longer than the Deployment's deadline."""
        uid, seen = deployment["metadata"]["uid"], dict(status)
        if done or self._progress.get(uid, (None, 0.0))[0] != seen:
            self._progress[uid] = (seen, time.monotonic())
            return False
        deadline = float(deployment["spec"].get("progressDeadlineSeconds", 600)) / SPEED
        return time.monotonic() - self._progress[uid][1] > deadline


def template_hash(deployment: Object) -> str:
    """What tells the pods of one template from those of another."""
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def keep_to_the_minimum(objects: Objects) -> None:
    """Bring every Deployment that is scaled by an autoscaler between its bounds, and say how many there are."""
    for autoscaler in objects.list(AUTOSCALER):
        namespace, spec = autoscaler["metadata"]["namespace"], autoscaler["spec"]
        kind, name = _scaled_by(autoscaler)
        target = objects.find(DEPLOYMENT, namespace, name) if kind == "Deployment" else None
        if target is None:
            _report_scale(objects, autoscaler, {"currentReplicas": 0, "desiredReplicas": 0})
            continue
        replicas = target["spec"]["replicas"]
        if replicas:  # 0 is how scaling is switched off
            bounded = _clamp(replicas, spec)
            scale(objects, target, bounded)
            current = target.get("status", {}).get("replicas", 0)
            _report_scale(objects, autoscaler, {"currentReplicas": current, "desiredReplicas": bounded})


def load(objects: Objects, namespace: str, deployment: str, cpu_percent: float) -> int:
    """Let the autoscaler of a Deployment decide at this average CPU load; how many replicas it wants.

    Raises `LookupError` where there is no such autoscaler, Deployment, metric or CPU request.
    """
    target = objects.find(DEPLOYMENT, namespace, deployment)
    if target is None:
        raise LookupError(f"there is no Deployment {namespace}/{deployment}")
    autoscalers = [
        each for each in objects.list(AUTOSCALER, namespace) if _scaled_by(each) == ("Deployment", deployment)
    ]
    if not autoscalers:
        raise LookupError(f"no HorizontalPodAutoscaler scales the Deployment {namespace}/{deployment}")
    autoscaler = autoscalers[0]
    for container in target["spec"]["template"]["spec"]["containers"]:
        if "cpu" not in (container.get("resources") or {}).get("requests", {}):
            raise LookupError(
                f"the container {container['name']} of {deployment} requests no cpu to measure by"
            )
    wanted = _clamp(_desired(target["spec"]["replicas"], cpu_percent, autoscaler), autoscaler["spec"])
    scale(objects, target, wanted)
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "current": {"averageUtilization": round(cpu_percent)}},
    }
    _report_scale(
        objects, autoscaler, {"desiredReplicas": wanted, "currentMetrics": [metric], "lastScaleTime": now()}
    )
    return wanted


def _scaled_by(autoscaler: Object) -> tuple[str, str]:
    target = autoscaler["spec"]["scaleTargetRef"]
    return target["kind"], target["name"]


def scale(objects: Objects, deployment: Object, replicas: int) -> None:
    """Set how many replicas a Deployment has, as its scale subresource does; nothing when it has them."""
    metadata = deployment["metadata"]
    if deployment["spec"]["replicas"] != replicas:
        objects.disown(DEPLOYMENT, metadata["namespace"], metadata["name"], ("spec", "replicas"))
        objects.write(
            DEPLOYMENT,
            metadata["namespace"],
            metadata["name"],
            lambda live: live["spec"].update(replicas=replicas),
        )


def _desired(replicas: int, cpu_percent: float, autoscaler: Object) -> int:
    for metric in autoscaler["spec"].get("metrics") or []:
        resource = metric.get("resource") or {}
        target = resource.get("target", {}).get("averageUtilization")
        if resource.get("name") == "cpu" and target:
            ratio = cpu_percent / target
            return replicas if abs(ratio - 1) <= TOLERANCE else math.ceil(replicas * ratio)
    raise LookupError(f"{autoscaler['metadata']['name']} has no target for the utilization of cpu")


def _clamp(replicas: int, spec: Mapping[str, Any]) -> int:
    return int(max(spec.get("minReplicas", 1), min(replicas, spec["maxReplicas"])))


def _report_scale(objects: Objects, autoscaler: Object, said: Object) -> None:
    metadata = autoscaler["metadata"]

    def report(live: Object) -> None:
        live["status"] = {
            **live.get("status", {}),
            **said,
            "observedGeneration": metadata.get("generation", 1),
        }

    objects.write(AUTOSCALER, metadata["namespace"], metadata["name"], report)


def _bounds(rolling: Mapping[str, Any], replicas: int) -> tuple[int, int]:
    """How many pods may be more, and how many fewer, than `replicas` in a rolling update."""
    surge = _of(rolling.get("maxSurge", "25%"), replicas, math.ceil)
    unavailable = _of(rolling.get("maxUnavailable", "25%"), replicas, math.floor)
    return (surge, unavailable) if surge or unavailable else (surge, 1)


def _of(bound: int | str, replicas: int, rounded: Callable[[float], int]) -> int:
    return bound if isinstance(bound, int) else rounded(int(bound.removesuffix("%")) * replicas / 100)


def _condition(
    held: Mapping[str, Object], name: str, holds: bool, prefix: str, good: str, bad: str
) -> Object:
    condition = {"type": name, "status": str(holds), "reason": prefix + (good if holds else bad)}
    before = held.get(name, {})
    same = before.get("status") == condition["status"]
    return condition | {"lastTransitionTime": before["lastTransitionTime"] if same else now()}
