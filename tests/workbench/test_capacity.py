"""Limits against loads, and the search for the size that breaks."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assemblies import assembly, resource, stack
from workbench import pages
from workbench.assembly import Assembly
from workbench.errors import Misuse, NotPriced
from workbench.review.capacity import (
    MOST_USERS,
    Break,
    Checked,
    capacity_of_fixed,
    first_to_break,
    limits,
    prerequisites,
    undeclared,
)

pytestmark = pytest.mark.fast


def found(resources: dict[str, Any], limit: str) -> Checked:
    [checked] = [each for each in limits(assembly(resources)) if each.limit == limit]
    return checked


def function(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::Lambda::Function", properties, **usage)


def test_concurrency_is_summed_over_the_functions_of_the_account() -> None:
    resources = {
        "One": function(peak_invocations_per_second=100, duration_ms=500),
        "Two": function(peak_invocations_per_second=50, duration_ms=3000),
    }
    checked = found(resources, "Lambda concurrent executions")
    assert (checked.resource, checked.load, checked.quota) == ("account", Decimal(200), Decimal(1000))
    assert checked.headroom == Decimal("0.8")
    assert checked.adjustable


def test_reserved_concurrency_is_a_limit_of_its_own_and_comes_off_the_pool() -> None:
    resources = {
        "One": function(
            {"ReservedConcurrentExecutions": 300}, peak_invocations_per_second=100, duration_ms=500
        ),
        "Two": function(peak_invocations_per_second=100, duration_ms=1000),
    }
    own = found(resources, "Reserved concurrency")
    assert (own.resource, own.load, own.quota) == ("One", Decimal(50), Decimal(300))
    assert found(resources, "Lambda concurrent executions").load == Decimal(400)


def test_short_calls_run_into_requests_a_second_before_concurrency() -> None:
    resources = {"One": function(peak_invocations_per_second=12_000, duration_ms=5)}
    assert not found(resources, "Lambda concurrent executions").breaks
    assert found(resources, "Lambda requests a second").breaks


def test_a_stage_throttles_at_the_rate_in_the_template() -> None:
    resources = {
        "Api": resource("AWS::ApiGatewayV2::Api", peak_requests_per_second=150),
        "Stage": resource(
            "AWS::ApiGatewayV2::Stage",
            {"ApiId": {"Ref": "Api"}, "DefaultRouteSettings": {"ThrottlingRateLimit": 100}},
        ),
    }
    checked = found(resources, "Throttling rate of the stage")
    assert (checked.resource, checked.load, checked.quota) == ("Stage", Decimal(150), Decimal(100))
    assert checked.headroom == Decimal("-0.5")
    assert checked.breaks
    assert found(resources, "API Gateway requests a second").quota == Decimal(10_000)


def test_the_busiest_key_meets_the_ceiling_of_one_partition() -> None:
    links = resource(
        "AWS::DynamoDB::Table",
        {"BillingMode": "PAY_PER_REQUEST"},
        peak_read_units_per_second=8_000,
        peak_write_units_per_second=2_000,
        hottest_key_share="0.5",
    )
    reads = found({"Links": links}, "Busiest key, read units a second")
    assert (reads.load, reads.quota, reads.breaks) == (Decimal(4_000), Decimal(3_000), True)
    writes = found({"Links": links}, "Busiest key, write units a second")
    assert (writes.load, writes.quota, writes.breaks) == (Decimal(1_000), Decimal(1_000), False)
    assert not writes.adjustable
    assert found({"Links": links}, "Table read units a second").quota == Decimal(40_000)


def test_provisioned_capacity_is_the_limit_of_its_table() -> None:
    links = resource(
        "AWS::DynamoDB::Table",
        {"ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 20}},
        peak_read_units_per_second=8,
        peak_write_units_per_second=25,
    )
    assert found({"Links": links}, "Provisioned read units").headroom == Decimal("0.2")
    assert found({"Links": links}, "Provisioned write units").breaks


def queue_with_consumer(mapping: dict[str, Any], queue: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "Jobs": resource("AWS::SQS::Queue", queue, peak_messages_per_second=1_000),
        "Work": function(peak_invocations_per_second=100, duration_ms=200),
        "Feed": resource(
            "AWS::Lambda::EventSourceMapping",
            {
                "EventSourceArn": {"Fn::GetAtt": ["Jobs", "Arn"]},
                "FunctionName": {"Fn::GetAtt": ["Work", "Arn"]},
                **mapping,
            },
        ),
    }


@pytest.mark.parametrize(
    ("mapping", "drained"),
    [
        ({"BatchSize": 10, "ScalingConfig": {"MaximumConcurrency": 5}}, "250"),  # 5 × 10 ÷ 0.2 s
        ({"BatchSize": 100, "ScalingConfig": {"MaximumConcurrency": 5}}, "2500"),
        ({}, "62500"),  # 1,250 × 10 ÷ 0.2 s
    ],
)
def test_a_queue_is_drained_as_fast_as_batches_are_worked_on(mapping: dict[str, Any], drained: str) -> None:
    checked = found(queue_with_consumer(mapping), "Messages drained a second")
    assert (checked.resource, checked.load, checked.quota) == ("Feed", Decimal(1_000), Decimal(drained))


def test_messages_wait_in_flight_for_their_batch_and_its_work() -> None:
    resources = queue_with_consumer({"MaximumBatchingWindowInSeconds": 2})
    checked = found(resources, "Messages in flight")
    assert (checked.load, checked.quota) == (Decimal(2_200), Decimal(120_000))


def test_a_fifo_queue_takes_300_messages_a_second() -> None:
    checked = found(queue_with_consumer({}, {"FifoQueue": True}), "FIFO messages a second, sent one by one")
    assert (checked.quota, checked.breaks) == (Decimal(300), True)


def test_sign_ins_are_summed_over_the_pools() -> None:
    pool = resource("AWS::Cognito::UserPool", peak_sign_ins_per_second=70)
    checked = found({"One": pool, "Two": pool}, "Cognito sign-ins a second")
    assert (checked.load, checked.quota, checked.breaks) == (Decimal(140), Decimal(120), True)


def test_a_distribution_takes_a_quarter_of_a_million_requests_a_second() -> None:
    edge = resource("AWS::CloudFront::Distribution", peak_requests_per_second=25_000)
    assert found({"Edge": edge}, "Requests a second").headroom == Decimal("0.9")


def test_the_worst_headroom_comes_first() -> None:
    resources = {
        "Api": resource("AWS::ApiGatewayV2::Api", peak_requests_per_second=5_000),
        "Pool": resource("AWS::Cognito::UserPool", peak_sign_ins_per_second=119),
        "Edge": resource("AWS::CloudFront::Distribution", peak_requests_per_second=1),
    }
    headrooms = [each.headroom for each in limits(assembly(resources))]
    assert headrooms == sorted(headrooms)
    assert limits(assembly(resources))[0].resource == "account"


def test_a_limit_without_declared_load_is_listed_and_not_called_fine() -> None:
    resources = {"Edge": resource("AWS::CloudFront::Distribution")}
    assert limits(assembly(resources)) == []
    assert undeclared(assembly(resources)) == ["Edge: Requests a second (peak_requests_per_second)"]


def test_an_unknown_type_is_refused_here_too() -> None:
    with pytest.raises(NotPriced):
        limits(assembly({"It": resource("AWS::RoboMaker::Fleet")}))


def test_every_limit_names_its_page() -> None:
    for each in limits(assembly(queue_with_consumer({}))):
        assert each.source.startswith("https://docs.aws.amazon.com/")


# The search


def wall(quota: int) -> Any:
    """A system whose load is its number of users; counts how often it is asked."""

    def limits_at(users: int) -> list[Checked]:
        limits_at.asked += 1  # type: ignore[attr-defined]
        headroom = 1 - Decimal(users) / quota
        return [
            Checked(
                "it", "Wall", "users", Decimal(quota), Decimal(users), headroom, False, "", "quota", "users"
            )
        ]

    limits_at.asked = 0  # type: ignore[attr-defined]
    return limits_at


@given(quota=st.integers(min_value=1, max_value=10**10 - 1))
def test_the_search_finds_the_wall_to_one_percent(quota: int) -> None:
    users = first_to_break(wall(quota)).users
    assert users is not None
    assert quota < users <= quota * Decimal("1.0102") + 1


@pytest.mark.parametrize("quota", [1, 2, 9, 10, 37, 60])
def test_small_sizes_are_found_exactly(quota: int) -> None:
    assert first_to_break(wall(quota)).users == quota + 1


@pytest.mark.parametrize("quota", [500, 1_000, 55_000, 9_999_999])
def test_a_coarse_search_needs_few_looks(quota: int) -> None:
    looked = wall(quota)
    users = first_to_break(looked, start=1_000, most=10**8).users
    assert users is not None
    assert quota < users <= quota * Decimal("1.0102") + 1
    assert looked.asked <= 20


def test_a_system_that_never_breaks_says_so() -> None:
    never = first_to_break(wall(MOST_USERS))
    assert (never.users, never.resource, never.limit) == (None, None, None)
    assert never.why == "no limit that is known gives way up to 10,000,000,000 users"


def test_the_search_agrees_with_the_arithmetic_of_a_template() -> None:
    # 1,000 users make 1 call of 500 ms a second, so 0.5 concurrent: 1,000 is reached by 2,000,000 users.
    built = assembly({"Work": function(peak_invocations_per_second=1, duration_ms=500)}, users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    assert broken.users is not None
    assert 2_000_000 < broken.users <= 2_020_200
    assert (broken.resource, broken.limit) == ("account", "Lambda concurrent executions")
    assert broken.why.startswith("account gets 1,0")
    assert "against 1,000: Lambda concurrent executions" in broken.why


def test_traffic_of_nobody_cannot_be_scaled() -> None:
    with pytest.raises(Misuse, match="for how many users"):
        capacity_of_fixed(assembly({}))


# What has to be raised before a deployment


VCPUS = "EC2 vCPUs (Running On-Demand Standard instances)"  # 5


def machine(type: str) -> dict[str, Any]:
    return resource("AWS::EC2::Instance", {"InstanceType": type})


def group(fewest: int, peak: int) -> dict[str, Any]:
    """Instances of two vCPUs, each of which serves one request a second."""
    template = resource("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"InstanceType": "t4g.micro"}})
    scaled = resource(
        "AWS::AutoScaling::AutoScalingGroup",
        {
            "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"},
            "MinSize": str(fewest),
            "MaxSize": "1000000",
        },
        peak_requests_per_second=peak,
        requests_per_second_per_instance=1,
        average_instances=fewest,
    )
    return {"Template": template, "Group": scaled}


def busy_function() -> dict[str, Any]:
    """One concurrent execution for each 1,000 users, so that a million of them meet the quota."""
    return function(peak_invocations_per_second=1, duration_ms=1_000)


def test_machines_that_stand_idle_make_a_prerequisite_and_not_the_break() -> None:
    built = assembly({"Machine": machine("m7g.2xlarge"), "Work": busy_function()}, users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    [raised] = broken.prerequisites
    assert (raised.limit, raised.idle_load, raised.quota) == (VCPUS, Decimal(8), Decimal(5))
    assert broken.limit == "Lambda concurrent executions"
    assert broken.users is not None
    assert 1_000_000 < broken.users <= 1_010_100


def test_a_prerequisite_is_left_out_also_where_its_load_grows() -> None:
    # 6 vCPUs stand idle; at 1,000 users it is 10, and the function gives way long after the group outgrew them.
    built = assembly({**group(fewest=3, peak=5), "Work": busy_function()}, users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    assert [each.idle_load for each in broken.prerequisites] == [Decimal(6)]
    assert broken.limit == "Lambda concurrent executions"


def test_a_quota_that_the_idle_system_keeps_is_where_it_breaks() -> None:
    built = assembly(group(fewest=2, peak=2), users=1_000)
    broken = first_to_break(capacity_of_fixed(built))
    assert broken.prerequisites == ()
    assert broken.limit == VCPUS
    assert broken.users is not None
    assert 1_000 < broken.users <= 1_012  # the third instance


def test_what_only_the_traffic_exceeds_is_no_prerequisite_though_the_search_starts_above_it() -> None:
    built = assembly(group(fewest=2, peak=50), users=1_000)
    assert prerequisites(limits(built)) == ()
    broken = first_to_break(capacity_of_fixed(built), start=1_000)
    assert (broken.limit, broken.prerequisites) == (VCPUS, ())
    assert broken.users is not None
    assert 40 < broken.users <= 42  # the third instance


def test_tasks_that_only_the_traffic_asks_for_are_no_prerequisite() -> None:
    definition = resource("AWS::ECS::TaskDefinition", {"Cpu": "1024", "Memory": "2048"})
    service = resource(
        "AWS::ECS::Service",
        {"LaunchType": "FARGATE", "TaskDefinition": {"Ref": "Task"}},
        peak_requests_per_second=100,
        requests_per_second_per_task=100,
        average_tasks=2,
    )
    scaling = resource(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        {
            "MinCapacity": 2,
            "MaxCapacity": 20,
            "ScalableDimension": "ecs:service:DesiredCount",
            "ResourceId": {"Fn::Join": ["/", ["service", "x", {"Fn::GetAtt": ["Service", "Name"]}]]},
        },
    )
    built = assembly({"Task": definition, "Service": service, "Scaling": scaling}, users=1_000)
    [vcpus] = [each for each in limits(built) if each.limit == "Fargate vCPUs, on demand"]
    assert (vcpus.load, vcpus.idle_load, vcpus.quota) == (Decimal(2), Decimal(2), Decimal(6))
    broken = first_to_break(capacity_of_fixed(built))
    assert (broken.limit, broken.prerequisites) == (vcpus.limit, ())
    assert broken.users is not None
    assert 6_000 < broken.users <= 6_061  # the seventh task, to 1 %


def test_what_the_template_itself_makes_too_small_cannot_be_raised_by_asking() -> None:
    brokers = resource(
        "AWS::MSK::Cluster",
        {
            "NumberOfBrokerNodes": 3,
            "BrokerNodeGroupInfo": {
                "InstanceType": "kafka.t3.small",
                "ClientSubnets": ["a", "b", "c"],
                "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 10}},
            },
        },
        partitions=1_000,
    )
    broken = first_to_break(capacity_of_fixed(assembly({"Brokers": brokers}, users=1_000)))
    assert (broken.users, broken.limit) == (1, "Partitions on the brokers")
    assert broken.prerequisites == ()


def checked(limit: str, idle: int, *, adjustable: bool = True, of_account: bool = True) -> Checked:
    """A load of `idle` against 10."""
    quota, load = Decimal(10), Decimal(idle)
    return Checked(
        "account",
        limit,
        "things",
        quota,
        load,
        1 - load / quota,
        adjustable,
        "https://docs.aws.amazon.com/",
        "10 things",
        "things",
        load,
        of_account,
    )


def test_a_hard_limit_that_the_idle_system_exceeds_is_a_break_at_one_user() -> None:
    broken = first_to_break(lambda _: [checked("Hard", 11, adjustable=False)])
    assert (broken.users, broken.limit, broken.prerequisites) == (1, "Hard", ())


def test_a_quota_is_a_prerequisite_only_above_what_a_new_account_has() -> None:
    found = [
        checked("Kept", 10),
        checked("Exceeded", 11),
        checked("Hard", 11, adjustable=False),
        checked("Of the template", 11, of_account=False),
    ]
    assert [each.limit for each in prerequisites(found)] == ["Exceeded"]


def test_a_quota_that_only_larger_templates_exceed_idle_is_where_they_break() -> None:
    broken = first_to_break(lambda users: [checked("Machines", users // 100)], start=100, most=10**6)
    assert broken.prerequisites == ()
    assert broken.users is not None
    assert 1_100 <= broken.users <= 1_112


def test_what_stands_idle_does_not_depend_on_the_traffic() -> None:
    built = assembly(group(fewest=3, peak=50))
    for traffic in (Decimal(0), Decimal("0.001"), Decimal(1), Decimal(100)):
        [vcpus] = [each for each in limits(built, traffic) if each.limit == VCPUS]
        assert vcpus.idle_load == Decimal(6)


def test_every_region_has_quotas_of_its_own() -> None:
    stacks = (
        stack({"Machine": machine("m7g.2xlarge")}, name="Here"),
        stack({"Machine": machine("m7g.large")}, name="There", region="eu-west-1"),
    )
    [raised] = prerequisites(limits(Assembly(Path(), stacks)))
    assert raised.resource == "account in us-east-1"
    assert raised.increase == (f"{VCPUS} (account in us-east-1): 8 vCPUs needed, a new account has 5")


# The sentences of a page


def test_the_page_says_what_to_raise_and_then_where_it_breaks() -> None:
    built = assembly({"Machine": machine("m7g.2xlarge"), "Work": busy_function()}, users=1_000)
    found = first_to_break(capacity_of_fixed(built))
    first, blank, item, *_, last = pages.capacity_paragraph("demo", found).split("\n")
    assert "before you deploy `demo`" in first
    assert blank == ""
    assert item.startswith(f"- {VCPUS}: 8 vCPUs needed, a new account has 5 ([AWS's page](https://docs.aws.")
    assert f"`demo` breaks at about **{found.users:,} users**: account gets" in last


def test_a_page_without_prerequisites_is_one_sentence() -> None:
    found = Break(2_000, "Work", "Calls", "Work gets too many")
    assert pages.capacity_paragraph("demo", found) == (
        "`demo` breaks at about **2,000 users**: Work gets too many."
    )
    nowhere = Break(None, None, None, "nothing gives way")
    assert pages.capacity_paragraph("demo", nowhere) == (
        "`demo` meets no limit that is known: nothing gives way."
    )
