"""Who can reach whom on which port, computed from a template: security groups, routes, and who stands where.

A way is open where the one side's rules let it out and the other side's let it in. Security groups are
stateful, so answers need no rule. Network ACLs are taken to be VPC's own, which let everything pass.
Facts: "Control traffic to your AWS resources using security groups", "Route tables" (Amazon VPC User Guide).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from workbench.assembly import Assembly, Resource
from workbench.review.links import Links

Standing = Literal["public", "private", "isolated"]
INTERNET = "the internet"
EVERYWHERE = ("0.0.0.0/0", "::/0")
_FIRST, _LAST = 0, 65_535

# Resource type → where it names its security groups, and where its subnets.
_PLACES: dict[str, tuple[str, str]] = {
    "AWS::AutoScaling::AutoScalingGroup": ("", "VPCZoneIdentifier"),
    "AWS::EC2::Instance": ("SecurityGroupIds", "SubnetId"),
    "AWS::EC2::VPCEndpoint": ("SecurityGroupIds", "SubnetIds"),
    "AWS::EKS::Cluster": ("ResourcesVpcConfig.SecurityGroupIds", "ResourcesVpcConfig.SubnetIds"),
    "AWS::ElastiCache::ReplicationGroup": ("SecurityGroupIds", ""),
    "AWS::ElastiCache::ServerlessCache": ("SecurityGroupIds", "SubnetIds"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ("SecurityGroups", "Subnets"),
    "AWS::Lambda::Function": ("VpcConfig.SecurityGroupIds", "VpcConfig.SubnetIds"),
    "AWS::MSK::Cluster": ("BrokerNodeGroupInfo.SecurityGroups", "BrokerNodeGroupInfo.ClientSubnets"),
    "AWS::RDS::DBInstance": ("VPCSecurityGroups", ""),
    "AWS::RDS::DBCluster": ("VpcSecurityGroupIds", ""),
    "AWS::RDS::DBProxy": ("VpcSecurityGroupIds", "VpcSubnetIds"),
}
_SUBNET_GROUPS = {
    "AWS::ElastiCache::ReplicationGroup": ("CacheSubnetGroupName", "SubnetIds"),
    "AWS::RDS::DBInstance": ("DBSubnetGroupName", "SubnetIds"),
    "AWS::RDS::DBCluster": ("DBSubnetGroupName", "SubnetIds"),
}


@dataclass(frozen=True, order=True)
class Way:
    """`source` may open connections to `target` on `ports`: names of constructs, of networks, or `INTERNET`."""

    source: str
    target: str
    ports: str


@dataclass(frozen=True)
class _Rule:
    """One rule of a group: a peer (a group's key, or a network in CIDR notation) and the ports, known or any."""

    peer: str
    first: int = _FIRST
    last: int = _LAST
    are_known: bool = True

    @property
    def ports(self) -> str:
        if not self.are_known:
            return "a port known only at deployment"
        if self.first <= _FIRST and self.last >= _LAST:
            return "all"
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


class Reachability:
    """The ways that are open in `assembly`, and where everything stands."""

    def __init__(self, assembly: Assembly) -> None:
        self._links = Links(assembly)
        self._resources = list(assembly.resources)
        self._in: dict[str, list[_Rule]] = {}
        self._out: dict[str, list[_Rule]] = {}
        self._members: dict[str, list[Resource]] = {}
        for resource in self._resources:
            self._read_rules(resource)
        for resource in self._resources:
            for group in self._groups_of(resource):
                self._members.setdefault(group, []).append(resource)

    def standing(self, subnet: Resource) -> Standing:
        """Where a subnet is: `public` with a route to the internet gateway, `private` with one out, or `isolated`."""
        found: Standing = "isolated"
        for route in self._routes_of(subnet):
            if route.properties.get("DestinationCidrBlock") != "0.0.0.0/0":
                continue
            if "GatewayId" in route.properties:
                return "public"
            found = "private"
        return found

    def subnets(self) -> dict[str, Standing]:
        """Where each subnet is, by its name."""
        return {each.name: self.standing(each) for each in self._of("AWS::EC2::Subnet")}

    def members(self) -> dict[str, set[Standing]]:
        """What has a security group, and in which kinds of subnets it stands."""
        named: dict[str, set[Standing]] = {}
        for members in self._members.values():
            for each in members:
                standings = {self.standing(subnet) for subnet in self._subnets_of(each)}
                named.setdefault(each.name, set()).update(standings)
        return named

    def ways(self) -> list[Way]:
        """Every way that is open into something with a security group, sorted; from itself to itself left out."""
        named = {
            Way(source if isinstance(source, str) else source.name, target.name, ports)
            for source, target, ports in self.pairs()
        }
        return sorted(named)

    def pairs(self) -> Iterator[tuple[Resource | str, Resource, str]]:
        """The same unnamed: who, or which network, may connect to what, on which ports."""
        for group in self._members:
            yield from self._into(group)

    def from_outside(self) -> list[Way]:
        """The ways that the internet has: into what stands in a public subnet and lets everybody in."""
        members = self.members()
        return [
            way
            for way in self.ways()
            if way.source == INTERNET and "public" in members.get(way.target, set())
        ]

    def _into(self, group: str) -> Iterator[tuple[Resource | str, Resource, str]]:
        for rule in self._in.get(group, []):
            for target in self._members[group]:
                if rule.peer in self._members or rule.peer in self._in:
                    if self._lets_out(rule.peer, group, rule):
                        for source in self._members.get(rule.peer, []):
                            if source is not target:
                                yield source, target, rule.ports
                else:
                    yield INTERNET if rule.peer in EVERYWHERE else rule.peer, target, rule.ports

    def _lets_out(self, source: str, target: str, rule: _Rule) -> bool:
        if source not in self._out:
            return True  # a group that this assembly doesn't make lets everything out, as VPC's own do
        return any(
            (each.peer == target or each.peer in EVERYWHERE)
            and each.first <= rule.last
            and rule.first <= each.last
            for each in self._out[source]
        )

    def _read_rules(self, resource: Resource) -> None:
        properties = resource.properties
        match resource.type:
            case "AWS::EC2::SecurityGroup":
                key = _key(resource, None)
                self._in.setdefault(key, []).extend(self._rules(resource, "SecurityGroupIngress"))
                self._out.setdefault(key, []).extend(self._rules(resource, "SecurityGroupEgress"))
            case "AWS::EC2::SecurityGroupIngress":
                for group in self._keys(resource, properties.get("GroupId")):
                    self._in.setdefault(group, []).extend(self._rule(resource, properties))
            case "AWS::EC2::SecurityGroupEgress":
                for group in self._keys(resource, properties.get("GroupId")):
                    self._out.setdefault(group, []).extend(self._rule(resource, properties))

    def _rules(self, resource: Resource, name: str) -> Iterator[_Rule]:
        rules = resource.properties.get(name)
        for each in rules if isinstance(rules, list) else [rules]:
            if isinstance(each, dict):  # otherwise only deployment knows it
                yield from self._rule(resource, each)

    def _rule(self, resource: Resource, rule: dict[str, Any]) -> Iterator[_Rule]:
        peers = [str(rule[name]) for name in ("CidrIp", "CidrIpv6") if rule.get(name)]
        for name in ("SourceSecurityGroupId", "DestinationSecurityGroupId"):
            peers += self._keys(resource, rule.get(name))
        asked = [rule.get("FromPort"), rule.get("ToPort")]
        everything = str(rule.get("IpProtocol")) == "-1" or asked == [None, None]
        ports = [int(port) for port in map(str, asked) if re.fullmatch(r"-?\d{1,5}", port)]
        for peer in peers:
            # CDK writes a rule that matches nothing where a group is to let nothing out.
            if peer == "255.255.255.255/32":
                continue
            if everything or len(ports) < len(asked):
                yield _Rule(peer, are_known=everything)
            else:
                yield _Rule(peer, ports[0], ports[1])

    def _groups_of(self, resource: Resource) -> Iterator[str]:
        where, _ = _PLACES.get(resource.type, ("", ""))
        yield from self._keys(resource, _at(resource.properties, where))
        if resource.type == "AWS::AutoScaling::AutoScalingGroup":
            template = self._links.target(
                resource, _at(resource.properties, "LaunchTemplate.LaunchTemplateId")
            )
            if template is not None:
                yield from self._keys(
                    template, _at(template.properties, "LaunchTemplateData.SecurityGroupIds")
                )
        if resource.type == "AWS::EKS::Nodegroup":
            cluster = self._links.target(resource, resource.properties.get("ClusterName"))
            if cluster is not None:
                yield _key(cluster, "ClusterSecurityGroupId")

    def _subnets_of(self, resource: Resource) -> list[Resource]:
        if resource.type in _SUBNET_GROUPS:
            name, listed = _SUBNET_GROUPS[resource.type]
            group = self._links.target(resource, resource.properties.get(name))
            return self._targets(group, group.properties.get(listed)) if group is not None else []
        if resource.type == "AWS::EKS::Nodegroup":
            return self._targets(resource, resource.properties.get("Subnets"))
        _, where = _PLACES.get(resource.type, ("", ""))
        return self._targets(resource, _at(resource.properties, where))

    def _routes_of(self, subnet: Resource) -> Iterator[Resource]:
        for association in self._of("AWS::EC2::SubnetRouteTableAssociation"):
            if self._links.target(association, association.properties.get("SubnetId")) is subnet:
                table = self._links.target(association, association.properties.get("RouteTableId"))
                for route in self._of("AWS::EC2::Route"):
                    if self._links.target(route, route.properties.get("RouteTableId")) is table:
                        yield route

    def _keys(self, resource: Resource, value: Any) -> list[str]:
        """The groups that `value` names: ours, those of a cluster, or such as are not of this assembly."""
        found = []
        for each in value if isinstance(value, list) else [value]:
            target = self._links.target(resource, each) if each is not None else None
            if target is not None:
                attribute = getattr(each, "attribute", None)
                found.append(_key(target, None if target.type == "AWS::EC2::SecurityGroup" else attribute))
            elif isinstance(each, str):
                found.append(each)
        return found

    def _targets(self, resource: Resource, value: Any) -> list[Resource]:
        listed = value if isinstance(value, list) else [value]
        found = [self._links.target(resource, each) for each in listed if each is not None]
        return [each for each in found if each is not None]

    def _of(self, kind: str) -> Iterator[Resource]:
        return (each for each in self._resources if each.type == kind)


def table(reachability: Reachability) -> str:
    """The ways that are open, as a Markdown table."""
    members = reachability.members()
    rows = ["| from | may connect to | on port | which stands in |", "|---|---|---|---|"]
    for way in reachability.ways():
        standing = ", ".join(sorted(members[way.target])) or "—"
        rows.append(f"| {way.source} | {way.target} | {way.ports} | {standing} |")
    return "\n".join(rows)


def _key(resource: Resource, attribute: str | None) -> str:
    stack = resource.stack
    return f"{stack.template_file}/{resource.logical_id}{'.' + attribute if attribute else ''}"


def _at(properties: dict[str, Any], path: str) -> Any:
    found: Any = properties
    for part in path.split(".") if path else ["?"]:
        found = found.get(part) if isinstance(found, dict) else None
    return found
