"""A VPC over three zones, with public, private and isolated subnets, and no way in but the one that is opened."""

from __future__ import annotations

from typing import Literal, Protocol

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.traffic import NetworkTraffic, declare
from workbench.workload import HOURS_PER_MONTH, Figure

ZONES = 3
CIDR = "10.0.0.0/16"
HTTPS = ec2.Port.tcp(443)
Nat = Literal["none", "instance", "per_zone"]
Way = Literal["the_cheaper", "nat", "endpoint"]

# Dollars, us-east-1; workbench/data/prices has them with sources and dates, and a test holds these to it. An
# interface endpoint is paid by the hour in each zone and by the gigabyte; what it moves no longer pays the NAT
# gateway.
_ENDPOINT_HOUR, _ENDPOINT_GB, _NAT_GB = "0.01", "0.01", "0.045"


class Client(Protocol):
    """Who stands in a network and calls what else does: a grant is no use to it without an open port."""

    @property
    def grant_principal(self) -> iam.IPrincipal: ...

    @property
    def connections(self) -> ec2.Connections: ...


class Network(Construct):
    """`10.0.0.0/16` in three availability zones: public, private (out through NAT) and isolated subnets.

    `nat`: `per_zone` survives the loss of a zone, for about $33 a month each and $0.045 a gigabyte; `instance`
    is one t4g.nano, for about $3 a month, which is down while it restarts; with `none` the private subnets
    reach nothing but the endpoints. By default production has the first, a sandbox the second.

    S3 and DynamoDB have gateway endpoints, which cost nothing. An interface endpoint costs $0.01 an hour in each
    zone and saves $0.035 a gigabyte: it pays from 626 GB a month on in three zones, and `reach` makes one then.

    Attributes: `vpc`, `public`, `private`, `isolated` (subnet selections).
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        traffic: NetworkTraffic,
        nat: Nat | None = None,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self.nat: Nat = nat or ("per_zone" if stack.is_production else "instance")
        outward = (
            ec2.SubnetType.PRIVATE_ISOLATED if self.nat == "none" else ec2.SubnetType.PRIVATE_WITH_EGRESS
        )
        self._provider = self._instance_provider() if self.nat == "instance" else None
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(CIDR),
            availability_zones=self._zones(),
            nat_gateways={"none": 0, "instance": 1, "per_zone": ZONES}[self.nat],
            nat_gateway_provider=self._provider,
            # Its rules are taken away by a custom resource at every deployment; nothing here uses that group.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Public",
                    subnet_type=ec2.SubnetType.PUBLIC,
                    cidr_mask=24,
                    map_public_ip_on_launch=False,
                ),
                ec2.SubnetConfiguration(name="Private", subnet_type=outward, cidr_mask=20),
                ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
            ],
            gateway_endpoints={
                "S3": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.S3),
                "DynamoDb": ec2.GatewayVpcEndpointOptions(service=ec2.GatewayVpcEndpointAwsService.DYNAMODB),
            },
        )
        self.public = self.vpc.select_subnets(subnet_group_name="Public")
        self.private = self.vpc.select_subnets(subnet_group_name="Private")
        self.isolated = self.vpc.select_subnets(subnet_group_name="Isolated")
        self._declare(traffic)
        self._log_flows(traffic.flow_log_gb, log_retention)
        if self._provider is not None:
            self._guard_instance(self._provider)

    def security_group(
        self, scope: Construct, description: str, *, calls_aws: bool = False
    ) -> ec2.SecurityGroup:
        """A group in `scope` that lets nothing in and nothing out but, with `calls_aws`, HTTPS to AWS's APIs.

        The rest is opened between two groups: a store does so for whom it `allow`s.
        """
        group = ec2.SecurityGroup(
            scope, "SecurityGroup", vpc=self.vpc, description=description, allow_all_outbound=False
        )
        if calls_aws:
            # EC2 takes no apostrophe in a rule's description.
            group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "the APIs of AWS have no fixed addresses")
        return group

    def reach(
        self, service: ec2.InterfaceVpcEndpointAwsService, traffic_gb: Figure, *, through: Way = "the_cheaper"
    ) -> bool:
        """Reach an AWS service `through` the NAT, an interface endpoint, or the cheaper of the two.

        `traffic_gb` a month goes there. Returns whether it has an endpoint. Without a NAT gateway there is nothing to
        save.
        """
        hours = Figure(HOURS_PER_MONTH, "730 h") * ZONES * _ENDPOINT_HOUR
        through_nat, through_endpoint = traffic_gb * _NAT_GB, hours + traffic_gb * _ENDPOINT_GB
        saves = self.nat == "per_zone" and through_endpoint.value < through_nat.value
        if through == "nat" or (through == "the_cheaper" and not saves):
            self._send_through_nat(traffic_gb)
            return False
        endpoint = self.vpc.add_interface_endpoint(
            service.short_name.title().replace(".", ""),
            service=service,
            subnets=ec2.SubnetSelection(subnets=self.private.subnets),
            open=True,
        )
        declare(endpoint, processed_gb_per_month=traffic_gb)
        return True

    def _zones(self) -> list[str]:
        """The first three of the region: a stack for any account can't know their names; or those of `-c zones=…`.

        In us-east-1, EKS, MSK and RDS Proxy are not in the zone whose id is use1-az3, and which name that has
        differs from account to account.
        """
        named = self.node.try_get_context("zones")
        return str(named).split(",") if named else [Fn.select(index, Fn.get_azs()) for index in range(ZONES)]

    def _instance_provider(self) -> ec2.NatInstanceProviderV2:
        return ec2.NatProvider.instance_v2(
            instance_type=ec2.InstanceType("t4g.nano"),
            machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=ec2.AmazonLinuxCpuType.ARM_64),
            default_allowed_traffic=ec2.NatTrafficDirection.NONE,
            associate_public_ip_address=True,  # the only address that its subnet gives away
        )

    def _guard_instance(self, provider: ec2.NatInstanceProviderV2) -> None:
        """Only what comes from the VPC goes out through the instance; nothing comes in through it."""
        provider.connections.allow_from(
            ec2.Peer.ipv4(CIDR), ec2.Port.tcp(443), "HTTPS from the private subnets"
        )
        provider.connections.allow_to(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "HTTPS out")
        for instance in provider.gateway_instances:
            for rule, reason in {
                "EC28": "its network is watched by the flow log; a minute more or less of metrics is not worth $2",
                "EC29": "it holds nothing, and is the sandbox's",
            }.items():
                acknowledge(instance, f"AwsSolutions-{rule}", reason)

    def _declare(self, traffic: NetworkTraffic) -> None:
        declare(
            self.vpc,
            cross_zone_gb_per_month=traffic.cross_zone_gb,
            egress_gb_per_month=traffic.internet_gb,
        )
        gateways = self._gateways()
        for gateway in gateways:
            declare(gateway, peak_connections=traffic.outbound_connections / len(gateways))
            if traffic.peak_outbound_mb_per_second is not None:
                declare(gateway, peak_mb_per_second=traffic.peak_outbound_mb_per_second / len(gateways))
        self._outbound_gb = traffic.outbound_gb
        self._declare_outbound()

    def _send_through_nat(self, more_gb: Figure) -> None:
        self._outbound_gb = self._outbound_gb + more_gb
        self._declare_outbound()

    def _declare_outbound(self) -> None:
        gateways = self._gateways()
        for gateway in gateways:
            declare(gateway, again=True, processed_gb_per_month=self._outbound_gb / len(gateways))

    def _gateways(self) -> list[ec2.CfnNatGateway]:
        return [child for child in self.vpc.node.find_all() if isinstance(child, ec2.CfnNatGateway)]

    def _log_flows(self, flow_log_gb: Figure, retention: logs.RetentionDays) -> None:
        stack = BlueprintStack.around(self)
        group = logs.LogGroup(self, "FlowLogs", retention=retention, removal_policy=stack.removal_policy)
        role = iam.Role(self, "FlowLogsRole", assumed_by=iam.ServicePrincipal("vpc-flow-logs.amazonaws.com"))
        group.grant_write(role)
        self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group, role),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
        declare(group, ingested_gb_per_month=flow_log_gb)
