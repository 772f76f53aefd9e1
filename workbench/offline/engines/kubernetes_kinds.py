"""Which kinds of objects a cluster of a given version knows, how they are called in URLs, and what they may hold.

The schemas are those that `kubernetes_validate` packs for each minor version; everything is read from them.
Kinds of `OPEN_GROUPS` have none there: what EKS Auto Mode adds is taken as it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Not the package itself: importing it would cost every offline AWS 40 ms, and few have a cluster.
_PACKAGE = find_spec("kubernetes_validate")
assert _PACKAGE is not None
assert _PACKAGE.origin is not None
_SCHEMAS = Path(_PACKAGE.origin).parent / "kubernetes-json-schema"
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

# "API Reference", Kubernetes documentation: the kinds that live in no namespace. The schemas do not say it.
_CLUSTER_WIDE = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "CertificateSigningRequest",
        "ClusterRole",
        "ClusterRoleBinding",
        "ClusterTrustBundle",
        "CustomResourceDefinition",
        "DeviceClass",
        "FlowSchema",
        "IPAddress",
        "IngressClass",
        "IngressClassParams",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "NodeClass",
        "NodePool",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "ResourceSlice",
        "RuntimeClass",
        "ServiceCIDR",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)

# "Create an IngressClass to configure an Application Load Balancer", "Create a Node Class for Amazon EKS" and
# "Create a Node Pool for EKS Auto Mode", Amazon EKS User Guide.
OPEN_GROUPS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("eks.amazonaws.com", "v1"): ("IngressClassParams", "NodeClass", "TargetGroupBinding"),
    ("karpenter.sh", "v1"): ("NodePool",),
}


class UnknownVersion(Exception):
    """There are no schemas of the version that a cluster asks for."""


class Invalid(Exception):
    """A manifest is not what its schema says; `field` is where, such as "spec.template.spec"."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.field = field


@dataclass(frozen=True)
class Kind:
    """A kind as the API serves it: `plural` is its name in URLs and in access rules."""

    group: str
    version: str
    name: str
    open: bool = False  # no schema is known, and anything is taken

    @property
    def plural(self) -> str:
        lowered = self.name.lower()
        if lowered in ("endpoints", "ingressclassparams"):
            return lowered
        if lowered.endswith("y") and lowered[-2] not in "aeiou":
            return f"{lowered[:-1]}ies"
        return f"{lowered}es" if lowered.endswith("s") else f"{lowered}s"

    @property
    def namespaced(self) -> bool:
        return self.name not in _CLUSTER_WIDE

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def known_versions() -> tuple[str, ...]:
    """The minor versions that there are schemas of, oldest first: "1.33"."""
    found = {
        match[1]
        for each in _SCHEMAS.iterdir()
        if (match := re.match(r"v(\d+\.\d+)\.\d+-local-strict$", each.name))
    }
    return tuple(sorted(found, key=lambda version: int(version.partition(".")[2])))


def require_version(version: str) -> None:
    """Raise `UnknownVersion`, with those that there are, unless `version` is one of them."""
    if version not in known_versions():
        known = ", ".join(known_versions())
        raise UnknownVersion(
            f"there are no schemas of Kubernetes {version}; offline a cluster can be {known}"
        )


@cache
def kinds_of(version: str, group: str, group_version: str) -> Mapping[str, Kind]:
    """The kinds of one API group and version that are objects of their own, by plural; empty for an unknown one."""
    if names := OPEN_GROUPS.get((group, group_version)):
        return {kind.plural: kind for kind in (Kind(group, group_version, name, open=True) for name in names)}
    found = (Kind(group, group_version, name) for name in _declared(version, group, group_version))
    return {kind.plural: kind for kind in found}


def _declared(version: str, group: str, group_version: str) -> Iterator[str]:
    folder = _SCHEMAS / f"v{version}.0-local-strict"
    prefix = f"{group.partition('.')[0]}-" if group else ""
    for file in sorted(folder.glob(f"*-{prefix}{group_version}.json")):
        schema = json.loads(file.read_text())
        metadata = schema.get("properties", {}).get("metadata", {})
        for each in schema.get("x-kubernetes-group-version-kind", []):
            if each["group"] == group and each["version"] == group_version and _OBJECT_META in str(metadata):
                yield each["kind"]


def validate(manifest: Mapping[str, Any], kind: Kind, version: str) -> None:
    """Raise `Invalid` where `manifest` is not as the schema of `kind` in this version says; unknown fields count."""
    if kind.open:
        return
    import kubernetes_validate

    try:
        kubernetes_validate.validate(dict(manifest), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.path)
        raise Invalid(field.removeprefix("."), error.message) from None
