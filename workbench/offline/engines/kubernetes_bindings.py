"""What EKS Auto Mode's load balancing does with a TargetGroupBinding: pods become targets of a group that is there.

Sources: "Use Service Annotations to configure Network Load Balancers", Amazon EKS User Guide (its kind is
`eks.amazonaws.com/v1`); "TargetGroupBinding" and "Pod readiness gate", AWS Load Balancer Controller;
"AmazonEKSLoadBalancingPolicy", AWS Managed Policy Reference: EKS may register targets only in a group that is tagged
with its cluster's name. Targets are pods by their own address. The group is the binding's alone: what else is
registered in it is taken out. Who may send to the pods (`networking`) is not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import alb

from workbench.offline.engines.kubernetes_ingress import (
    GATE,
    READINESS_LABEL,
    Backend,
    Refusal,
    ready_targets,
    register,
    require_load_balancing,
    selects,
    where,
)
from workbench.offline.engines.kubernetes_kinds import Kind
from workbench.offline.engines.kubernetes_objects import Object, Objects
from workbench.offline.engines.kubernetes_pods import Pod

BINDING = Kind("eks.amazonaws.com", "v1", "TargetGroupBinding", open=True)
CLUSTER_TAG = "eks:eks-cluster-name"


class Bindings:
    """The target groups that pods of one cluster are bound to."""

    def __init__(self, cluster: str, account: str, region: str, objects: Objects) -> None:
        self._cluster, self._account, self._region = cluster, account, region
        self._objects = objects
        self._bound: dict[tuple[str, str], str] = {}  # the group, by the binding's namespace and name

    def act(self, pods: list[Pod]) -> list[tuple[Object, str]]:
        """Register the pods that are ready, and take out all others; `pods` are all that run.

        Returns the bindings that this cannot be done for, each with the reason.
        """
        refused: list[tuple[Object, str]] = []
        with request_scope(self._account, self._region):
            bindings = {where(each): each for each in self._objects.list(BINDING)}
            for place in self._bound.keys() - bindings.keys():
                self._leave(place)
            for place, binding in bindings.items():
                try:
                    self._bind(place, binding.get("spec") or {}, pods)
                except Refusal as refusal:
                    refused.append((binding, str(refusal)))
        return refused

    def gates_for(self, namespace: Object, labels: Mapping[str, str]) -> list[Object]:
        """The readiness gates of a new pod with these labels: one for each binding that its Service has."""
        if namespace["metadata"].get("labels", {}).get(READINESS_LABEL) != "enabled":
            return []
        name = namespace["metadata"]["name"]
        return [
            {"conditionType": f"{GATE}/{where(each)[1]}"}
            for each in self._objects.list(BINDING, name)
            if selects(self._objects, name, _backend(each.get("spec") or {})[0], labels)
        ]

    def gates(self) -> dict[str, str]:
        """The target group that each gate waits for."""
        return {f"{GATE}/{name}": group for (_, name), group in self._bound.items()}

    def _bind(self, place: tuple[str, str], spec: Mapping[str, Any], pods: list[Pod]) -> None:
        group = self._group(spec)
        if self._bound.get(place, group) != group:
            self._leave(place)
        self._bound[place] = group
        held = {
            (str(each["Id"]), int(each.get("Port") or alb._tgs[group]["Port"]))
            for each in alb._targets.get(group, [])
        }
        register(group, held, ready_targets(self._objects, place[0], _backend(spec), pods))

    def _group(self, spec: Mapping[str, Any]) -> str:
        """The group that a binding names. Raises `Refusal` where EKS could not bind pods to it."""
        require_load_balancing(self._cluster)
        arn = str(spec.get("targetGroupARN", ""))
        group = alb._tgs.get(arn)
        if group is None:
            raise Refusal(f"there is no target group {arn!r}: spec.targetGroupARN names it")
        if group["TargetType"] != "ip" or spec.get("targetType", "ip") != "ip":
            raise Refusal(f"the targets of {arn} are no addresses: offline only pods are bound, by theirs")
        tags = {each["Key"]: each["Value"] for each in alb._tags.get(arn, [])}
        if tags.get(CLUSTER_TAG) != self._cluster:
            raise Refusal(
                f"EKS may register no targets in {arn}: it is not tagged {CLUSTER_TAG}={self._cluster}"
            )
        return arn

    def _leave(self, place: tuple[str, str]) -> None:
        """Take everything out of the group that was bound; it may be gone."""
        group = self._bound.pop(place)
        if group in alb._tgs:
            held = {(str(each["Id"]), int(each.get("Port") or 0)) for each in alb._targets.get(group, [])}
            register(group, held, set())


def _backend(spec: Mapping[str, Any]) -> Backend:
    service = spec.get("serviceRef") or {}
    return str(service.get("name", "")), str(service.get("port", ""))
