"""Long-running programs on the offline AWS: instances, tasks, and the load balancers in front of them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.offline import deployed, eventually, is_alive
from tests.templates import allow, get_att, policy, ref, resource, template
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http, Response
from workbench.errors import DryRunFailed, Misuse
from workbench.offline.engines.program import Program, _with_descendants
from workbench.offline.images import Image, containers_of, program_of, read_image
from workbench.offline.parts import tasks
from workbench.offline.parts.load_balancers import matches

FOLDER = Path(__file__).parent / "program"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
USER_DATA = """#!/bin/bash
cat > /etc/service.env <<'EOF'
COLOUR=green
TABLE=${Table}
PORT=8080
EOF
cat > /etc/systemd/system/service.service <<'EOF'
[Service]
ExecStartPre=/usr/bin/docker pull ${Repository.RepositoryUri}:1
ExecStart=/usr/bin/docker run --rm --name service --network host --env-file /etc/service.env \\
  --log-driver awslogs --log-opt awslogs-group=${Logs} ${Repository.RepositoryUri}:1
EOF
"""


@pytest.fixture(scope="module")
def web(emulator: Emulator) -> Iterator[dict[str, str]]:
    """A group of three instances behind a load balancer and a distribution: the stack's outputs."""
    with deployed(
        emulator.endpoint, "web", template(_network() | _balancer() | _group(), _WEB_OUTPUTS)
    ) as outputs:
        eventually(lambda: _states(emulator, outputs) == ["healthy"] * 3, "three healthy targets")
        yield outputs


# Instances behind a load balancer.


def test_requests_reach_the_instances_of_all_three_zones(web: dict[str, str], http: Http) -> None:
    answers = [http.get(f"http://{web['Balancer']}/some/path?a=1").json() for _ in range(6)]
    assert sorted({each["zone"] for each in answers}) == list(ZONES)
    assert len({each["pid"] for each in answers}) == 3
    assert {each["path"] for each in answers} == {"/some/path?a=1"}


def test_a_program_has_the_environment_of_its_image_and_of_the_user_data(
    web: dict[str, str], http: Http
) -> None:
    told = http.get(f"http://{web['Balancer']}/").json()
    assert (told["GREETING"], told["COLOUR"]) == ("hello there", "green")


def test_a_program_calls_aws_under_the_role_of_its_instance_and_no_further(
    web: dict[str, str], http: Http
) -> None:
    outcomes = http.get(f"http://{web['Balancer']}/calls").json()
    assert f":assumed-role/{web['Role']}/i-" in outcomes["identity"]
    assert (outcomes["put"], outcomes["scan"]) == ("allowed", "AccessDeniedException")


def test_instances_stand_in_the_groups_subnets_and_say_whose_they_are(
    web: dict[str, str], emulator: Emulator
) -> None:
    instances = _instances(emulator, web)
    assert sorted(each["Placement"]["AvailabilityZone"] for each in instances) == list(ZONES)
    for each in instances:
        third = ZONES.index(each["Placement"]["AvailabilityZone"])
        assert each["PrivateIpAddress"].startswith(f"10.0.{third}.")
        assert {"Key": "aws:autoscaling:groupName", "Value": web["Group"]} in each["Tags"]


def test_what_a_program_says_is_in_its_log_group(web: dict[str, str], emulator: Emulator) -> None:
    logs = emulator.endpoint.client("logs")

    def messages() -> list[str]:
        return [each["message"] for each in logs.filter_log_events(logGroupName=web["Logs"])["events"]]

    eventually(lambda: messages().count("listening") >= 3, "the first lines of three programs")


def test_an_ill_program_gets_no_requests_and_its_instance_is_replaced(
    web: dict[str, str], emulator: Emulator, http: Http
) -> None:
    before = {each["InstanceId"] for each in _instances(emulator, web)}
    ill = _pid_after(http, web, "/fall-ill")
    eventually(lambda: "unhealthy" in _states(emulator, web), "a target to be unhealthy")
    [told] = [each for each in _healths(emulator, web) if each["TargetHealth"]["State"] == "unhealthy"]
    assert told["TargetHealth"]["Reason"] == "Target.ResponseCodeMismatch"
    assert told["TargetHealth"]["Description"] == "Health checks failed with these codes: [500]"
    answers = [http.get(f"http://{web['Balancer']}/") for _ in range(6)]
    assert {each.status for each in answers} == {200}
    assert ill not in {each.json()["pid"] for each in answers}
    eventually(
        lambda: (
            _states(emulator, web).count("healthy") == 3
            and len({each["InstanceId"] for each in _instances(emulator, web)} - before) == 1
        ),
        "the instance to be replaced",
    )


def test_a_killed_program_is_started_again(web: dict[str, str], emulator: Emulator, http: Http) -> None:
    before = {each["InstanceId"] for each in _instances(emulator, web)}
    killed = http.get(f"http://{web['Balancer']}/").json()["pid"]
    os.kill(killed, signal.SIGKILL)
    eventually(
        lambda: len(set(_pids(http, web)) - {0, killed}) == 3 and _states(emulator, web) == ["healthy"] * 3,
        "three programs again",
    )
    assert {each["InstanceId"] for each in _instances(emulator, web)} == before


def test_with_a_zone_away_the_others_serve_and_it_serves_again_when_it_is_back(
    web: dict[str, str], emulator: Emulator, http: Http, control: Control
) -> None:
    lost = ZONES[1]
    assert len(control.call("zone/lose", zone=lost)["stopped"]) == 1
    eventually(lambda: _zones(http, web) <= set(ZONES) - {lost}, "no more requests to the lost zone")
    eventually(
        lambda: (
            len(_instances(emulator, web)) == 3
            and lost not in {each["Placement"]["AvailabilityZone"] for each in _instances(emulator, web)}
        ),
        "an instance in another zone",
    )
    control.call("zone/restore", zone=lost)
    eventually(
        lambda: _states(emulator, web) == ["healthy"] * 3 and _zones(http, web) == set(ZONES),
        "the group to be even again",
    )


def test_a_terminated_instance_takes_its_program_with_it_and_is_replaced(
    web: dict[str, str], emulator: Emulator, http: Http
) -> None:
    victim = _instances(emulator, web)[0]["InstanceId"]
    before = set(_pids(http, web))
    emulator.endpoint.client("ec2").terminate_instances(InstanceIds=[victim])
    eventually(lambda: sum(is_alive(pid) for pid in before) == 2, "its program to end")
    eventually(lambda: _states(emulator, web) == ["healthy"] * 3, "another instance")
    assert victim not in {each["InstanceId"] for each in _instances(emulator, web)}


def test_a_group_grows_and_shrinks_as_it_is_told(web: dict[str, str], emulator: Emulator) -> None:
    groups = emulator.endpoint.client("autoscaling")
    groups.set_desired_capacity(AutoScalingGroupName=web["Group"], DesiredCapacity=4)
    eventually(lambda: _states(emulator, web) == ["healthy"] * 4, "four targets")
    groups.set_desired_capacity(AutoScalingGroupName=web["Group"], DesiredCapacity=3)
    eventually(lambda: _states(emulator, web) == ["healthy"] * 3, "three targets")
    assert len(_instances(emulator, web)) == 3


def test_an_instance_taken_out_drains_before_it_is_gone(web: dict[str, str], emulator: Emulator) -> None:
    balancers = emulator.endpoint.client("elbv2")
    target = {"Id": _instances(emulator, web)[0]["InstanceId"]}
    balancers.deregister_targets(TargetGroupArn=web["Targets"], Targets=[target])
    assert sorted(_states(emulator, web)) == ["draining", "healthy", "healthy"]
    eventually(lambda: _states(emulator, web) == ["healthy"] * 2, "the target to be gone")
    balancers.register_targets(TargetGroupArn=web["Targets"], Targets=[target])
    eventually(lambda: _states(emulator, web) == ["healthy"] * 3, "the target to be back")


def test_where_no_target_is_healthy_the_load_balancer_asks_all_of_them(
    web: dict[str, str], emulator: Emulator, http: Http
) -> None:
    balancers = emulator.endpoint.client("elbv2")
    balancers.modify_target_group(TargetGroupArn=web["Targets"], Matcher={"HttpCode": "204-299"})
    try:
        eventually(lambda: _states(emulator, web) == ["unhealthy"] * 3, "no healthy target")
        assert http.get(f"http://{web['Balancer']}/").status == 200
    finally:
        balancers.modify_target_group(TargetGroupArn=web["Targets"], Matcher={"HttpCode": "200"})
    eventually(lambda: _states(emulator, web) == ["healthy"] * 3, "healthy targets")


# Listeners, and the distribution in front.


def test_the_listeners_are_told_apart_by_their_ports(web: dict[str, str], http: Http) -> None:
    name = web["Balancer"]
    refused = http.get(f"https://{name}/", headers={"Host": f"{name}:443"})
    assert (refused.status, refused.text) == (403, "not by this way")
    known = http.get(f"https://{name}/", headers={"Host": f"{name}:443", "X-Origin-Verify": "s3cret"})
    assert known.status == 200
    moved = http.get(f"http://{name}:81/x", headers={"Host": f"{name}:81"})
    assert (moved.status, moved.headers["location"]) == (301, f"https://{name}:443/x")


@pytest.mark.parametrize("edge", ["PlainEdge", "SecureEdge"])
def test_a_distribution_reaches_the_load_balancer_by_http_and_by_https(
    web: dict[str, str], http: Http, edge: str
) -> None:
    answer = http.get(f"https://{web[edge]}/through?the=edge")
    assert answer.status == 200, answer.text
    assert answer.json()["path"] == "/through?the=edge"


# ECS.


def test_a_service_runs_its_tasks_in_its_subnets_under_their_role(
    emulator: Emulator, http: Http, control: Control
) -> None:
    resources = _network() | _balancer("ip") | _service()
    with deployed(emulator.endpoint, "tasks", template(resources, _TASK_OUTPUTS)) as outputs:
        assert _states(emulator, outputs) == ["healthy"] * 2  # a stack waits for its service
        told: list[dict[str, Any]] = [http.get(f"http://{outputs['Balancer']}/").json() for _ in range(4)]
        assert len({each["zone"] for each in told}) == 2
        assert (told[0]["COLOUR"], told[0]["PASSWORD"]) == ("blue", "pass word")
        outcomes = http.get(f"http://{outputs['Balancer']}/calls").json()
        assert f":assumed-role/{outputs['Role']}/" in outcomes["identity"]
        assert (outcomes["put"], outcomes["scan"]) == ("allowed", "AccessDeniedException")
        before = set(_pids(http, outputs))
        http.get(f"http://{outputs['Balancer']}/die")
        eventually(
            lambda: len(set(_pids(http, outputs)) - before - {0}) == 1, "a task in place of the dead one"
        )
        lost = http.get(f"http://{outputs['Balancer']}/").json()["zone"]
        control.call("zone/lose", zone=lost)
        eventually(
            lambda: (
                _states(emulator, outputs).count("healthy") == 2
                and not {lost, "none"} & _zones(http, outputs)  # none: nobody has noticed yet
            ),
            "the tasks of the lost zone to be replaced in another",
        )
        control.call("zone/restore", zone=lost)
        services = emulator.endpoint.client("ecs")
        services.update_service(cluster=outputs["Cluster"], service=outputs["Service"], desiredCount=1)
        pids = set(
            eventually(
                lambda: _pids(http, outputs),
                "one task",
                holds=lambda told: len(set(told)) == 1 and 0 not in told,
            )
        )
    assert not any(is_alive(pid) for pid in pids)


def test_a_service_whose_image_is_no_program_fails_with_the_reason(emulator: Emulator) -> None:
    resources = _network() | _balancer("ip") | _service()
    del resources["Repository"]["Properties"]["Tags"]
    with (
        pytest.raises(DryRunFailed, match="does not say which program it holds; tag it program=FOLDER"),
        deployed(emulator.endpoint, "untagged", template(resources, _TASK_OUTPUTS)),
    ):
        pass


def test_stopping_an_instance_stops_its_program_and_starting_it_starts_it(
    emulator: Emulator, http: Http
) -> None:
    ec2 = emulator.endpoint.client("ec2")
    with deployed(
        emulator.endpoint, "single", template(_network() | _balancer() | _single(), _SINGLE_OUTPUTS)
    ) as outputs:
        eventually(lambda: _states(emulator, outputs) == ["healthy"], "the instance's program")
        ec2.stop_instances(InstanceIds=[outputs["Instance"]])
        eventually(lambda: _states(emulator, outputs) == ["unhealthy"], "its program to stop")
        assert http.get(f"http://{outputs['Balancer']}/").status == 502
        ec2.start_instances(InstanceIds=[outputs["Instance"]])
        eventually(lambda: _states(emulator, outputs) == ["healthy"], "its program to start")


def test_an_instance_whose_user_data_runs_no_image_is_recorded_alone(emulator: Emulator) -> None:
    ec2 = emulator.endpoint.client("ec2")
    [plain] = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, UserData="echo nothing")["Instances"]
    assert plain["State"]["Name"] == "running"
    assert not list((emulator.folder / "programs").glob(f"{plain['InstanceId']}*"))
    ec2.terminate_instances(InstanceIds=[plain["InstanceId"]])


def test_deleting_the_stack_leaves_no_program(emulator: Emulator, http: Http) -> None:
    with deployed(
        emulator.endpoint, "passing", template(_network() | _balancer() | _group(), _WEB_OUTPUTS)
    ) as outputs:
        eventually(lambda: _states(emulator, outputs) == ["healthy"] * 3, "three healthy targets")
        pids = set(_pids(http, outputs))
        assert len(pids) == 3
    assert not any(is_alive(pid) for pid in pids)


# What an image is, and what user data starts.


@pytest.mark.fast
def test_a_dockerfiles_last_stage_says_how_its_program_is_started(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(
        'FROM node:24 AS build\nENV STAGE=build MODE=fast\nWORKDIR /build\nCMD ["never"]\n'
        "# what is shipped\nFROM build\nWORKDIR /srv/app\nENV STAGE=ship \\\n  DATA=/srv/app/data\n"
        'EXPOSE 9000/tcp\nENTRYPOINT ["node", "--enable-source-maps"]\nCMD ["/srv/app/main.js"]\n'
    )
    image = read_image(tmp_path)
    assert image.command[1:] == ("--enable-source-maps", f"{tmp_path}/main.js")
    assert Path(image.command[0]).name == "node"
    assert image.environment == {"STAGE": "ship", "MODE": "fast", "DATA": f"{tmp_path}/data"}
    assert image.port == 9000
    assert image.with_command(arguments=["other.js"]).command[1:] == ("--enable-source-maps", "other.js")
    assert image.with_command(entrypoint=["/bin/true"]).command == ("/bin/true",)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("dockerfile", "message"),
    [
        ("FROM scratch\n", "has neither CMD nor ENTRYPOINT"),
        ("FROM scratch\nCMD python app.py\n", "CMD must be in its JSON form"),
    ],
)
def test_a_dockerfile_that_says_no_program_is_refused(tmp_path: Path, dockerfile: str, message: str) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile)
    with pytest.raises(Misuse, match=message):
        read_image(tmp_path)


@pytest.mark.fast
def test_an_image_of_nobodys_repository_is_refused_in_a_line() -> None:
    with pytest.raises(Misuse, match="tagged program=FOLDER"):
        program_of("docker.io/library/nginx:latest")


@pytest.mark.fast
def test_user_data_is_read_for_what_docker_runs() -> None:
    said = """#!/bin/bash
cat <<END > /etc/one.env
# a comment
A=1
B=two words = more
END
docker pull 123456789012.dkr.ecr.eu-west-1.amazonaws.com/one:1
# docker run never
sudo docker run -d --restart=always -p 80:8080 --env-file /etc/one.env -e C=3 \\
  --entrypoint python 123456789012.dkr.ecr.eu-west-1.amazonaws.com/one:1 -m app && echo started
"""
    [found] = containers_of(said)
    assert found.image_uri.endswith("/one:1")
    assert found.environment == {"A": "1", "B": "two words = more", "C": "3"}
    assert (found.entrypoint, found.arguments) == (("python",), ("-m", "app"))
    assert containers_of("#!/bin/bash\necho ECS_CLUSTER=a >> /etc/ecs/ecs.config\n") == []


@pytest.mark.fast
@pytest.mark.parametrize(
    ("matcher", "status", "expected"),
    [("200", 200, True), ("200", 204, False), ("200,302", 302, True), ("200-299", 204, True)],
)
def test_a_matcher_is_a_code_a_list_or_a_range(matcher: str, status: int, expected: bool) -> None:
    assert matches(status, matcher) is expected


# What the templates are made of.


def _network() -> dict[str, Any]:
    trusted = {"Service": ["ec2.amazonaws.com", "ecs-tasks.amazonaws.com"]}
    writes = allow("dynamodb:PutItem", Resource=get_att("Table", "Arn"))
    subnets = {
        f"Subnet{number}": resource(
            "EC2::Subnet", VpcId=ref("Vpc"), CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone
        )
        for number, zone in enumerate(ZONES)
    }
    return {
        "Vpc": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
        "Repository": resource(
            "ECR::Repository", EmptyOnDelete=True, Tags=[{"Key": "program", "Value": str(FOLDER)}]
        ),
        "Table": resource(
            "DynamoDB::Table",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        ),
        "Logs": resource("Logs::LogGroup"),
        "Role": resource(
            "IAM::Role",
            AssumeRolePolicyDocument=policy(allow("sts:AssumeRole", Principal=trusted)),
            Policies=[{"PolicyName": "writes", "PolicyDocument": policy(writes)}],
        ),
        **subnets,
    }


def _balancer(target_type: str = "instance") -> dict[str, Any]:
    forward = [{"Type": "forward", "TargetGroupArn": ref("Targets")}]
    refuse = {"StatusCode": "403", "ContentType": "text/plain", "MessageBody": "not by this way"}
    move = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
    known = {"HttpHeaderName": "X-Origin-Verify", "Values": ["s3cret"]}
    return {
        "Balancer": resource("ElasticLoadBalancingV2::LoadBalancer", Subnets=_subnets()),
        "Targets": resource(
            "ElasticLoadBalancingV2::TargetGroup",
            Port=8080,
            Protocol="HTTP",
            VpcId=ref("Vpc"),
            TargetType=target_type,
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=5,
            HealthyThresholdCount=2,
            TargetGroupAttributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}],
        ),
        "Http": _listener(80, "HTTP", forward),
        "Https": _listener(443, "HTTPS", [{"Type": "fixed-response", "FixedResponseConfig": refuse}]),
        "Moved": _listener(81, "HTTP", [{"Type": "redirect", "RedirectConfig": move}]),
        "Known": resource(
            "ElasticLoadBalancingV2::ListenerRule",
            ListenerArn=ref("Https"),
            Priority=1,
            Actions=forward,
            Conditions=[{"Field": "http-header", "HttpHeaderConfig": known}],
        ),
    }


def _listener(port: int, protocol: str, actions: list[dict[str, Any]]) -> dict[str, Any]:
    return resource(
        "ElasticLoadBalancingV2::Listener",
        LoadBalancerArn=ref("Balancer"),
        Port=port,
        Protocol=protocol,
        DefaultActions=actions,
    )


def _template() -> dict[str, Any]:
    data = {
        "ImageId": "ami-12345678",
        "InstanceType": "t4g.micro",
        "IamInstanceProfile": {"Arn": get_att("Profile", "Arn")},
        "UserData": {"Fn::Base64": {"Fn::Sub": USER_DATA}},
    }
    return {
        "Profile": resource("IAM::InstanceProfile", Roles=[ref("Role")]),
        "Template": resource("EC2::LaunchTemplate", LaunchTemplateData=data),
    }


def _group() -> dict[str, Any]:
    launched = {"LaunchTemplateId": ref("Template"), "Version": get_att("Template", "LatestVersionNumber")}
    return _template() | {
        "Group": resource(
            "AutoScaling::AutoScalingGroup",
            MinSize="3",
            MaxSize="6",
            LaunchTemplate=launched,
            VPCZoneIdentifier=_subnets(),
            TargetGroupARNs=[ref("Targets")],
            HealthCheckType="ELB",
            HealthCheckGracePeriod=30,
        ),
        "PlainEdge": _distribution("http-only", {}),
        "SecureEdge": _distribution("https-only", {"X-Origin-Verify": "s3cret"}),
    }


def _distribution(protocol: str, headers: dict[str, str]) -> dict[str, Any]:
    origin = {
        "Id": "balancer",
        "DomainName": get_att("Balancer", "DNSName"),
        "CustomOriginConfig": {"OriginProtocolPolicy": protocol},
        "OriginCustomHeaders": [
            {"HeaderName": name, "HeaderValue": value} for name, value in headers.items()
        ],
    }
    behaviour = {
        "TargetOriginId": "balancer",
        "ViewerProtocolPolicy": "redirect-to-https",
        "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",  # CachingDisabled
        "OriginRequestPolicyId": "b689b0a8-53d0-40ab-baf2-68738e2966ac",  # AllViewerExceptHostHeader
    }
    config = {"Enabled": True, "Origins": [origin], "DefaultCacheBehavior": behaviour}
    return resource("CloudFront::Distribution", DistributionConfig=config)


def _single() -> dict[str, Any]:
    targets = _balancer()["Targets"]
    targets["Properties"]["Targets"] = [{"Id": ref("Instance"), "Port": 8080}]
    launched = {"LaunchTemplateId": ref("Template"), "Version": "1"}
    instance = resource("EC2::Instance", LaunchTemplate=launched, SubnetId=ref("Subnet0"))
    return _template() | {"Instance": instance, "Targets": targets}


def _service() -> dict[str, Any]:
    to_logs = {"awslogs-group": ref("Logs"), "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"}
    container = {
        "Name": "program",
        "Image": {"Fn::Sub": "${Repository.RepositoryUri}:1"},
        "PortMappings": [{"ContainerPort": 8080}],
        "Environment": [
            {"Name": "COLOUR", "Value": "blue"},
            {"Name": "TABLE", "Value": ref("Table")},
            {"Name": "CALLS_FIRST", "Value": "yes"},  # while its stack is still being made
        ],
        "Secrets": [{"Name": "PASSWORD", "ValueFrom": ref("Secret")}],
        "LogConfiguration": {"LogDriver": "awslogs", "Options": to_logs},
    }
    sidecar = {"Name": "tracing", "Image": "public.ecr.aws/xray/aws-xray-daemon:3.x", "Essential": False}
    service = resource(
        "ECS::Service",
        Cluster=ref("Cluster"),
        TaskDefinition=ref("Task"),
        DesiredCount=2,
        LaunchType="FARGATE",
        DeploymentConfiguration={"DeploymentCircuitBreaker": {"Enable": True, "Rollback": False}},
        NetworkConfiguration={"AwsvpcConfiguration": {"Subnets": _subnets()}},
        LoadBalancers=[{"ContainerName": "program", "ContainerPort": 8080, "TargetGroupArn": ref("Targets")}],
    )
    return {
        "Cluster": resource("ECS::Cluster"),
        "Secret": resource("SecretsManager::Secret", SecretString="pass word"),
        "Task": resource(
            "ECS::TaskDefinition",
            RequiresCompatibilities=["FARGATE"],
            NetworkMode="awsvpc",
            Cpu="256",
            Memory="512",
            TaskRoleArn=get_att("Role", "Arn"),
            ContainerDefinitions=[container, sidecar],
        ),
        "Service": service | {"DependsOn": ["Http"]},
    }


def _subnets() -> list[dict[str, str]]:
    return [ref(f"Subnet{number}") for number in range(len(ZONES))]


_OUTPUTS: dict[str, Any] = {
    "Balancer": get_att("Balancer", "DNSName"),
    "Targets": ref("Targets"),
    "Role": ref("Role"),
    "Logs": ref("Logs"),
}
_WEB_OUTPUTS = _OUTPUTS | {
    "Group": ref("Group"),
    "PlainEdge": get_att("PlainEdge", "DomainName"),
    "SecureEdge": get_att("SecureEdge", "DomainName"),
}
_TASK_OUTPUTS = _OUTPUTS | {"Cluster": ref("Cluster"), "Service": get_att("Service", "Name")}
_SINGLE_OUTPUTS = _OUTPUTS | {"Instance": ref("Instance")}


# What the tests look at.


def _healths(emulator: Emulator, outputs: dict[str, str]) -> list[dict[str, Any]]:
    balancers = emulator.endpoint.client("elbv2")
    described = balancers.describe_target_health(TargetGroupArn=outputs["Targets"])
    found: list[dict[str, Any]] = described["TargetHealthDescriptions"]
    return found


def _states(emulator: Emulator, outputs: dict[str, str]) -> list[str]:
    return [each["TargetHealth"]["State"] for each in _healths(emulator, outputs)]


def _instances(emulator: Emulator, outputs: dict[str, str]) -> list[dict[str, Any]]:
    """The running instances of the group, from EC2."""
    groups, ec2 = emulator.endpoint.client("autoscaling"), emulator.endpoint.client("ec2")
    named = groups.describe_auto_scaling_groups(AutoScalingGroupNames=[outputs["Group"]])
    [group] = named["AutoScalingGroups"]
    reservations = ec2.describe_instances(InstanceIds=[each["InstanceId"] for each in group["Instances"]])
    return [
        instance
        for reservation in reservations["Reservations"]
        for instance in reservation["Instances"]
        if instance["State"]["Name"] == "running"
    ]


def _pids(http: Http, outputs: dict[str, str]) -> list[int]:
    """Who answers nine requests; 0 where nobody does."""
    answers: list[Response] = [http.get(f"http://{outputs['Balancer']}/") for _ in range(9)]
    return [each.json()["pid"] if each.status == 200 else 0 for each in answers]


def _zones(http: Http, outputs: dict[str, str]) -> set[str]:
    answers = [http.get(f"http://{outputs['Balancer']}/") for _ in range(9)]
    return {each.json()["zone"] if each.status == 200 else "none" for each in answers}


def _pid_after(http: Http, outputs: dict[str, str], path: str) -> int:
    """Whom `path` was asked of: targets take turns, so it is who answered three requests before."""
    order = _pids(http, outputs)[-3:]
    http.get(f"http://{outputs['Balancer']}{path}")
    return order[0]


# By themselves.


def test_a_program_that_is_closed_leaves_no_children(room: Path) -> None:
    script = "import subprocess as s; child = s.Popen(['sleep', '300']); print('started', flush=True); child.wait()"
    image = Image(room, ("python3", "-c", script), ())
    running = Program(image, {}, name="i-1", role_arn=None, zone="us-east-1a", private_ip="10.255.1.4")
    (room / "programs").mkdir(exist_ok=True)
    running.launch()
    eventually(lambda: "started" in running.log_file.read_text(), "its child")
    [parent, child] = _with_descendants(running.pids[0])
    running.close()
    assert not is_alive(parent)
    eventually(lambda: not is_alive(child), "the end of its child")


def test_tasks_of_a_service_that_die_young_wait_and_no_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(tasks, "_deaths", Counter())
    monkeypatch.setattr(tasks, "time", SimpleNamespace(sleep=pauses.append, monotonic=time.monotonic))
    start = tasks._after_a_pause(lambda task: None)
    fail = tasks._counting_deaths(lambda task: None)

    def pause_after_deaths(group: str, definition: str, then: str) -> float:
        for _ in range(3):
            task = {"clusterArn": "one", "group": group, "taskDefinitionArn": definition}
            start(task)
            fail(task)
        start({"clusterArn": "one", "group": group, "taskDefinitionArn": then})
        return pauses[-1]

    assert pause_after_deaths("service:web", "web:1", "web:1") > 0
    assert pause_after_deaths("service:app", "app:1", "app:2") == 0, "a new definition begins anew"
    assert pause_after_deaths("", "job:1", "job:1") == 0, "what is run once may end as soon as it likes"
