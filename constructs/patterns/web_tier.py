"""Virtual machines behind a load balancer, in every zone: as many as the load needs, replaced when they fail."""

from __future__ import annotations

from decimal import Decimal
from math import ceil

import jsii
from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from patterns.acknowledge import acknowledge
from patterns.blueprint_stack import BlueprintStack
from patterns.container_program import FINISHED_S, ContainerProgram
from patterns.network import ZONES, Network
from patterns.traffic import WebTraffic, at_least, declare
from workbench.workload import NEVER, SECONDS_PER_MONTH

SECRET_HEADER = "X-Origin-Verify"  # noqa: S105 (the header's name)
ROOT_VOLUME_GB = 8
FILLED = Decimal("0.6")  # of what an instance serves: the rest is for the minutes until another one is there
FIRST_START = Duration.minutes(10)  # an instance whose image nobody has pushed yet waits this long for it


@jsii.implements(iam.IGrantable)
class WebTier(Construct):
    """Instances in the private subnets run `program` under one role; a load balancer in the public ones finds them.

    Nobody signs in to an instance with a key: Session Manager is there for that. The load balancer answers only
    to whoever knows `secret` (a distribution does, in the header `SECRET_HEADER`). At least one instance a zone
    runs; at most as many as serve the busiest second with a zone away. An instance pulls its image when it starts,
    and waits for one that is not pushed yet. Attributes: `balancer`, `group`, `targets`, `secret`, `connections`
    (the instances').
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        network: Network,
        program: ContainerProgram,
        instance_type: str = "t4g.micro",
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
    ) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self._program, traffic = program, program.traffic
        self.log_group = logs.LogGroup(
            self, "Logs", retention=log_retention, removal_policy=stack.removal_policy
        )
        self._role = self._instance_role()
        group = network.security_group(self, f"{id}: the instances", calls_aws=True)
        self.connections = ec2.Connections(security_groups=[group], default_port=ec2.Port.tcp(program.port))
        serving = traffic.requests.peak_per_second / traffic.requests_per_second_per_instance
        # What is left when a zone is away must carry the peak.
        most = max(2 * ZONES, ceil(serving.value * ZONES / (ZONES - 1)))
        self.group = autoscaling.AutoScalingGroup(
            self,
            "Instances",
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=network.private.subnets),
            launch_template=self._launch_template(group, instance_type),
            min_capacity=ZONES,
            max_capacity=most,
            health_checks=autoscaling.HealthChecks.with_additional_checks(
                additional_types=[autoscaling.AdditionalHealthCheckType.ELB], grace_period=FIRST_START
            ),
            update_policy=autoscaling.UpdatePolicy.rolling_update(
                max_batch_size=1,
                min_instances_in_service=2,
                pause_time=Duration.minutes(5),  # until the new one has its image: nothing tells
            ),
            group_metrics=[autoscaling.GroupMetrics.all()],
        )
        self.group.node.add_dependency(self._role)  # with its policy: a machine's first call is granted
        self.secret = secretsmanager.Secret(
            self,
            "OriginSecret",
            description="What the distribution shows the load balancer",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                exclude_punctuation=True, password_length=40
            ),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.balancer = self._load_balancer(network)
        self.targets = self._listen(network)
        self.connections.allow_from(self.balancer, ec2.Port.tcp(program.port), "the load balancer")
        self.group.scale_on_request_count(
            "Requests",
            target_requests_per_minute=float(traffic.requests_per_second_per_instance.value * 60 * FILLED),
        )
        self._declare(traffic)
        self._acknowledge()

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The instances' role, and so the program's."""
        return self._role

    def _instance_role(self) -> iam.Role:
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        self._program.images.allow_pulling(role)
        # What Session Manager's agent calls; the channels take no resource.
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "ssm:UpdateInstanceInformation",
                    "ssmmessages:CreateControlChannel",
                    "ssmmessages:CreateDataChannel",
                    "ssmmessages:OpenControlChannel",
                    "ssmmessages:OpenDataChannel",
                ],
                resources=["*"],
            )
        )
        self.log_group.grant_write(role)
        acknowledge(
            role,
            "AwsSolutions-IAM5[Resource::*]",
            "the registry's sign-in and Session Manager's channels take no resource; nothing else is granted on *",
        )
        return role

    def _launch_template(self, group: ec2.SecurityGroup, instance_type: str) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            self,
            "Template",
            instance_type=ec2.InstanceType(instance_type),
            machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=ec2.AmazonLinuxCpuType.ARM_64),
            role=self._role,
            security_group=group,
            require_imdsv2=True,
            http_put_response_hop_limit=1,  # the program shares the host's network, so one hop is all it needs
            detailed_monitoring=BlueprintStack.around(self).is_production,
            block_devices=[
                ec2.BlockDevice(
                    device_name="/dev/xvda",
                    volume=ec2.BlockDeviceVolume.ebs(
                        ROOT_VOLUME_GB, encrypted=True, volume_type=ec2.EbsDeviceVolumeType.GP3
                    ),
                )
            ],
            user_data=self._user_data(),
        )

    def _user_data(self) -> ec2.UserData:
        """Docker, the program's environment, and a unit that pulls and runs the image, again and again if need be."""
        registry = f"{Aws.ACCOUNT_ID}.dkr.ecr.{Aws.REGION}.{Aws.URL_SUFFIX}"
        image = self._program.image
        lines = "\n".join(f"{name}={value}" for name, value in sorted(self._program.environment.items()))
        data = ec2.UserData.for_linux()
        data.add_commands(
            "set -euo pipefail",
            "dnf install --assumeyes docker",
            "systemctl enable --now docker",
            f"cat > /etc/service.env <<'EOF'\n{lines}\nPORT={self._program.port}\nEOF",
            "cat > /etc/systemd/system/service.service <<'EOF'\n"
            "[Unit]\nAfter=docker.service\nRequires=docker.service\n"
            "[Service]\nRestart=always\nRestartSec=15\nTimeoutStartSec=300\n"
            f"TimeoutStopSec={FINISHED_S + 15}\n"  # Docker kills the program before systemd would
            f"ExecStartPre=/bin/sh -c 'aws ecr get-login-password --region {Aws.REGION} |"
            f" docker login --username AWS --password-stdin {registry}'\n"
            f"ExecStartPre=/usr/bin/docker pull {image}\n"
            "ExecStart=/usr/bin/docker run --rm --name service --network host --env-file /etc/service.env"
            f" --log-driver awslogs --log-opt awslogs-region={Aws.REGION}"
            f" --log-opt awslogs-group={self.log_group.log_group_name} {image}\n"
            f"ExecStop=/usr/bin/docker stop -t {FINISHED_S} service\n"
            "[Install]\nWantedBy=multi-user.target\nEOF",
            "systemctl daemon-reload",
            "systemctl enable --now --no-block service",
        )
        return data

    def _load_balancer(self, network: Network) -> elbv2.ApplicationLoadBalancer:
        self._front = Construct(self, "Front")
        balancer = elbv2.ApplicationLoadBalancer(
            self,
            "Balancer",
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=network.public.subnets),
            internet_facing=True,
            security_group=network.security_group(self._front, f"{self.node.id}: the load balancer"),
            deletion_protection=BlueprintStack.around(self).is_production,
            drop_invalid_header_fields=True,
        )
        balancer.connections.allow_from_any_ipv4(
            ec2.Port.tcp(80), "the edge; whoever does not know its secret is refused"
        )
        return balancer

    def _listen(self, network: Network) -> elbv2.ApplicationTargetGroup:
        targets = elbv2.ApplicationTargetGroup(
            self,
            "Targets",
            vpc=network.vpc,
            port=self._program.port,
            protocol=elbv2.ApplicationProtocol.HTTP,
            targets=[self.group],
            deregistration_delay=Duration.seconds(30),
            health_check=elbv2.HealthCheck(
                path=self._program.health_path,
                interval=Duration.seconds(10),
                timeout=Duration.seconds(5),
                healthy_threshold_count=2,
                unhealthy_threshold_count=2,
            ),
        )
        listener = self.balancer.add_listener(
            "Http",
            port=80,
            open=False,
            default_action=elbv2.ListenerAction.fixed_response(
                403, content_type="text/plain", message_body="by way of the distribution, please"
            ),
        )
        listener.add_action(
            "Known",
            priority=1,
            conditions=[
                elbv2.ListenerCondition.http_header(SECRET_HEADER, [self.secret.secret_value.unsafe_unwrap()])
            ],
            action=elbv2.ListenerAction.forward([targets]),
        )
        return targets

    def _declare(self, traffic: WebTraffic) -> None:
        average = traffic.requests.per_month / SECONDS_PER_MONTH
        needed = average / (traffic.requests_per_second_per_instance * FILLED)
        group = self.group.node.find_child("ASG")
        declare(
            group,
            average_instances=at_least(ZONES, needed),
            peak_requests_per_second=traffic.requests.peak_per_second,
            requests_per_second_per_instance=traffic.requests_per_second_per_instance,
        )
        declare(
            self.balancer,
            requests_per_month=traffic.requests.per_month,
            processed_gb_per_month=traffic.exchanged_gb,
            new_connections_per_second=average,  # one for each request, at worst: the edge keeps its own open
        )
        declare(self.log_group, ingested_gb_per_month=traffic.log_gb)
        declare(self.secret, requests_per_month=NEVER.per_month)  # a deployment resolves it, nobody else

    def _acknowledge(self) -> None:
        acknowledge(
            self.balancer,
            "AwsSolutions-ELB2",
            "CloudFront is the only way in, and every request is in the program's own log",
        )
        acknowledge(
            self._front,
            "AwsSolutions-EC23",
            "it listens to everyone, because CloudFront's addresses are a list that changes; whoever does not "
            "know its secret is refused",
        )
        acknowledge(
            self.group,
            "AwsSolutions-AS3",
            "it heals by itself; an alarm tells when its targets are not healthy",
        )
        acknowledge(
            self.secret,
            "AwsSolutions-SMG4",
            "it is changed by a deployment, which gives the new one to both sides at once",
        )
