"""What the API server says of a manifest beyond its schema: a few rules by kind, and the defaults it fills in.

Only what the offline cluster acts on is here; the sources are the kinds' pages in the Kubernetes documentation
("Deployments", "Service", "Horizontal Pod Autoscaling", "Object Names and IDs").
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Mapping
from typing import Any

from workbench.offline.engines.kubernetes_kinds import Invalid, Kind

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_RBAC_GROUP = "rbac.authorization.k8s.io"  # its names may hold colons
_service_addresses = itertools.count(1)


def check(kind: Kind, manifest: Mapping[str, Any], live: Mapping[str, Any] | None) -> None:
    """Raise `Invalid` where `manifest` breaks a rule of its kind; `live` is what it replaces."""
    name = str(manifest["metadata"]["name"])
    if kind.group != _RBAC_GROUP and not _SUBDOMAIN.fullmatch(name):
        raise Invalid("metadata.name", f"{name!r} must be lower case letters, digits, '-' and '.'")
    if kind.name == "Deployment":
        _check_deployment(manifest["spec"], live)
    elif kind.name == "HorizontalPodAutoscaler":
        spec = manifest["spec"]
        if spec["maxReplicas"] < spec.get("minReplicas", 1):
            raise Invalid("spec.maxReplicas", "must be greater than or equal to `minReplicas`")
    elif kind.name == "Ingress" and not {"rules", "defaultBackend"} & manifest.get("spec", {}).keys():
        raise Invalid("spec", "either `defaultBackend` or `rules` must be specified")


def _check_deployment(spec: Mapping[str, Any], live: Mapping[str, Any] | None) -> None:
    if live is not None and live["spec"]["selector"] != spec["selector"]:
        raise Invalid("spec.selector", "field is immutable")
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    wanted = spec["selector"].get("matchLabels") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        raise Invalid("spec.template.metadata.labels", "`selector` does not match template `labels`")
    containers = (spec["template"].get("spec") or {}).get("containers")
    if not containers:
        raise Invalid("spec.template.spec.containers", "Required value")
    for place, container in enumerate(containers):
        if not container.get("image"):
            raise Invalid(f"spec.template.spec.containers[{place}].image", "Required value")


def fill_in(kind: Kind, manifest: dict[str, Any]) -> None:
    """Write the defaults of its kind into `manifest`, where nothing is said."""
    spec: dict[str, Any] = manifest.get("spec") or {}
    if kind.name == "Deployment":
        spec.setdefault("replicas", 1)
        strategy = spec.setdefault("strategy", {})
        if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxSurge", "25%")
            rolling.setdefault("maxUnavailable", "25%")
    elif kind.name == "HorizontalPodAutoscaler":
        spec.setdefault("minReplicas", 1)
    elif kind.name == "Service":
        _fill_in_service(spec)
    elif kind.name == "Secret":
        texts = manifest.pop("stringData", {})
        data = {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}
        manifest["data"] = {**manifest.get("data", {}), **data}
        manifest.setdefault("type", "Opaque")
    elif kind.name == "Namespace":
        name = manifest["metadata"]["name"]
        manifest["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
        manifest["status"] = {"phase": "Active"}


def _fill_in_service(spec: dict[str, Any]) -> None:
    if spec.setdefault("type", "ClusterIP") != "ExternalName" and "clusterIP" not in spec:
        number = next(_service_addresses)
        spec["clusterIP"] = f"10.100.{number // 250 % 250}.{number % 250 + 1}"
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
