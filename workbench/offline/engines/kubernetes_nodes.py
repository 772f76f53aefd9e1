"""The nodes of an offline cluster: what its node groups, EKS Auto Mode and its Fargate profiles would start.

A node here is a name, a zone and a subnet; it has no size, so every pod fits. Taints are not looked at, and of
Auto Mode's node pools only those that are built in.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import ec2, eks

from workbench.offline.engines.kubernetes_objects import Object, matches

FARGATE_PROFILES = "_fargateProfiles"  # where the cluster's record keeps them: MiniStack has no such thing
_LAST = 2  # nodes are counted from a subnet's end (AWS keeps the last address), as pods are from its start


@dataclass(frozen=True)
class Node:
    """`cidr` is of the subnet that its pods have their addresses from."""

    name: str
    ip: str
    zone: str
    cidr: str
    labels: tuple[tuple[str, str], ...]

    @property
    def on_fargate(self) -> bool:
        return ("eks.amazonaws.com/compute-type", "fargate") in self.labels

    def as_object(self, *, ready: bool) -> Object:
        """The node as the API shows it."""
        condition = {"type": "Ready", "status": "True" if ready else "Unknown"}
        return {
            "metadata": {"labels": dict(self.labels)},
            "spec": {"providerID": f"aws:///{self.zone}/{self.name}"},
            "status": {
                "addresses": [{"type": "InternalIP", "address": self.ip}],
                "conditions": [condition],
            },
        }


@dataclass
class Fleet:
    """The nodes of one cluster; a node keeps its name as long as its place exists."""

    cluster: str
    account: str
    region: str
    _places: dict[tuple[str, str, int], Node] = field(default_factory=dict)
    _taken: Counter[str] = field(default_factory=Counter)  # by subnet

    def nodes(self) -> list[Node]:
        """As many as the node groups desire, and with a node pool of EKS Auto Mode one more in each zone."""
        with request_scope(self.account, self.region):
            made = [
                node
                for group in eks._nodegroups.values()
                if group["clusterName"] == self.cluster
                for node in self._of_group(group)
            ]
            auto = self._record.get("computeConfig", {})
            if auto.get("enabled") and auto.get("nodePools"):
                labels = {
                    "eks.amazonaws.com/compute-type": "auto",
                    "karpenter.sh/nodepool": "general-purpose",
                }
                subnets = self._record["resourcesVpcConfig"]["subnetIds"]
                in_zones = [self._node("auto", subnet, 0, labels) for subnet in subnets]
                made += {node.zone: node for node in in_zones}.values()
            return made

    def fargate_nodes(self, pod: Object) -> list[Node]:
        """Where `pod` may run when a Fargate profile selects it; empty when none does."""
        with request_scope(self.account, self.region):
            labels = {"eks.amazonaws.com/compute-type": "fargate"}
            for name, profile in self._record.get(FARGATE_PROFILES, {}).items():
                if any(_selects(selector, pod["metadata"]) for selector in profile["selectors"]):
                    return [self._node(f"fargate {name}", each, 0, labels) for each in profile["subnets"]]
            return []

    def named(self, name: str) -> Node | None:
        """A node that there is or has been."""
        return next((node for node in self._places.values() if node.name == name), None)

    @property
    def _record(self) -> dict[str, Any]:
        return eks._clusters.get(self.cluster) or {}

    def _of_group(self, group: Mapping[str, Any]) -> Iterator[Node]:
        subnets = group.get("subnets") or []
        scaling = group["scalingConfig"]
        labels = {"eks.amazonaws.com/nodegroup": group["nodegroupName"], **(group.get("labels") or {})}
        if group.get("instanceTypes"):
            labels["node.kubernetes.io/instance-type"] = group["instanceTypes"][0]
        in_turn = itertools.cycle(subnets)
        for number in range(int(scaling.get("desiredSize", scaling.get("minSize", 1))) if subnets else 0):
            yield self._node(group["nodegroupArn"], next(in_turn), number // len(subnets), labels)

    def _node(self, pool: str, subnet_id: str, number: int, labels: Mapping[str, str]) -> Node:
        place = (pool, subnet_id, number)
        if place not in self._places:
            subnet = ec2._subnets.get(subnet_id)
            if subnet is None:
                raise ValueError(
                    f"the cluster {self.cluster} names the subnet {subnet_id}, which does not exist"
                )
            network = ipaddress.ip_network(subnet["CidrBlock"])
            ip = str(network[network.num_addresses - _LAST - self._taken[subnet_id]])
            self._taken[subnet_id] += 1
            self._places[place] = self._named(ip, subnet, labels)
        return self._places[place]

    def _named(self, ip: str, subnet: Mapping[str, Any], labels: Mapping[str, str]) -> Node:
        domain = "ec2.internal" if self.region == "us-east-1" else f"{self.region}.compute.internal"
        name = f"ip-{ip.replace('.', '-')}.{domain}"
        standard = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "topology.kubernetes.io/region": self.region,
            "topology.kubernetes.io/zone": subnet["AvailabilityZone"],
        }
        return Node(
            name,
            ip,
            subnet["AvailabilityZone"],
            subnet["CidrBlock"],
            tuple(sorted({**standard, **labels}.items())),
        )


def _selects(selector: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Whether a Fargate profile's selector means a pod with this metadata."""
    wanted = {"matchLabels": selector.get("labels") or {}}
    return bool(
        selector["namespace"] == metadata["namespace"] and matches(metadata.get("labels", {}), wanted)
    )
