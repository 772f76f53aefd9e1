"""EKS with a cluster behind each record: `engines/kubernetes.py`.

MiniStack keeps the records and answers the API; here a cluster

* is refused in a version that there are no schemas of, and has its API server's address and certificate authority;
* keeps what CloudFormation and the API say of EKS Auto Mode, encryption and who is its first administrator;
* has a security group that exists, and the network of its subnets;
* takes access entries only in an authentication mode that has them, and pod identities only for roles that
  trust `pods.eks.amazonaws.com` ("Create an access entry" and "Create IAM role with trust policy required by EKS
  Pod Identity", Amazon EKS User Guide).

Whether the endpoint is public or private, and security groups, are not enforced: everything is on loopback. The
`aws-auth` ConfigMap is not read. An update of the version is at once.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

from ministack.core.iam_evaluator import caller_arn
from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, eks, iam
from ministack.services.cloudformation import provisioners

from workbench.offline.engines import kubernetes
from workbench.offline.engines.kubernetes_kinds import UnknownVersion
from workbench.offline.parts import Answer
from workbench.offline.surroundings import surroundings

DEFAULT_VERSION = "1.33"  # where a request names none; on AWS, the newest in standard support
_POD_IDENTITY = "pods.eks.amazonaws.com"
_KEPT = (  # of a request, besides what MiniStack keeps: by its name there
    "computeConfig",
    "deletionProtection",
    "kubernetesNetworkConfig",
    "storageConfig",
    "upgradePolicy",
    "zonalShiftConfig",
)


def extend() -> None:
    """Put a cluster behind each record."""
    eks._get_docker = lambda: None
    eks._create_cluster = _creating(eks._create_cluster)
    eks._delete_cluster = _deleting(eks._delete_cluster)
    eks._create_access_entry = _where_there_are_access_entries(eks._create_access_entry)
    eks._create_pod_identity_association = _for_roles_that_trust(eks._create_pod_identity_association)
    provisioners._eks_cluster_fields = _with_all_fields(provisioners._eks_cluster_fields)
    provisioners._eks_cluster_attrs = _following(provisioners._eks_cluster_attrs)


def _creating(create: Any) -> Any:
    def create_with_engine(body: dict[str, Any], creator_arn: str | None = None) -> Answer:
        body = {"version": DEFAULT_VERSION} | body
        name, network = str(body.get("name", "")), _network_of(body)
        if name in eks._clusters:
            return create(body, creator_arn)  # type: ignore[no-any-return]
        try:
            engine = kubernetes.launch(name, body["version"], get_account_id(), get_region())
        except UnknownVersion as problem:
            return eks._error(400, "InvalidParameterException", str(problem))  # type: ignore[no-any-return]
        creator = creator_arn or caller_arn()
        answer: Answer = create(
            body | {"resourcesVpcConfig": network}, eks._role_arn_from_assumed_role(creator) or creator
        )
        if answer[0] >= 400:
            kubernetes.end(name, get_account_id(), get_region())
            return answer
        cluster = eks._clusters[name]
        _complete(cluster, body, engine.url)
        return eks._json_resp(200, {"cluster": eks._sanitize(cluster)})  # type: ignore[no-any-return]

    return create_with_engine


def _complete(cluster: dict[str, Any], body: Mapping[str, Any], endpoint: str) -> None:
    """Write into the record of a new cluster what stands behind it, and what MiniStack leaves out."""
    for field in _KEPT:
        if field in body:
            kept = body[field]
            cluster[field] = {**cluster.get(field, {}), **kept} if isinstance(kept, dict) else kept
    cluster["endpoint"] = endpoint
    cluster["certificateAuthority"] = {
        "data": base64.b64encode(surroundings().ca_bundle.read_bytes()).decode()
    }
    cluster["status"] = "ACTIVE"
    network = cluster["resourcesVpcConfig"]
    network["clusterSecurityGroupId"] = _security_group_for(cluster["name"], network["vpcId"])
    # Without one, as the API has it: "CreateAccessConfigRequest", Amazon EKS API Reference.
    cluster["accessConfig"].setdefault("authenticationMode", "CONFIG_MAP")


def _network_of(body: Mapping[str, Any]) -> dict[str, Any]:
    network = dict(body.get("resourcesVpcConfig") or {})
    subnets = (ec2._subnets.get(each) for each in network.get("subnetIds", []))
    if vpc := next((subnet["VpcId"] for subnet in subnets if subnet), None):
        network["vpcId"] = vpc
    return network


def _security_group_for(cluster: str, vpc: str) -> str:
    """A group whose members reach each other, as EKS makes one for a cluster and its nodes."""
    name = f"eks-cluster-sg-{cluster}-{uuid.uuid4().hex[:10]}"
    description = "EKS created security group applied to its network interfaces and nodes"
    ec2._create_security_group({"GroupName": [name], "GroupDescription": [description], "VpcId": [vpc]})
    made = next(each for each in ec2._security_groups.values() if each["GroupName"] == name)
    pair = {"GroupId": made["GroupId"], "UserId": get_account_id()}
    made["IpPermissions"].append(
        {
            "IpProtocol": "-1",
            "IpRanges": [],
            "Ipv6Ranges": [],
            "PrefixListIds": [],
            "UserIdGroupPairs": [pair],
        }
    )
    return str(made["GroupId"])


def _deleting(delete: Any) -> Any:
    def delete_with_engine(name: str) -> Answer:
        cluster = eks._clusters.get(name)
        if cluster is not None and cluster.get("deletionProtection"):
            message = f"Cluster {name} has deletion protection enabled: disable it to delete the cluster."
            return eks._error(400, "InvalidRequestException", message)  # type: ignore[no-any-return]
        if cluster is not None:
            kubernetes.end(name, get_account_id(), get_region())
            ec2._security_groups.pop(cluster["resourcesVpcConfig"]["clusterSecurityGroupId"], None)
        return delete(name)  # type: ignore[no-any-return]

    return delete_with_engine


def _where_there_are_access_entries(create: Any) -> Any:
    def create_entry(cluster_name: str, body: dict[str, Any]) -> Answer:
        cluster = eks._clusters.get(cluster_name)
        if cluster is not None and cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
            message = (
                "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform"
                " this operation."
            )
            return eks._error(400, "InvalidRequestException", message)  # type: ignore[no-any-return]
        return create(cluster_name, body)  # type: ignore[no-any-return]

    return create_entry


def _for_roles_that_trust(create: Any) -> Any:
    def create_association(cluster_name: str, body: dict[str, Any]) -> Answer:
        role = iam._roles.get(str(body.get("roleArn", "")).rpartition("/")[2])
        if role is not None and not _trusts_pods(role["AssumeRolePolicyDocument"]):
            message = (
                f"Trust policy of the role provided is invalid: it must allow {_POD_IDENTITY} both sts:AssumeRole"
                " and sts:TagSession."
            )
            return eks._error(400, "InvalidParameterException", message)  # type: ignore[no-any-return]
        return create(cluster_name, body)  # type: ignore[no-any-return]

    return create_association


def _trusts_pods(policy: str | Mapping[str, Any]) -> bool:
    document = json.loads(policy) if isinstance(policy, str) else policy
    allowed: set[str] = set()
    for statement in _listed(document["Statement"]):
        principal = statement.get("Principal", {})
        services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else []
        if statement["Effect"] == "Allow" and _POD_IDENTITY in services:
            allowed.update(str(action).lower() for action in _listed(statement["Action"]))
    return bool(allowed & {"*", "sts:*"}) or {"sts:assumerole", "sts:tagsession"} <= allowed


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _with_all_fields(fields_of: Any) -> Any:
    """What CloudFormation says of a cluster that MiniStack does not pass on."""

    def fields(properties: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = fields_of(properties)
        said = _booleans(provisioners._pascal_to_camel(properties))
        for field in (*_KEPT, "encryptionConfig"):
            if field in said:
                found[field] = said[field]
        first = said.get("accessConfig", {}).get("bootstrapClusterCreatorAdminPermissions")
        if first is not None:
            found["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] = first
        return found

    return fields


def _booleans(value: Any) -> Any:
    """CloudFormation may write "true" for true."""
    if isinstance(value, dict):
        return {name: _booleans(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_booleans(each) for each in value]
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _following(attributes_of: Any) -> Any:
    """The attributes of a cluster that was created or updated; its engine follows the record's version."""

    def attributes(cluster: dict[str, Any]) -> dict[str, Any]:
        try:
            engine = kubernetes.behind(cluster["name"], get_account_id(), get_region())
            if engine:
                engine.change_version(cluster["version"])
        except UnknownVersion as problem:
            raise ValueError(f"AWS::EKS::Cluster: {problem}") from None
        found: dict[str, Any] = attributes_of(cluster)
        keys = [each.get("provider", {}).get("keyArn", "") for each in cluster.get("encryptionConfig") or []]
        return {**found, "EncryptionConfigKeyArn": keys[0] if keys else "", "Id": cluster["name"]}

    return attributes
