"""Programs of one image that live long, side by side on one EKS cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from math import ceil
from operator import add
from typing import Any

import jsii
from aws_cdk import IStableStringProducer, Lazy, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.blueprint_stack import BlueprintStack
from patterns.image_repository import ImageRepository
from patterns.kubernetes_cluster import (
    PODS_OF_EACH_NODE,
    PODS_OF_THE_CLUSTER,
    KubernetesCluster,
    pod_identity,
    pod_role,
    scaling,
)
from patterns.network import ZONES, Network
from patterns.network_balancer import PodTargets
from patterns.service_manifests import FIELDS, PodProgram, namespace_manifest, worker_manifests
from patterns.traffic import declare
from workbench.workload import Figure

CLUSTER_TAG = "eks:eks-cluster-name"
NONE = Figure(Decimal(0), "0")

# Type of node → vCPUs, GiB, and the pods that its network interfaces have addresses for. The review goes by the
# same figures: a test holds them equal.
NODES = {
    "t4g.small": (2, 2, 11),
    "t4g.medium": (2, 4, 17),
    "t4g.large": (2, 8, 35),
    "t4g.xlarge": (4, 16, 58),
    "m7g.large": (2, 8, 29),
    "m7g.xlarge": (4, 16, 58),
    "m7g.2xlarge": (8, 32, 58),
    "m7g.4xlarge": (16, 64, 110),
}
# What a node keeps for itself: `nodeadm` of "Amazon EKS AMI" (awslabs/amazon-eks-ami), the kernel's part estimated.
_KERNEL_SHARE = Decimal("0.07")
_KUBELET_MB, _KUBELET_MB_A_POD, _EVICTION_MB = 255, 11, 100
_KUBELET_CPU = ((1_000, Decimal("0.06")), (1_000, Decimal("0.01")), (2_000, Decimal("0.005")))
_KUBELET_CPU_BEYOND = Decimal("0.0025")
# What the add-ons ask for: the network's and the proxy's on each node; CoreDNS's and the metrics server's, twice.
_CPU_OF_EACH_NODE = 150
_CPU_OF_THE_CLUSTER, _MB_OF_THE_CLUSTER = 2 * (100 + 100), 2 * (70 + 200)


@dataclass(frozen=True)
class _Room:
    """What a node has for pods: CPU in thousandths, MiB, and how many."""

    cpu_milli: int
    memory_mb: int
    pods: int

    @classmethod
    def of(cls, node_type: str) -> _Room:
        """Raises `ValueError` for a type that is not in `NODES`."""
        if node_type not in NODES:
            raise ValueError(f"a node can be {', '.join(NODES)}; got {node_type}")
        cpus, gib, pods = NODES[node_type]
        memory = gib * 1024 * (1 - _KERNEL_SHARE) - _KUBELET_MB - _KUBELET_MB_A_POD * pods - _EVICTION_MB
        return cls(
            int(cpus * 1_000 - _reserved_cpu(cpus * 1_000) - _CPU_OF_EACH_NODE),
            int(memory),
            pods - PODS_OF_EACH_NODE,
        )

    def share(self, cpu_milli: int, memory_mb: int, count: int) -> Decimal:
        """The nodes, and parts of one, that `count` such pods fill. Raises `ValueError` where a node holds none."""
        fit = min(self.cpu_milli // cpu_milli, self.memory_mb // memory_mb, self.pods)
        if not fit:
            raise ValueError(
                f"no node holds a pod of {cpu_milli}m and {memory_mb} MiB; it has {self.cpu_milli}m and"
                f" {self.memory_mb} MiB for pods: take a larger node_type"
            )
        return Decimal(count) / fit

    def share_of_the_cluster(self) -> Decimal:
        """The part of a node that the cluster's own pods fill."""
        return max(
            Decimal(_CPU_OF_THE_CLUSTER) / self.cpu_milli,
            Decimal(_MB_OF_THE_CLUSTER) / self.memory_mb,
            Decimal(PODS_OF_THE_CLUSTER) / self.pods,
        )


@jsii.implements(iam.IGrantable)
class Worker(Construct):
    """One program: its Deployment is called `deployment` ("namespace/name"), and its pods have `role` and no other.

    `connections` are those of all pods of the cluster: EKS has one security group for nodes and pods. What one
    program alone may reach, its role says.
    """

    def __init__(
        self, scope: Construct, id: str, *, name: str, namespace: str, group: ec2.ISecurityGroup, port: int
    ) -> None:
        super().__init__(scope, id)
        self.name = name
        self.deployment = f"{namespace}/{name}"
        self.role = pod_role(self, "Role")
        self.connections = ec2.Connections(security_groups=[group], default_port=ec2.Port.tcp(port))

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The role of its pods: pass the worker itself to a grant."""
        return self.role


class KubernetesWorkers(KubernetesCluster):
    """`run` adds a program; all are of one image in `images`, told apart by their arguments, each under its own role.

    A program serves `/health` (200 while it is well) and `/ready` (200 while it should work) on `$PORT`. It can write
    to `/tmp` alone. Told to end by SIGTERM it has `FINISHED_S` seconds, and before that `DRAINED_S` where a load
    balancer may still send to it. Its own address is `$POD_IP`, its name `$POD_NAME`, its zone `$NODE_ZONE`.

    Each is scaled on its CPU between `fewest` and what the peak needs with a zone away, and the nodes have room for
    the most of all of them, and for one more of each while it is replaced. A step of the deployment applies all of
    it, once the nodes, the roles with their policies, and their associations are there.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        images: ImageRepository,
        image_tag: str,
        namespace: str,
        node_type: str = "t4g.medium",
    ) -> None:
        self._room = _Room.of(node_type)
        super().__init__(scope, id, network=network, node_type=node_type, count=ZONES)
        self._image, self._namespace = images.repository_uri_for_tag(image_tag), namespace
        self._gated = False
        self._manifests: list[dict[str, Any]] = []
        self._filled = self._room.share_of_the_cluster()
        self._pods: list[Figure] = []  # of each program, at the peak
        step = self._apply(Lazy.string(_Written(self)))
        self._step = step.resource
        declare(
            self.cluster,
            load_balancers=NONE,
            load_balancer_addresses=NONE,
            load_balancer_unit_hours_per_month=NONE,
        )
        self._size()

    def run(
        self,
        name: str,
        *,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        pods: Figure,
        memory_mb: int,
        cpu_milli: int,
        fewest: int | None = None,
        port: int = 8080,
        target_group: PodTargets | None = None,
    ) -> Worker:
        """Run a program as `name`, with `arguments` in the place of the image's CMD.

        `pods` is how many the peak needs; a pod has `cpu_milli` thousandths of a CPU and may have more, and
        `memory_mb` MiB and no more. With a `target_group` its pods are the targets. At least `fewest` run: in a
        sandbox one, if nothing is said, in production two, in two zones. Raises `ValueError` for fewer in
        production, and where a node cannot hold such a pod.
        """
        least = self._fewest(fewest)
        most = max(
            least, ceil(pods.value * ZONES / (ZONES - 1))
        )  # what is left without a zone carries the peak
        worker = Worker(self, _id(name), name=name, namespace=self._namespace, group=self.group, port=port)
        identity = pod_identity(
            worker,
            "PodIdentity",
            cluster=self.cluster,
            namespace=self._namespace,
            service_account=name,
            role=worker.role,
        )
        self._step.node.add_dependency(worker.role, identity)  # a pod's first call is granted
        if target_group is not None:
            # Load balancing of EKS may register targets in groups of its cluster's name alone
            # ("AmazonEKSLoadBalancingPolicy", AWS Managed Policy Reference).
            Tags.of(target_group).add(CLUSTER_TAG, self.cluster.ref)
            worker.connections.allow_from(
                target_group, ec2.Port.tcp(port), "the load balancer, and its checks"
            )
            self._gated = True
        program = PodProgram(
            name=name,
            namespace=self._namespace,
            image=self._image,
            arguments=arguments,
            environment=environment,
            port=port,
            health_path="/health",
            ready_path="/ready",
            cpu_milli=cpu_milli,
            memory_mb=memory_mb,
            memory_limit_mb=memory_mb,  # what it may take is what the nodes are sized for
            asked=target_group is not None,
            scratch=True,
            fields={**FIELDS, "POD_IP": "status.podIP"},
        )
        arn = target_group.target_group_arn if target_group is not None else None
        self._manifests += worker_manifests(program, fewest=least, most=most, target_group_arn=arn)
        self._filled += self._room.share(cpu_milli, memory_mb, most + 1)
        self._pods.append(pods)
        self._size()
        return worker

    def _fewest(self, asked: int | None) -> int:
        production = BlueprintStack.around(self).is_production
        least = asked if asked is not None else 2 if production else 1
        if least < (2 if production else 1):
            raise ValueError(f"in production at least two pods run, so that a zone may go; got {least}")
        return least

    def _size(self) -> None:
        """Have as many nodes as the programs fill, and say so to the review. Nothing adds nodes at the peak."""
        count = max(ZONES, ceil(self._filled))
        of_the_system = Figure(
            Decimal(count * PODS_OF_EACH_NODE + PODS_OF_THE_CLUSTER), "those of the system"
        )
        self.nodes.scaling_config = scaling(count)
        declare(
            self.nodes,
            again=True,
            average_nodes=Figure(Decimal(count), f"{count} nodes"),
            peak_pods=reduce(add, self._pods, of_the_system),
        )

    def _all_manifests(self) -> list[dict[str, Any]]:
        return [namespace_manifest(self._namespace, gated=self._gated), *self._manifests]


@jsii.implements(IStableStringProducer)
class _Written:
    """The manifests of all programs, when the template is written."""

    def __init__(self, workers: KubernetesWorkers) -> None:
        self._workers = workers

    def produce(self) -> str:
        return Stack.of(self._workers).to_json_string(self._workers._all_manifests())


def _reserved_cpu(cpu_milli: int) -> Decimal:
    reserved, left = Decimal(0), cpu_milli
    for span, share in _KUBELET_CPU:
        reserved, left = reserved + min(left, span) * share, max(0, left - span)
    return reserved + left * _KUBELET_CPU_BEYOND


def _id(name: str) -> str:
    """`FanOut` for "fan-out"."""
    return "".join(part.title() for part in name.split("-"))
