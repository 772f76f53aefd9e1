"""EKS beside clusters and node groups: access entries, pod identities, Fargate profiles, and two that do nothing.

What `Ref` and each attribute answer is what the registry schemas of CloudFormation give as primary identifier and
read-only properties. Not here: add-ons that install something, and tokens of identity providers.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import eks
from ministack.services.cloudformation.provisioners import _pascal_to_camel, _tag_map

from workbench.offline.engines.kubernetes_nodes import FARGATE_PROFILES
from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import answered, physical_name, replacing


def _body(properties: Properties, *left_out: str) -> dict[str, Any]:
    """The request that says the same as `properties`."""
    said = {
        name: value for name, value in properties.items() if name not in ("ClusterName", "Tags", *left_out)
    }
    body: dict[str, Any] = _pascal_to_camel(said)
    return body | {"tags": _tag_map(properties.get("Tags"))}


# Access entries.


def _create_access_entry(_logical_id: str, properties: Properties, _stack_name: str) -> Made:
    cluster, principal = properties["ClusterName"], properties["PrincipalArn"]
    answered(eks._create_access_entry(cluster, _body(properties, "AccessPolicies")), "AWS::EKS::AccessEntry")
    try:
        _associate(cluster, principal, properties.get("AccessPolicies", []))
    except ValueError:
        eks._delete_access_entry(cluster, principal)
        raise
    return _entry_made(cluster, principal)


def _associate(cluster: str, principal: str, policies: list[Mapping[str, Any]]) -> None:
    for policy in policies:
        if eks._access_policy_name(policy["PolicyArn"]) is None:
            raise ValueError(
                f"AWS::EKS::AccessEntry: offline there is no access policy {policy['PolicyArn']};"
                f" there are: {', '.join(eks._ACCESS_POLICY_RULES)}"
            )
        answered(
            eks._associate_access_policy(cluster, principal, _pascal_to_camel(policy)),
            "AWS::EKS::AccessEntry",
        )


def _change_access_entry(_physical_id: str, properties: Properties) -> Made:
    cluster, principal = properties["ClusterName"], properties["PrincipalArn"]
    changed = {"kubernetesGroups": [], **_body(properties, "AccessPolicies")}
    answered(eks._update_access_entry(cluster, principal, changed), "AWS::EKS::AccessEntry")
    wanted = properties.get("AccessPolicies", [])
    prefix = eks._ap_key(cluster, principal, "")
    for key in [str(key) for key in eks._access_policies if str(key).startswith(prefix)]:
        if key.removeprefix(prefix) not in {policy["PolicyArn"] for policy in wanted}:
            eks._disassociate_access_policy(cluster, principal, key.removeprefix(prefix))
    _associate(cluster, principal, wanted)
    return _entry_made(cluster, principal)


def _entry_made(cluster: str, principal: str) -> Made:
    entry = eks._access_entries[eks._ae_key(cluster, principal)]
    return f"{principal}|{cluster}", {"AccessEntryArn": entry["accessEntryArn"]}


def _delete_access_entry(_physical_id: str, properties: Properties) -> None:
    eks._delete_access_entry(properties["ClusterName"], properties["PrincipalArn"])


# Pod identities.


def _create_association(_logical_id: str, properties: Properties, _stack_name: str) -> Made:
    answer = eks._create_pod_identity_association(properties["ClusterName"], _body(properties))
    return _association_made(answered(answer, "AWS::EKS::PodIdentityAssociation")["association"])


def _change_association(physical_id: str, properties: Properties) -> Made:
    cluster, identity = properties["ClusterName"], physical_id.rpartition("/")[2]
    answer = eks._update_pod_identity_association(cluster, identity, _body(properties))
    return _association_made(answered(answer, "AWS::EKS::PodIdentityAssociation")["association"])


def _association_made(association: Mapping[str, Any]) -> Made:
    return association["associationArn"], {
        "AssociationArn": association["associationArn"],
        "AssociationId": association["associationId"],
        "ExternalId": association.get("externalId", ""),
    }


def _delete_association(physical_id: str, properties: Properties) -> None:
    eks._delete_pod_identity_association(properties["ClusterName"], physical_id.rpartition("/")[2])


# Fargate profiles.


def _create_profile(logical_id: str, properties: Properties, stack_name: str) -> Made:
    cluster = eks._clusters.get(properties["ClusterName"])
    if cluster is None:
        raise ValueError(f"AWS::EKS::FargateProfile: there is no cluster {properties['ClusterName']}")
    name = properties.get("FargateProfileName") or physical_name(stack_name, logical_id, most=63)
    place = f"{get_region()}:{get_account_id()}:fargateprofile/{cluster['name']}/{name}"
    selectors = [
        {
            "namespace": each["Namespace"],
            "labels": {pair["Key"]: pair["Value"] for pair in each.get("Labels", [])},
        }
        for each in properties["Selectors"]
    ]
    subnets = properties.get("Subnets") or cluster["resourcesVpcConfig"]["subnetIds"]
    cluster.setdefault(FARGATE_PROFILES, {})[name] = {"selectors": selectors, "subnets": subnets}
    return f"{cluster['name']}|{name}", {"Arn": f"arn:aws:eks:{place}/{uuid.uuid4()}"}


def _delete_profile(physical_id: str, properties: Properties) -> None:
    cluster = eks._clusters.get(properties["ClusterName"]) or {}
    cluster.get(FARGATE_PROFILES, {}).pop(physical_id.rpartition("|")[2], None)


# What is only kept.


def _create_addon(_logical_id: str, properties: Properties, _stack_name: str) -> Made:
    answer = eks._create_addon(
        properties["ClusterName"], _body(properties, "PreserveOnDelete", "ResolveConflicts")
    )
    answered(answer, "AWS::EKS::Addon")
    return _addon_made(properties)


def _change_addon(_physical_id: str, properties: Properties) -> Made:
    answer = eks._update_addon(properties["ClusterName"], properties["AddonName"], _body(properties))
    answered(answer, "AWS::EKS::Addon")
    return _addon_made(properties)


def _addon_made(properties: Properties) -> Made:
    cluster, name = properties["ClusterName"], properties["AddonName"]
    return f"{cluster}|{name}", {"Arn": eks._addons[f"{cluster}/{name}"]["addonArn"]}


def _delete_addon(_physical_id: str, properties: Properties) -> None:
    eks._delete_addon(properties["ClusterName"], properties["AddonName"])


def _create_provider(logical_id: str, properties: Properties, stack_name: str) -> Made:
    cluster, oidc = properties["ClusterName"], _pascal_to_camel(properties.get("Oidc") or {})
    name = properties.get("IdentityProviderConfigName") or physical_name(stack_name, logical_id, most=100)
    claims = {pair["key"]: pair["value"] for pair in oidc.get("requiredClaims", [])}
    said = {**oidc, "identityProviderConfigName": name, "requiredClaims": claims}
    body = {"oidc": said, "tags": _tag_map(properties.get("Tags"))}
    answered(eks._associate_identity_provider_config(cluster, body), "AWS::EKS::IdentityProviderConfig")
    record = eks._idp_configs[f"{cluster}\x00{name}"]
    record["status"] = "ACTIVE"
    return f"{name}|{cluster}|oidc", {"IdentityProviderConfigArn": record["arn"]}


def _delete_provider(physical_id: str, properties: Properties) -> None:
    provider = {"name": physical_id.partition("|")[0], "type": "oidc"}
    eks._disassociate_identity_provider_config(
        properties["ClusterName"], {"identityProviderConfig": provider}
    )


STAND_INS = (
    StandIn(
        "AWS::EKS::AccessEntry",
        by="api",
        what="the access entry and its policies, which the cluster's API server goes by",
        ref="PrincipalArn|ClusterName",
        create=_create_access_entry,
        update=replacing(
            _create_access_entry,
            _delete_access_entry,
            _change_access_entry,
            *("PrincipalArn", "ClusterName", "Type"),
        ),
        delete=_delete_access_entry,
        attributes={"AccessEntryArn": "its ARN"},
    ),
    StandIn(
        "AWS::EKS::PodIdentityAssociation",
        by="api",
        what="the association, which gives the service account's pods their role",
        ref="its ARN",
        create=_create_association,
        update=replacing(
            _create_association,
            _delete_association,
            _change_association,
            *("ClusterName", "Namespace", "ServiceAccount"),
        ),
        delete=_delete_association,
        attributes={
            "AssociationArn": "its ARN",
            "AssociationId": "its id",
            "ExternalId": "the external id of a target role",
        },
    ),
    StandIn(
        "AWS::EKS::FargateProfile",
        by="engine",
        what="a node in each of its subnets, for the pods that it selects; the EKS API does not show it",
        ref="ClusterName|FargateProfileName",
        create=_create_profile,
        delete=_delete_profile,
        attributes={"Arn": "its ARN"},
    ),
    StandIn(
        "AWS::EKS::Addon",
        by="record",
        what="a record in the EKS API; nothing is installed into the cluster",
        ref="ClusterName|AddonName",
        create=_create_addon,
        update=replacing(_create_addon, _delete_addon, _change_addon, "ClusterName", "AddonName"),
        delete=_delete_addon,
        attributes={"Arn": "its ARN"},
    ),
    StandIn(
        "AWS::EKS::IdentityProviderConfig",
        by="record",
        what="a record in the EKS API; the cluster takes no tokens of it",
        ref="IdentityProviderConfigName|ClusterName|Type",
        create=_create_provider,
        delete=_delete_provider,
        attributes={"IdentityProviderConfigArn": "its ARN"},
    ),
)
