"""The Kubernetes manifests of a service: pure data, with the CDK's tokens in it where only a deployment knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from patterns.container_program import FINISHED_S, ContainerProgram

ZONE_LABEL = "topology.kubernetes.io/zone"  # on nodes, and since 1.35 on pods too
CPU_TARGET_PERCENT = 60
DRAINED_S = 15  # until no request comes any more


def service_manifests(
    program: ContainerProgram, *, name: str, fewest: int, most: int
) -> list[dict[str, Any]]:
    """What is applied, in this order, all called `name`: from the namespace to the way in and what scales it.

    The Deployment says no number of pods: the autoscaler does, between `fewest` and `most`, and applying the
    manifests again leaves its choice alone.
    """
    labels = {"app": name}
    here = {"name": name, "namespace": name}
    variables: list[dict[str, Any]] = [
        {"name": key, "value": value} for key, value in sorted(program.environment.items())
    ]
    variables += [
        {"name": "PORT", "value": str(program.port)},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {
            "name": "NODE_ZONE",
            "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{ZONE_LABEL}']"}},
        },
    ]
    healthy, ready = (
        {"httpGet": {"path": path, "port": program.port}, "periodSeconds": 10, "timeoutSeconds": 5}
        for path in (program.health_path, program.ready_path)
    )
    container = {
        "name": name,
        "image": program.image,
        "ports": [{"containerPort": program.port}],
        "env": variables,
        "resources": {
            "requests": {"cpu": "250m", "memory": "192Mi"},
            "limits": {"memory": "384Mi"},
        },
        # The load balancer goes on sending for a while after a pod was told to end.
        "lifecycle": {"preStop": {"sleep": {"seconds": DRAINED_S}}},
        "livenessProbe": {**healthy, "initialDelaySeconds": 10},
        "readinessProbe": ready,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "serviceAccountName": name,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": DRAINED_S + FINISHED_S,
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
                "labelSelector": {"matchLabels": labels},
            }
        ],
        "containers": [container],
    }
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": name, "port": {"number": 80}}},
    }
    return [
        _manifest("v1", "Namespace", {"name": name}),
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
        _manifest(
            "apps/v1",
            "Deployment",
            here,
            spec={
                "selector": {"matchLabels": labels},
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        ),
        _manifest(
            "v1",
            "Service",
            here,
            spec={"selector": labels, "ports": [{"port": 80, "targetPort": program.port}]},
        ),
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
        _manifest(
            "autoscaling/v2",
            "HorizontalPodAutoscaler",
            here,
            spec={
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
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
            here,
            spec={"maxUnavailable": 1, "selector": {"matchLabels": labels}},
        ),
    ]


def _manifest(version: str, kind: str, metadata: Mapping[str, Any], **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": dict(metadata), **rest}
