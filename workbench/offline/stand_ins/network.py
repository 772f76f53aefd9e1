"""The network types of EC2 that MiniStack's CloudFormation lacks, made through its own API.

What `Ref` and each attribute answer is what the registry schemas of CloudFormation give as primary identifier and
read-only properties. `call` and `made_by` are how the other stand-ins use an API, too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.surroundings import surroundings

Answer = dict[str, Any]
Given = Callable[[str, Properties], Properties]
_making = threading.Lock()


@cache
def _client(service: str, account: str, region: str) -> Any:
    import boto3
    from botocore.config import Config

    with _making:  # a session makes one client at a time
        make: Any = boto3.Session(account, "test", region_name=region).client
        return make(
            service, endpoint_url=surroundings().url, config=Config(retries={"total_max_attempts": 1})
        )


def call(service: str, operation: str, parameters: Mapping[str, Any], region: str | None = None) -> Answer:
    """Ask the offline AWS itself, as the account of the stack; `operation` is as in "CreateNatGateway".

    What a template may write otherwise than the API (numbers and booleans as text, names in capitals) is fitted
    to the operation, and what the operation does not know is left out. Raises botocore's `ClientError`.
    """
    client = _client(service, get_account_id(), region or get_region())
    model = client.meta.service_model.operation_model(operation)
    method = next(name for name, each in client.meta.method_to_api_mapping.items() if each == operation)
    fitted = _fitted(dict(parameters), model.input_shape)
    answer: Answer = getattr(client, method)(**fitted)
    return answer


def _fitted(value: Any, shape: Any) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        known = {name.lower(): name for name in shape.members}
        return {
            known[name.lower()]: _fitted(each, shape.members[known[name.lower()]])
            for name, each in value.items()
            if name.lower() in known and each is not None
        }
    if kind == "list" and isinstance(value, list):
        return [_fitted(each, shape.member) for each in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _fitted(each, shape.value) for name, each in value.items()}
    if kind in ("integer", "long"):
        return int(value)
    if kind == "boolean":
        return str(value).lower() == "true"
    return str(value) if kind == "string" and not isinstance(value, (dict, list)) else value


def at(answer: Mapping[str, Any], path: str) -> Any:
    """What stands at a path of an answer: "NatGateway.NatGatewayId", "FlowLogIds.0"."""
    found: Any = answer
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, list) else found.get(step, "")
    return found


def as_declared(_name: str, properties: Properties) -> Properties:
    """What most operations are given: the properties as the template has them."""
    return properties


def made_by(
    kind: str,
    service: str,
    create: str,
    delete: str,
    *,
    what: str,
    ref: str,
    physical: str | Callable[[str, Properties], str],
    attributes: Mapping[str, str] | None = None,
    given: Given = as_declared,
    gone: Callable[[str, Properties], Properties],
) -> StandIn:
    """A type that one operation makes and another takes away.

    `given(name, properties)` is what the first is told, where `name` is one for a thing that needs a name and was
    given none; `gone(physical_id, properties)` what the second is. `physical` is the path of the physical id in
    the answer, or makes it; `attributes` the path of each attribute, or "=" for the physical id.
    """
    paths = attributes or {}

    def create_it(logical_id: str, properties: Properties, stack: str) -> Made:
        name = str(provisioners._physical_name(stack, logical_id, max_len=64))
        answer = call(service, create, given(name, properties))
        found = physical(name, properties) if callable(physical) else str(at(answer, physical))
        return found, {key: found if path == "=" else at(answer, path) for key, path in paths.items()}

    def delete_it(physical_id: str, properties: Properties) -> None:
        with forgiving():
            call(service, delete, gone(physical_id, properties))

    return StandIn(
        kind,
        "api",
        what,
        ref,
        create_it,
        delete_it,
        {key: f"{path} of {create}" for key, path in paths.items()},
    )


@contextmanager
def forgiving() -> Iterator[None]:
    """What is gone already needs no deleting: a stack may take the thing that held it away first."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if not any(each in code for each in ("NotFound", "NoSuch", "NotExist", "Nonexistent")):
            raise


def named(parameter: str) -> Callable[[str, Properties], Properties]:
    """The usual `gone`: the physical id, as the operation calls it."""
    return lambda physical_id, _properties: {parameter: physical_id}


def tagged(kind: str) -> Given:
    """The properties, with tags as EC2 takes them when it makes something of `kind` ("natgateway")."""

    def given(_name: str, properties: Properties) -> Properties:
        tags = properties.get("Tags")
        specified = {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}
        return {name: value for name, value in properties.items() if name != "Tags"} | specified

    return given


# Addresses.


def _allocate(_logical_id: str, properties: Properties, _stack: str) -> Made:
    given = tagged("elastic-ip")("", properties)
    answer = call("ec2", "AllocateAddress", given)
    if properties.get("InstanceId"):
        call("ec2", "AssociateAddress", {**answer, "InstanceId": properties["InstanceId"]})
    return answer["PublicIp"], {"AllocationId": answer["AllocationId"], "PublicIp": answer["PublicIp"]}


def _release(physical_id: str, _properties: Properties) -> None:
    for allocation in _allocations_of(physical_id):
        call("ec2", "ReleaseAddress", {"AllocationId": allocation})


def _allocations_of(public_ip: str) -> list[str]:
    addresses = call("ec2", "DescribeAddresses", {})["Addresses"]
    return [each["AllocationId"] for each in addresses if each["PublicIp"] == public_ip]


def _association(_name: str, properties: Properties) -> Properties:
    public_ip = properties.get("EIP")
    allocation = _allocations_of(public_ip)[0] if public_ip else properties["AllocationId"]
    return {**properties, "AllocationId": allocation}


# Rules of security groups.


def _rule(direction: str) -> StandIn:
    def create(_logical_id: str, properties: Properties, _stack: str) -> Made:
        permissions = provisioners._ec2_sg_permissions([properties])
        parameters = {"GroupId": properties["GroupId"], "IpPermissions": permissions}
        answer = call("ec2", f"AuthorizeSecurityGroup{direction}", parameters)
        rule = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return rule, {"Id": rule}

    def delete(physical_id: str, properties: Properties) -> None:
        parameters = {"GroupId": properties["GroupId"], "SecurityGroupRuleIds": [physical_id]}
        with forgiving():
            call("ec2", f"RevokeSecurityGroup{direction}", parameters)

    return StandIn(
        f"AWS::EC2::SecurityGroup{direction}",
        "api",
        "the rule is in its group; nothing filters packets here",
        "the rule's id",
        create,
        delete,
        {"Id": "the rule's id"},
    )


# Network ACLs.


def _entry(_name: str, properties: Properties) -> Properties:
    return {"Egress": False, **properties}


def _entry_id(_name: str, properties: Properties) -> str:
    outgoing = str(properties.get("Egress", False)).lower()
    return f"{properties['NetworkAclId']}|{properties['RuleNumber']}|{outgoing}"


def _associate_acl(_logical_id: str, properties: Properties, _stack: str) -> Made:
    """Written where the API keeps it: MiniStack's own operation forgets which subnet it was asked for."""
    association = f"aclassoc-{provisioners.new_uuid().replace('-', '')[:17]}"
    _move_to_acl(properties["SubnetId"], properties["NetworkAclId"], association)
    return association, {"AssociationId": association}


def _disassociate_acl(physical_id: str, properties: Properties) -> None:
    """The subnet goes back to the default ACL of its VPC."""
    subnet = ec2._subnets.get(properties["SubnetId"], {})
    defaults = (each for each in ec2._network_acls.values() if each["IsDefault"])
    default = next((each for each in defaults if each["VpcId"] == subnet.get("VpcId")), None)
    _move_to_acl(properties["SubnetId"], default["NetworkAclId"] if default else "", physical_id)


def _move_to_acl(subnet: str, acl: str, association: str) -> None:
    for each in ec2._network_acls.values():
        each["Associations"] = [known for known in each["Associations"] if known["SubnetId"] != subnet]
    if acl in ec2._network_acls:
        entry = {"NetworkAclAssociationId": association, "SubnetId": subnet}
        ec2._network_acls[acl]["Associations"].append(entry)


# Between networks, and around them.


def _peer(_logical_id: str, properties: Properties, _stack: str) -> Made:
    given = tagged("vpc-peering-connection")("", properties)
    answer = call("ec2", "CreateVpcPeeringConnection", given)
    peering = answer["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    accepting = {"VpcPeeringConnectionId": peering}
    call("ec2", "AcceptVpcPeeringConnection", accepting, properties.get("PeerRegion"))
    return peering, {"Id": peering}


def _end_peering(physical_id: str, _properties: Properties) -> None:
    with forgiving():
        call("ec2", "DeleteVpcPeeringConnection", {"VpcPeeringConnectionId": physical_id})


def _flow_log(_name: str, properties: Properties) -> Properties:
    return tagged("vpc-flow-log")("", {**properties, "ResourceIds": [properties["ResourceId"]]})


def _options(_name: str, properties: Properties) -> Properties:
    keys = {
        "domain-name": [properties["DomainName"]] if properties.get("DomainName") else [],
        "domain-name-servers": properties.get("DomainNameServers") or [],
        "ntp-servers": properties.get("NtpServers") or [],
    }
    configurations = [{"Key": key, "Values": values} for key, values in keys.items() if values]
    return tagged("dhcp-options")("", {"Tags": properties.get("Tags"), "DhcpConfigurations": configurations})


def _interface(_name: str, properties: Properties) -> Properties:
    return tagged("network-interface")("", {**properties, "Groups": properties.get("GroupSet")})


def _add_block(_logical_id: str, properties: Properties, _stack: str) -> Made:
    association = f"vpc-cidr-assoc-{provisioners.new_uuid().replace('-', '')[:17]}"
    return f"{association}|{properties['VpcId']}", {"Id": association}


STAND_INS = (
    StandIn(
        "AWS::EC2::EIP",
        "api",
        "an address that is made up",
        "the public address",
        _allocate,
        _release,
        {"AllocationId": "the allocation's id", "PublicIp": "the public address"},
    ),
    made_by(
        "AWS::EC2::EIPAssociation",
        "ec2",
        "AssociateAddress",
        "DisassociateAddress",
        what="the address knows its instance; nothing is reached by it",
        ref="the association's id",
        physical="AssociationId",
        attributes={"Id": "="},
        given=_association,
        gone=named("AssociationId"),
    ),
    made_by(
        "AWS::EC2::NatGateway",
        "ec2",
        "CreateNatGateway",
        "DeleteNatGateway",
        what="the gateway is there and routes name it; no packet goes through it",
        ref="the gateway's id",
        physical="NatGateway.NatGatewayId",
        attributes={"NatGatewayId": "="},
        given=tagged("natgateway"),
        gone=named("NatGatewayId"),
    ),
    _rule("Ingress"),
    _rule("Egress"),
    made_by(
        "AWS::EC2::FlowLog",
        "ec2",
        "CreateFlowLogs",
        "DeleteFlowLogs",
        what="the flow log is there, and stays empty: no packets are seen here",
        ref="the flow log's id",
        physical="FlowLogIds.0",
        attributes={"Id": "="},
        given=_flow_log,
        gone=lambda physical_id, _: {"FlowLogIds": [physical_id]},
    ),
    made_by(
        "AWS::EC2::NetworkAcl",
        "ec2",
        "CreateNetworkAcl",
        "DeleteNetworkAcl",
        what="the list is there; nothing filters packets here",
        ref="the ACL's id",
        physical="NetworkAcl.NetworkAclId",
        attributes={"Id": "="},
        given=tagged("network-acl"),
        gone=named("NetworkAclId"),
    ),
    made_by(
        "AWS::EC2::NetworkAclEntry",
        "ec2",
        "CreateNetworkAclEntry",
        "DeleteNetworkAclEntry",
        what="the entry is in its list; nothing filters packets here",
        ref="the ACL's id, the number, and whether it is outgoing",
        physical=_entry_id,
        attributes={"Id": "="},
        given=_entry,
        gone=lambda _, properties: {"Egress": False, **properties},
    ),
    StandIn(
        "AWS::EC2::SubnetNetworkAclAssociation",
        "api",
        "the list names the subnet; nothing filters packets here",
        "the association's id",
        _associate_acl,
        _disassociate_acl,
        {"AssociationId": "the association's id"},
    ),
    StandIn(
        "AWS::EC2::VPCPeeringConnection",
        "api",
        "the peering is there, accepted; all programs share one network here",
        "the peering's id",
        _peer,
        _end_peering,
        {"Id": "the peering's id"},
    ),
    made_by(
        "AWS::EC2::DHCPOptions",
        "ec2",
        "CreateDhcpOptions",
        "DeleteDhcpOptions",
        what="the options are there; nothing asks for them",
        ref="the options' id",
        physical="DhcpOptions.DhcpOptionsId",
        attributes={"DhcpOptionsId": "="},
        given=_options,
        gone=named("DhcpOptionsId"),
    ),
    made_by(
        "AWS::EC2::VPCDHCPOptionsAssociation",
        "ec2",
        "AssociateDhcpOptions",
        "AssociateDhcpOptions",
        what="the VPC names its options; nothing asks for them",
        ref="the options' id and the VPC's",
        physical=lambda _, properties: f"{properties['DhcpOptionsId']}|{properties['VpcId']}",
        gone=lambda _, properties: {"DhcpOptionsId": "default", "VpcId": properties["VpcId"]},
    ),
    made_by(
        "AWS::EC2::PrefixList",
        "ec2",
        "CreateManagedPrefixList",
        "DeleteManagedPrefixList",
        what="the list is there; nothing filters packets here",
        ref="the list's id",
        physical="PrefixList.PrefixListId",
        attributes={
            "PrefixListId": "=",
            "Arn": "PrefixList.PrefixListArn",
            "OwnerId": "PrefixList.OwnerId",
            "Version": "PrefixList.Version",
        },
        given=tagged("prefix-list"),
        gone=named("PrefixListId"),
    ),
    made_by(
        "AWS::EC2::NetworkInterface",
        "ec2",
        "CreateNetworkInterface",
        "DeleteNetworkInterface",
        what="the interface is there, with an address that nothing answers on",
        ref="the interface's id",
        physical="NetworkInterface.NetworkInterfaceId",
        attributes={
            "Id": "=",
            "PrimaryPrivateIpAddress": "NetworkInterface.PrivateIpAddress",
            "VpcId": "NetworkInterface.VpcId",
        },
        given=_interface,
        gone=named("NetworkInterfaceId"),
    ),
    made_by(
        "AWS::EC2::EgressOnlyInternetGateway",
        "ec2",
        "CreateEgressOnlyInternetGateway",
        "DeleteEgressOnlyInternetGateway",
        what="the gateway is there and routes name it; no packet goes through it",
        ref="the gateway's id",
        physical="EgressOnlyInternetGateway.EgressOnlyInternetGatewayId",
        attributes={"Id": "="},
        given=tagged("egress-only-internet-gateway"),
        gone=named("EgressOnlyInternetGatewayId"),
    ),
    StandIn(
        "AWS::EC2::VPCCidrBlock",
        "record",
        "a name: MiniStack's VPC has one block of addresses",
        "the association's id and the VPC's",
        _add_block,
        lambda _physical_id, _properties: None,
        {"Id": "the association's id"},
    ),
)
