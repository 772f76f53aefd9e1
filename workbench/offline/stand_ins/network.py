"""The network types of EC2 that MiniStack's CloudFormation lacks, made through its own API.

What `Ref` and each attribute answer is what the registry schemas of CloudFormation give as primary identifier and
read-only properties.
"""

from __future__ import annotations

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import call, forgiving, leave, made_by, tagged

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
        by="api",
        what="the rule is in its group; nothing filters packets here",
        ref="the rule's id",
        create=create,
        delete=delete,
        attributes={"Id": "the rule's id"},
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
    """The subnet goes back to the default ACL of its VPC, unless another association has taken its place."""
    known = (each for acl in ec2._network_acls.values() for each in acl["Associations"])
    if physical_id not in {each["NetworkAclAssociationId"] for each in known}:
        return
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


def _default_options(_physical_id: str, properties: Properties) -> Properties | None:
    """None where the VPC has other options by now: a new association has taken the place of this one."""
    [vpc] = call("ec2", "DescribeVpcs", {"VpcIds": [properties["VpcId"]]})["Vpcs"]
    default = {"DhcpOptionsId": "default", "VpcId": properties["VpcId"]}
    return default if vpc["DhcpOptionsId"] == properties["DhcpOptionsId"] else None


def _interface(_name: str, properties: Properties) -> Properties:
    return tagged("network-interface")("", {**properties, "Groups": properties.get("GroupSet")})


def _add_block(_logical_id: str, properties: Properties, _stack: str) -> Made:
    association = f"vpc-cidr-assoc-{provisioners.new_uuid().replace('-', '')[:17]}"
    return f"{association}|{properties['VpcId']}", {"Id": association}


STAND_INS = (
    StandIn(
        "AWS::EC2::EIP",
        by="api",
        what="an address that is made up",
        ref="the public address",
        create=_allocate,
        delete=_release,
        attributes={"AllocationId": "the allocation's id", "PublicIp": "the public address"},
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
    ),
    made_by(
        "AWS::EC2::NatGateway",
        "ec2",
        what="the gateway is there and routes name it; no packet goes through it",
        ref="the gateway's id",
        physical="NatGateway.NatGatewayId",
        attributes={"NatGatewayId": "="},
        given=tagged("natgateway"),
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
        what="the list is there; nothing filters packets here",
        ref="the ACL's id",
        physical="NetworkAcl.NetworkAclId",
        attributes={"Id": "="},
        given=tagged("network-acl"),
    ),
    made_by(
        "AWS::EC2::NetworkAclEntry",
        "ec2",
        what="the entry is in its list; nothing filters packets here",
        ref="the ACL's id, the number, and whether it is outgoing",
        physical=_entry_id,
        attributes={"Id": "="},
        given=_entry,
        gone=_entry,
    ),
    StandIn(
        "AWS::EC2::SubnetNetworkAclAssociation",
        by="api",
        what="the list names the subnet; nothing filters packets here",
        ref="the association's id",
        create=_associate_acl,
        delete=_disassociate_acl,
        attributes={"AssociationId": "the association's id"},
    ),
    StandIn(
        "AWS::EC2::VPCPeeringConnection",
        by="api",
        what="the peering is there, accepted; all programs share one network here",
        ref="the peering's id",
        create=_peer,
        delete=_end_peering,
        attributes={"Id": "the peering's id"},
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
    ),
    made_by(
        "AWS::EC2::VPCDHCPOptionsAssociation",
        "ec2",
        "AssociateDhcpOptions",
        "AssociateDhcpOptions",
        what="the VPC names its options; nothing asks for them",
        ref="the options' id and the VPC's",
        physical=lambda _, properties: f"{properties['DhcpOptionsId']}|{properties['VpcId']}",
        gone=_default_options,
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
    ),
    made_by(
        "AWS::EC2::NetworkInterface",
        "ec2",
        what="the interface is there, with an address that nothing answers on",
        ref="the interface's id",
        physical="NetworkInterface.NetworkInterfaceId",
        attributes={
            "Id": "=",
            "PrimaryPrivateIpAddress": "NetworkInterface.PrivateIpAddress",
            "VpcId": "NetworkInterface.VpcId",
        },
        given=_interface,
    ),
    made_by(
        "AWS::EC2::EgressOnlyInternetGateway",
        "ec2",
        what="the gateway is there and routes name it; no packet goes through it",
        ref="the gateway's id",
        physical="EgressOnlyInternetGateway.EgressOnlyInternetGatewayId",
        attributes={"Id": "="},
        given=tagged("egress-only-internet-gateway"),
    ),
    StandIn(
        "AWS::EC2::VPCCidrBlock",
        by="record",
        what="a name: MiniStack's VPC has one block of addresses",
        ref="the association's id and the VPC's",
        create=_add_block,
        delete=leave,
        attributes={"Id": "the association's id"},
    ),
)
