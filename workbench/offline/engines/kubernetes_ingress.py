"""What EKS Auto Mode's load balancing does in an offline cluster: an Application Load Balancer for each Ingress.

Sources: "Create an IngressClass to configure an Application Load Balancer", Amazon EKS User Guide; "Ingress
annotations" and "Pod readiness gate", AWS Load Balancer Controller; "Ingress", Kubernetes documentation. Of
IngressClassParams `scheme`, `subnets.ids`, `certificateARNs` and `tags` are heeded, of the annotations those of the
health check. Pods are always targets by their own address, as Auto Mode has it by default.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import alb, ec2, eks

from workbench.offline.engines.kubernetes_kinds import Kind
from workbench.offline.engines.kubernetes_objects import Object, Objects, matches
from workbench.offline.engines.kubernetes_pods import SERVICE, Pod
from workbench.offline.parts.load_balancers import health_of

INGRESS = Kind("networking.k8s.io", "v1", "Ingress")
INGRESS_CLASS = Kind("networking.k8s.io", "v1", "IngressClass")
CLASS_PARAMETERS = Kind("eks.amazonaws.com", "v1", "IngressClassParams", open=True)
CONTROLLER = "eks.amazonaws.com/alb"
READINESS_LABEL = "eks.amazonaws.com/pod-readiness-gate-inject"
GATE = "target-health.elbv2.k8s.aws"
_ANNOTATION = "alb.ingress.kubernetes.io/"
_HEALTH_CHECK = {  # annotation: (parameter of ModifyTargetGroup, what the controller sets by itself)
    "healthcheck-path": ("HealthCheckPath", "/"),
    "healthcheck-interval-seconds": ("HealthCheckIntervalSeconds", "15"),
    "healthcheck-timeout-seconds": ("HealthCheckTimeoutSeconds", "5"),
    "healthy-threshold-count": ("HealthyThresholdCount", "2"),
    "unhealthy-threshold-count": ("UnhealthyThresholdCount", "2"),
    "success-codes": ("Matcher.HttpCode", "200"),
}

Backend = tuple[str, str]  # a Service and its port, by name or number


@dataclass
class Balancer:
    """What was made for one Ingress; `made_of` is what it was made from."""

    arn: str
    host: str
    listener: str = ""
    made_of: str = ""
    groups: dict[Backend, str] = field(default_factory=dict)
    targets: dict[Backend, set[tuple[str, int]]] = field(default_factory=dict)


class Refusal(Exception):
    """Nothing balances the load of an Ingress; the text says why, in one line."""


class Ingresses:
    """The load balancers of one cluster."""

    def __init__(self, cluster: str, account: str, region: str, objects: Objects) -> None:
        self._cluster, self._account, self._region = cluster, account, region
        self._objects = objects
        self._balancers: dict[tuple[str, str], Balancer] = {}

    def act(self, pods: list[Pod]) -> list[tuple[Object, str]]:
        """Make, change and remove load balancers, and register the pods that are ready; `pods` are all that run.

        Returns the Ingresses that this cannot be done for, each with the reason.
        """
        refused: list[tuple[Object, str]] = []
        with request_scope(self._account, self._region):
            ingresses = {where(each): each for each in self._objects.list(INGRESS)}
            for gone in self._balancers.keys() - ingresses.keys():
                self._take_away(self._balancers.pop(gone))
            for place, ingress in ingresses.items():
                try:
                    self._require_controller(ingress)
                    self._balance(place, ingress, pods)
                except Refusal as refusal:
                    refused.append((ingress, str(refusal)))
        return refused

    def _balance(self, where: tuple[str, str], ingress: Object, pods: list[Pod]) -> None:
        if where not in self._balancers:
            self._balancers[where] = self._make(ingress)
        balancer = self._balancers[where]
        self._shape(balancer, ingress)
        for backend in balancer.groups:
            self._register(balancer, backend, where[0], pods)
        status = {"loadBalancer": {"ingress": [{"hostname": balancer.host}]}}
        self._objects.write(INGRESS, *where, lambda live: live.update(status=status))

    def _require_controller(self, ingress: Object) -> None:
        """Raise `Refusal` unless the Ingress is one that Auto Mode makes a load balancer for."""
        name = ingress["spec"].get("ingressClassName", "")
        ingress_class = self._objects.find(INGRESS_CLASS, "", name)
        if ingress_class is None:
            raise Refusal(
                f"there is no IngressClass {name!r}; one whose controller is {CONTROLLER} makes an ALB"
            )
        controller = ingress_class["spec"].get("controller")
        if controller != CONTROLLER:
            raise Refusal(f"the IngressClass {name} is of {controller}; offline only {CONTROLLER} is known")
        require_load_balancing(self._cluster)

    def gates_for(self, namespace: Object, labels: Mapping[str, str]) -> list[Object]:
        """The readiness gates of a new pod with these labels: one for each target group that it will be in."""
        if namespace["metadata"].get("labels", {}).get(READINESS_LABEL) != "enabled":
            return []
        name = namespace["metadata"]["name"]
        return [
            {"conditionType": f"{GATE}/{_group_name(arn)}"}
            for (within, _), balancer in self._balancers.items()
            for (service, _port), arn in balancer.groups.items()
            if within == name and selects(self._objects, name, service, labels)
        ]

    def gates(self) -> dict[str, str]:
        """The target group that each gate waits for."""
        return {
            f"{GATE}/{_group_name(arn)}": arn
            for balancer in self._balancers.values()
            for arn in balancer.groups.values()
        }

    def _make(self, ingress: Object) -> Balancer:
        parameters = self._parameters(ingress)
        record = eks._clusters[self._cluster]["resourcesVpcConfig"]
        metadata = ingress["metadata"]
        name = _name(metadata["namespace"], metadata["name"], metadata["uid"])
        tags = {each["key"]: each["value"] for each in parameters.get("tags", [])}
        tags |= {
            "eks:eks-cluster-name": self._cluster,
            "ingress.eks.amazonaws.com/stack": f"{metadata['namespace']}/{metadata['name']}",
        }
        scheme = parameters.get("scheme", "internal")
        subnets = parameters.get("subnets", {}).get("ids") or _tagged_subnets(_vpc_of(record), scheme)
        answer = _call(
            "CreateLoadBalancer",
            Name=name,
            Scheme=scheme,
            Type="application",
            VpcId=_vpc_of(record),
            Subnets=subnets,
            SecurityGroups=[record["clusterSecurityGroupId"]],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        arn = _first(answer, "LoadBalancerArn")
        return Balancer(arn, str(alb._lbs[arn]["DNSName"]))

    def _shape(self, balancer: Balancer, ingress: Object) -> None:
        """Make listener, target groups and rules as the Ingress says; the old ones serve until then."""
        metadata, spec = ingress["metadata"], ingress["spec"]
        annotations, parameters = metadata.get("annotations", {}), self._parameters(ingress)
        checks = {
            parameter: annotations.get(_ANNOTATION + name, usual)
            for name, (parameter, usual) in _HEALTH_CHECK.items()
        }
        made_of = json.dumps([spec, checks, parameters], sort_keys=True)
        if made_of == balancer.made_of:
            return
        listener, groups = balancer.listener, dict(balancer.groups)
        balancer.groups = {
            backend: groups.get(backend) or self._make_group(balancer, metadata, backend)
            for backend in _backends(spec)
        }
        for arn in balancer.groups.values():
            _call("ModifyTargetGroup", TargetGroupArn=arn, **checks)
        balancer.listener = _make_listener(balancer, spec, parameters.get("certificateARNs", [])[:1])
        if listener:
            _call("DeleteListener", ListenerArn=listener)
        for arn in set(groups.values()) - set(balancer.groups.values()):
            _call("DeleteTargetGroup", TargetGroupArn=arn)
        balancer.made_of = made_of

    def _make_group(self, balancer: Balancer, metadata: Mapping[str, Any], backend: Backend) -> str:
        balancer.targets.pop(backend, None)
        answer = _call(
            "CreateTargetGroup",
            Name=_name(metadata["namespace"], backend[0], f"{balancer.arn}{backend}"),
            Protocol="HTTP",
            Port="80",
            VpcId=_vpc_of(eks._clusters[self._cluster]["resourcesVpcConfig"]),
            TargetType="ip",
        )
        return _first(answer, "TargetGroupArn")

    def _register(self, balancer: Balancer, backend: Backend, namespace: str, pods: list[Pod]) -> None:
        """Make the targets of one group the pods of its Service whose containers are ready."""
        wanted = ready_targets(self._objects, namespace, backend, pods)
        register(balancer.groups[backend], balancer.targets.get(backend, set()), wanted)
        balancer.targets[backend] = wanted

    def _take_away(self, balancer: Balancer) -> None:
        if balancer.listener:  # none where it was refused
            _call("DeleteListener", ListenerArn=balancer.listener)
        for arn in balancer.groups.values():
            _call("DeleteTargetGroup", TargetGroupArn=arn)
        _call("DeleteLoadBalancer", LoadBalancerArn=balancer.arn)

    def _parameters(self, ingress: Object) -> dict[str, Any]:
        ingress_class = self._objects.find(INGRESS_CLASS, "", ingress["spec"]["ingressClassName"]) or {}
        reference = ingress_class.get("spec", {}).get("parameters")
        found = self._objects.find(CLASS_PARAMETERS, "", reference["name"]) if reference else None
        return dict((found or {}).get("spec") or {})


def require_load_balancing(cluster: str) -> None:
    """Raise `Refusal` unless EKS balances load for this cluster. In the scope of its region."""
    network = eks._clusters[cluster]["kubernetesNetworkConfig"]
    if not network.get("elasticLoadBalancing", {}).get("enabled"):
        raise Refusal("the cluster's KubernetesNetworkConfig does not enable ElasticLoadBalancing")


def open_gates(pods: list[Pod], groups: Mapping[str, str]) -> bool:
    """Open the gates of pods whose targets are healthy in the gates' `groups`; whether one was opened or shut."""
    changed = False
    for pod in pods:
        for gate in pod.gates:
            healthy = gate in groups and pod.ip is not None and _is_healthy(groups[gate], pod.ip)
            changed |= pod.gates[gate] != healthy
            pod.gates[gate] = healthy
    return changed


def selects(objects: Objects, namespace: str, service: str, labels: Mapping[str, str]) -> bool:
    """Whether a Service is there and selects pods with these labels."""
    selector = (objects.find(SERVICE, namespace, service) or {}).get("spec", {}).get("selector")
    return bool(selector) and matches(labels, {"matchLabels": selector})


def ready_targets(
    objects: Objects, namespace: str, backend: Backend, pods: list[Pod]
) -> set[tuple[str, int]]:
    """Address and port of the pods of a Service whose containers are ready; none where it is missing."""
    service = objects.find(SERVICE, namespace, backend[0])
    found: set[tuple[str, int]] = set()
    if service is not None:
        for pod in pods:
            selector = service["spec"].get("selector")
            if selector and pod.namespace == namespace and matches(pod.labels, {"matchLabels": selector}):
                port = target_port(service, backend[1], pod)
                if pod.contained and pod.ip and port:
                    found.add((pod.ip, port))
    return found


def register(group: str, held: set[tuple[str, int]], wanted: set[tuple[str, int]]) -> None:
    """Make the targets of a group `wanted` ones, where they are `held`. In the scope of its region."""
    for action, targets in (("RegisterTargets", wanted - held), ("DeregisterTargets", held - wanted)):
        if targets:
            named = [{"Id": ip, "Port": str(port)} for ip, port in sorted(targets)]
            _call(action, TargetGroupArn=group, Targets=named)


def target_port(service: Object, port: str, pod: Pod) -> int | None:
    """The port of `pod` that a Service's port, by name or number, leads to; None where there is none."""
    for each in service["spec"].get("ports", []):
        if port in (each.get("name"), str(each["port"])):
            target = each["targetPort"]
            if isinstance(target, int):
                return target
            named = {
                declared.get("name"): declared["containerPort"] for declared in pod.container.get("ports", [])
            }
            return named.get(target)
    return None


def _backend(backend: Mapping[str, Any]) -> Backend:
    service = backend["service"]
    port = service["port"]
    return service["name"], str(port.get("name") or port.get("number"))


def _backends(spec: Mapping[str, Any]) -> list[Backend]:
    default = [_backend(spec["defaultBackend"])] if "defaultBackend" in spec else []
    return list(dict.fromkeys([*default, *(backend for _, _, backend in _rules(spec))]))


def _rules(spec: Mapping[str, Any]) -> Iterator[tuple[str, list[str], Backend]]:
    """Host, path patterns and backend of each rule, the longest path first, as the controller orders them."""
    found = [
        (rule.get("host", ""), path, _backend(path["backend"]))
        for rule in spec.get("rules", [])
        for path in (rule.get("http") or {}).get("paths", [])
    ]
    for host, path, backend in sorted(found, key=lambda each: (not each[0], -len(each[1].get("path", "/")))):
        text = path.get("path", "/")
        if path["pathType"] == "Prefix":
            stem = text.rstrip("/")
            yield host, [f"{stem}/*"] + ([stem] if stem else []), backend
        else:
            yield host, [text], backend


def where(each: Object) -> tuple[str, str]:
    """The namespace and the name of an object."""
    return each["metadata"]["namespace"], each["metadata"]["name"]


def _name(namespace: str, name: str, salt: str) -> str:
    """`k8s-shop-web-0123456789`, as the controller calls what it makes; at most 32 characters."""
    short = [re.sub(r"[^a-z0-9]", "", part)[:8] for part in (namespace, name)]
    return f"k8s-{short[0]}-{short[1]}-{hashlib.sha256(salt.encode()).hexdigest()[:10]}"


def _group_name(arn: str) -> str:
    return arn.split("/")[1]


def _vpc_of(record: Mapping[str, Any]) -> str:
    subnets = (ec2._subnets.get(each) for each in record["subnetIds"])
    return next((str(subnet["VpcId"]) for subnet in subnets if subnet), "")


def _tagged_subnets(vpc: str, scheme: str) -> list[str]:
    """Where a load balancer may stand: "Tag subnets for EKS Auto Mode", Amazon EKS User Guide.

    Raises `Refusal` when no subnet is tagged so.
    """
    tag = "kubernetes.io/role/elb" if scheme == "internet-facing" else "kubernetes.io/role/internal-elb"
    found = [
        name
        for name, subnet in ec2._subnets.items()
        if subnet["VpcId"] == vpc
        and any(each["Key"] == tag and each["Value"] in ("", "1") for each in ec2._tags.get(name, []))
    ]
    if not found:
        raise Refusal(
            f"no subnet of {vpc} is tagged {tag}=1, where a load balancer that is {scheme} may stand"
        )
    return sorted(found)


def _is_healthy(group: str, ip: str) -> bool:
    health = health_of(group, ip)
    return health is not None and health.state == "healthy"


def _make_listener(balancer: Balancer, spec: Mapping[str, Any], certificates: list[str]) -> str:
    """A listener with the rules of an Ingress: on 443 where there are certificates, on 80 otherwise."""
    default = spec.get("defaultBackend")
    secure = {f"Certificates.member.{place}.CertificateArn": arn for place, arn in enumerate(certificates, 1)}
    answer = _call(
        "CreateListener",
        LoadBalancerArn=balancer.arn,
        Port="443" if certificates else "80",
        Protocol="HTTPS" if certificates else "HTTP",
        **secure,
        **_action("DefaultActions", balancer.groups[_backend(default)] if default else None),
    )
    listener = _first(answer, "ListenerArn")
    for priority, (host, paths, backend) in enumerate(_rules(spec), 1):
        conditions = ([("host-header", [host])] if host else []) + [("path-pattern", paths)]
        _call(
            "CreateRule",
            ListenerArn=listener,
            Priority=str(priority),
            **_conditions(conditions),
            **_action("Actions", balancer.groups[backend]),
        )
    return listener


def _action(prefix: str, group: str | None) -> dict[str, str]:
    """Forward to a target group, or answer 404 where there is none."""
    if group is None:
        kind = {"Type": "fixed-response", "FixedResponseConfig.StatusCode": "404"}
    else:
        kind = {"Type": "forward", "TargetGroupArn": group}
    return {f"{prefix}.member.1.{name}": value for name, value in kind.items()}


def _conditions(conditions: list[tuple[str, list[str]]]) -> dict[str, str]:
    found = {}
    for number, (name, values) in enumerate(conditions, 1):
        found[f"Conditions.member.{number}.Field"] = name
        for place, value in enumerate(values, 1):
            found[f"Conditions.member.{number}.Values.member.{place}"] = value
    return found


def _call(action: str, **parameters: Any) -> str:
    """Call Elastic Load Balancing as its API is called. Raises `Refusal` with its words."""
    flat: dict[str, list[str]] = {}
    for name, value in parameters.items():
        if isinstance(value, str):
            flat[name] = [value]
            continue
        for number, each in enumerate(value, 1):
            inner = {"": each} if isinstance(each, str) else {f".{key}": text for key, text in each.items()}
            flat |= {f"{name}.member.{number}{key}": [text] for key, text in inner.items()}
    status, _, body = alb._ACTION_MAP[action](flat)
    text = body.decode() if isinstance(body, bytes) else str(body)
    if status >= 400:
        raise Refusal(f"{action}: {_first(text, 'Message')}")
    return text


def _first(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found[1] if found else ""
