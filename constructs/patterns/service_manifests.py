"""The Kubernetes manifests of programs: pure data, with the CDK's tokens in it where only a deployment knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from patterns.container_program import FINISHED_S, ContainerProgram

Manifest = dict[str, Any]

ZONE_LABEL = "topology.kubernetes.io/zone"  # on nodes, and since 1.35 on pods too
GATE_LABEL = "eks.amazonaws.com/pod-readiness-gate-inject"
FIELDS = {"POD_NAME": "metadata.name", "NODE_ZONE": f"metadata.labels['{ZONE_LABEL}']"}
CPU_TARGET_PERCENT = 60
DRAINED_S = 15  # until no request comes any more


@dataclass(frozen=True)
class PodProgram:
    """What one pod runs: a program of `image`, with `arguments` in the place of the image's own.

    `cpu_milli` and `memory_mb` (MiB) are what it asks its node for, `memory_limit_mb` is where it is killed. Where
    somebody sends it requests (`asked`), it goes on answering for a while after it was told to end. `scratch` gives
    it a `/tmp` that it may write to: the rest of its file system it can only read. `fields` are the variables that
    it has from its own object, by their paths there.
    """

    name: str
    namespace: str
    image: str
    environment: Mapping[str, str]
    port: int
    health_path: str
    ready_path: str
    cpu_milli: int
    memory_mb: int
    memory_limit_mb: int
    arguments: Sequence[str] = ()
    asked: bool = True
    scratch: bool = False
    fields: Mapping[str, str] = field(default_factory=lambda: FIELDS)


def service_manifests(program: ContainerProgram, *, name: str, fewest: int, most: int) -> list[Manifest]:
    """What is applied, in this order, all called `name`: from the namespace to the way in and what scales it.

    The Deployment says no number of pods: the autoscaler does, between `fewest` and `most`, and applying the
    manifests again leaves its choice alone.
    """
    pod = PodProgram(
        name=name,
        namespace=name,
        image=program.image,
        environment=program.environment,
        port=program.port,
        health_path=program.health_path,
        ready_path=program.ready_path,
        cpu_milli=250,
        memory_mb=192,
        memory_limit_mb=384,
    )
    here = _here(pod)
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": name, "port": {"number": 80}}},
    }
    return [
        namespace_manifest(name),
        _manifest("v1", "ServiceAccount", here),
        _manifest(
            "eks.amazonaws.com/v1",
            "IngressClassParams",
            {"name": "alb"},
            spec={"scheme": "internet-facing"},
        ),
        _manifest(
            "networking.k8s.io/v1",
            "IngressClass",
            {"name": "alb"},
            spec={
                "controller": "eks.amazonaws.com/alb",
                "parameters": {
                    "apiGroup": "eks.amazonaws.com",
                    "kind": "IngressClassParams",
                    "name": "alb",
                },
            },
        ),
        _deployment(pod),
        _service(pod),
        _manifest(
            "networking.k8s.io/v1",
            "Ingress",
            {
                **here,
                "annotations": {
                    "alb.ingress.kubernetes.io/target-type": "ip",
                    "alb.ingress.kubernetes.io/healthcheck-path": program.ready_path,
                },
            },
            spec={"ingressClassName": "alb", "rules": [{"http": {"paths": [path]}}]},
        ),
        *_scaling(pod, fewest, most),
    ]


def namespace_manifest(name: str, *, gated: bool = False) -> Manifest:
    """A namespace; where it is `gated`, a pod is ready when its targets are healthy, and not before.

    So a rollout waits for the load balancer, which takes longer than a pod does ("Pod readiness gate", AWS Load
    Balancer Controller).
    """
    return _manifest(
        "v1", "Namespace", {"name": name} | ({"labels": {GATE_LABEL: "enabled"}} if gated else {})
    )


def worker_manifests(
    pod: PodProgram, *, fewest: int, most: int, target_group_arn: str | None = None
) -> list[Manifest]:
    """What is applied, in this order, for one program in a namespace that is there: from its service account on.

    With a target group its pods are targets of it. What binds them comes before the Deployment: a pod that is older
    than that has no readiness gate.
    """
    here = _here(pod)
    binding = _manifest(
        "eks.amazonaws.com/v1",
        "TargetGroupBinding",
        here,
        spec={
            "serviceRef": {"name": pod.name, "port": 80},
            "targetGroupARN": target_group_arn,
            "targetType": "ip",
        },
    )
    return [
        _manifest("v1", "ServiceAccount", here),
        *([_service(pod), binding] if target_group_arn else []),
        _deployment(pod),
        *_scaling(pod, fewest, most),
    ]


def _deployment(pod: PodProgram) -> Manifest:
    labels = _labels(pod)
    return _manifest(
        "apps/v1",
        "Deployment",
        _here(pod),
        spec={
            "selector": {"matchLabels": labels},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "template": {"metadata": {"labels": labels}, "spec": _pod_spec(pod)},
        },
    )


def _pod_spec(pod: PodProgram) -> Manifest:
    spec: Manifest = {
        "serviceAccountName": pod.name,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": (DRAINED_S if pod.asked else 0) + FINISHED_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": ZONE_LABEL,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": _labels(pod)},
            }
        ],
        "containers": [_container(pod)],
    }
    return spec | ({"volumes": [{"name": "scratch", "emptyDir": {}}]} if pod.scratch else {})


def _container(pod: PodProgram) -> Manifest:
    healthy, ready = (
        {"httpGet": {"path": path, "port": pod.port}, "periodSeconds": 10, "timeoutSeconds": 5}
        for path in (pod.health_path, pod.ready_path)
    )
    container: Manifest = {"name": pod.name, "image": pod.image}
    if pod.arguments:
        container["args"] = list(pod.arguments)
    container |= {
        "ports": [{"containerPort": pod.port}],
        "env": _variables(pod),
        "resources": {
            "requests": {"cpu": f"{pod.cpu_milli}m", "memory": f"{pod.memory_mb}Mi"},
            "limits": {"memory": f"{pod.memory_limit_mb}Mi"},
        },
    }
    if pod.asked:
        # The load balancer goes on sending for a while after a pod was told to end.
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": DRAINED_S}}}
    container |= {
        "livenessProbe": {**healthy, "initialDelaySeconds": 10},
        "readinessProbe": ready,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return container | ({"volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}]} if pod.scratch else {})  # noqa: S108 (the pod's own)


def _variables(pod: PodProgram) -> list[Manifest]:
    return [
        *({"name": name, "value": value} for name, value in sorted(pod.environment.items())),
        {"name": "PORT", "value": str(pod.port)},
        *(
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for name, path in pod.fields.items()
        ),
    ]


def _service(pod: PodProgram) -> Manifest:
    return _manifest(
        "v1",
        "Service",
        _here(pod),
        spec={"selector": _labels(pod), "ports": [{"port": 80, "targetPort": pod.port}]},
    )


def _scaling(pod: PodProgram, fewest: int, most: int) -> list[Manifest]:
    """What scales a Deployment on its CPU, and what keeps those who empty nodes from taking more than one pod."""
    return [
        _manifest(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            _here(pod),
            spec={
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": pod.name},
                "minReplicas": fewest,
                "maxReplicas": most,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT},
                        },
                    }
                ],
            },
        ),
        _manifest(
            "policy/v1",
            "PodDisruptionBudget",
            _here(pod),
            spec={"maxUnavailable": 1, "selector": {"matchLabels": _labels(pod)}},
        ),
    ]


def _labels(pod: PodProgram) -> dict[str, str]:
    return {"app": pod.name}


def _here(pod: PodProgram) -> dict[str, str]:
    return {"name": pod.name, "namespace": pod.namespace}


def _manifest(version: str, kind: str, metadata: Mapping[str, Any], **rest: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": dict(metadata), **rest}
