"""A deployment step that applies a blueprint's Kubernetes manifests, and takes them away with the stack.

Its properties: `ClusterName`, `Endpoint`, `CertificateAuthority` (base64), `Manifests` (a JSON list), and, where
it should wait for a load balancer, `Ingress` (`namespace/name`); it then answers its `Host`.

An update takes away what is no longer among the manifests, and from a cluster that is another now, everything. It
does so when the new is there; who still has the old load balancer's name waits until the stack tells it the new one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from lambdas.shared.custom_resource import answer
from lambdas.shared.kubernetes import KubernetesError
from lambdas.shared.observability import logger

Manifest = Mapping[str, Any]
INGRESS = {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}
POLL_S, WITHIN_S = 1.0, 420.0  # a load balancer takes "a few minutes" (EKS User Guide)
NOT_FOUND = 404


class Cluster(Protocol):
    """What this needs of a Kubernetes client."""

    warnings: list[str]

    def apply(self, manifest: Manifest) -> Mapping[str, Any]: ...
    def delete(self, manifest: Manifest) -> None: ...
    def read(self, manifest: Manifest) -> Mapping[str, Any]: ...


def handler(event: dict[str, Any], context: Any) -> None:
    answer(event, context, act)


def act(request_type: str, properties: Mapping[str, Any], old: Mapping[str, Any]) -> Mapping[str, Any]:
    manifests = json.loads(properties["Manifests"])
    with _connected(properties) as cluster:
        if request_type == "Delete":
            take_away(cluster, manifests)
            return {}
        for manifest in manifests:
            cluster.apply(manifest)
        ingress = properties.get("Ingress")
        answered = {"Host": host_of(cluster, str(ingress))} if ingress else {}
    if request_type == "Update":
        before = json.loads(old["Manifests"])
        same = old["ClusterName"] == properties["ClusterName"]
        kept = {_identity(manifest) for manifest in manifests} if same else set()
        with _connected(old) as cluster:
            take_away(cluster, [manifest for manifest in before if _identity(manifest) not in kept])
    return answered


@contextmanager
def _connected(properties: Mapping[str, Any]) -> Iterator[Cluster]:
    """The cluster that the properties name; what it warns of goes to the log, also when it refuses something."""
    from lambdas.shared.kubernetes import connect

    cluster = connect(
        str(properties["ClusterName"]), str(properties["Endpoint"]), str(properties["CertificateAuthority"])
    )
    try:
        yield cluster
    finally:
        for warning in cluster.warnings:
            logger.warning("the API server warns: %s", warning)


def _identity(manifest: Manifest) -> tuple[str, str, str, str]:
    """What tells one object from another. The version of its API does not: every version shows the same object."""
    metadata, group = manifest["metadata"], str(manifest["apiVersion"]).rpartition("/")[0]
    return group, str(manifest["kind"]), str(metadata.get("namespace", "default")), str(metadata["name"])


def take_away(
    cluster: Cluster, manifests: Sequence[Manifest], sleep: Callable[[float], None] = time.sleep
) -> None:
    """Delete what the manifests made, the last first, and wait for an ingress to be gone.

    It goes when its load balancer has gone; a cluster that goes before leaves both in the network, which then
    cannot be deleted. Raises `TimeoutError`.
    """
    for manifest in reversed(manifests):
        cluster.delete(manifest)
        if manifest["kind"] == INGRESS["kind"]:
            _wait_until_gone(cluster, manifest, sleep)


def _wait_until_gone(cluster: Cluster, manifest: Manifest, sleep: Callable[[float], None]) -> None:
    for _ in range(int(WITHIN_S / POLL_S)):
        try:
            cluster.read(manifest)
        except KubernetesError as error:
            if error.status == NOT_FOUND:
                return
            raise
        sleep(POLL_S)
    name = manifest["metadata"]["name"]
    raise TimeoutError(f"the ingress {name} was not gone within {WITHIN_S:.0f} s: its load balancer stays")


def host_of(cluster: Cluster, ingress: str, sleep: Callable[[float], None] = time.sleep) -> str:
    """The name of the load balancer of `namespace/name`, once it has one. Raises `TimeoutError`."""
    namespace, _, name = ingress.partition("/")
    wanted = {**INGRESS, "metadata": {"namespace": namespace, "name": name}}
    for _ in range(int(WITHIN_S / POLL_S)):
        balancers = cluster.read(wanted).get("status", {}).get("loadBalancer", {}).get("ingress") or []
        if balancers:
            return str(balancers[0]["hostname"])
        sleep(POLL_S)
    raise TimeoutError(f"the ingress {ingress} had no load balancer within {WITHIN_S:.0f} s")
