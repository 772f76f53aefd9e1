"""The bill: dollars worked out by hand, and what holds for every bill."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assemblies import assembly, resource, stack
from workbench.assembly import Assembly, Stack
from workbench.errors import MalformedAssembly, NotPriced
from workbench.review import free_tier
from workbench.review.cost import Bill, declared, price
from workbench.review.prices import PriceBook
from workbench.review.registry import ask, ask_of_account, rooms
from workbench.review.room import Context, Limit

pytestmark = pytest.mark.fast

MILLION = 1_000_000


def bill_of(**resources: Any) -> Bill:
    return price(assembly(resources))


def dollars(bill: Bill) -> dict[str, Decimal]:
    """Component → dollars, over all resources."""
    found: dict[str, Decimal] = {}
    for line in bill.lines:
        found[line.component] = found.get(line.component, Decimal(0)) + line.monthly_usd
    return found


def function(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource(
        "AWS::Lambda::Function",
        {
            "MemorySize": 512,
            "Architectures": ["arm64"],
            "LoggingConfig": {"LogGroup": "/work"},
            **(properties or {}),
        },
        **usage,
    )


def table(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST", **(properties or {})}, **usage)


# By hand


def test_a_function_pays_for_requests_and_gigabyte_seconds() -> None:
    bill = bill_of(Work=function(invocations_per_month=MILLION, duration_ms=100))
    # 1 M × $0.20/M; 1 M × 0.1 s × 0.5 GB = 50,000 GB-s × $0.0000133334
    assert dollars(bill) == {"Requests (arm)": Decimal("0.2"), "Duration (arm)": Decimal("0.66667")}
    assert bill.monthly_usd == Decimal("0.86667")


def test_gigabyte_seconds_beyond_six_billion_cost_less_on_x86() -> None:
    work = function(
        {"MemorySize": 1024, "Architectures": ["x86_64"]},
        invocations_per_month=7_000 * MILLION,
        duration_ms=1000,
    )
    # 6 G × $0.0000166667 + 1 G × $0.000015
    assert dollars(bill_of(Work=work))["Duration (x86)"] == Decimal("115000.2")


def test_a_function_without_architecture_or_memory_is_x86_with_128_mb() -> None:
    work = resource("AWS::Lambda::Function", invocations_per_month=MILLION, duration_ms=1000)
    assert dollars(bill_of(Work=work))["Duration (x86)"] == Decimal("2.0833375")  # 125,000 GB-s


def test_temporary_storage_above_512_mb_is_a_line() -> None:
    work = function({"EphemeralStorage": {"Size": 1536}}, invocations_per_month=MILLION, duration_ms=1000)
    # 1 M s × 1 GB × $0.0000000309
    assert dollars(bill_of(Work=work))["Temporary storage (arm)"] == Decimal("0.0309")


def test_active_tracing_records_one_request_a_second_and_five_percent_of_the_rest() -> None:
    work = function({"TracingConfig": {"Mode": "Active"}}, invocations_per_month=10 * MILLION, duration_ms=1)
    # (2,628,000 + 5 % of 7,372,000) × $0.000005
    assert dollars(bill_of(Work=work))["Traces recorded (default sampling)"] == Decimal("14.983")


def test_few_requests_are_all_traced() -> None:
    work = function({"TracingConfig": {"Mode": "Active"}}, invocations_per_month=1000, duration_ms=1)
    assert dollars(bill_of(Work=work))["Traces recorded (default sampling)"] == Decimal("0.005")


def test_tiers_apply_to_the_sum_over_the_account_and_are_shared_in_proportion() -> None:
    api = resource("AWS::ApiGatewayV2::Api", requests_per_month=200 * MILLION, egress_gb_per_month=0)
    assert bill_of(One=api).monthly_usd == Decimal(200)
    # 300 M × $1/M + 100 M × $0.90/M
    both = bill_of(One=api, Two=api)
    assert both.monthly_usd == Decimal(390)
    requests = [line for line in both.lines if line.component == "Requests (HTTP API)"]
    assert [line.monthly_usd for line in requests] == [Decimal(195), Decimal(195)]
    assert requests[0].unit_price == Decimal("0.000000975")


def test_two_accounts_have_tiers_and_allowances_of_their_own() -> None:
    api = {"Api": resource("AWS::ApiGatewayV2::Api", requests_per_month=200 * MILLION, egress_gb_per_month=0)}
    queue = {"Jobs": resource("AWS::SQS::Queue", requests_per_month=2 * MILLION)}
    stacks = [stack({**api, **queue}, name=name) for name in ("Here", "There")]
    of_one = price(Assembly(Path(), tuple(stacks)), with_free_tier=True)
    # 300 M × $1/M + 100 M × $0.90/M, and 4 M × $0.40/M, of which a million is free
    assert (of_one.monthly_usd, of_one.free_usd) == (Decimal("391.6"), Decimal("0.4"))
    stacks[1] = dataclasses.replace(stacks[1], account="123456789012")
    of_two = price(Assembly(Path(), tuple(stacks)), with_free_tier=True)
    assert (of_two.monthly_usd, of_two.free_usd) == (Decimal("401.6"), Decimal("0.8"))


def test_two_regions_have_tiers_of_their_own() -> None:
    api = resource("AWS::ApiGatewayV2::Api", requests_per_month=200 * MILLION, egress_gb_per_month=0)
    stacks = (stack({"Api": api}, name="Here"), stack({"Api": api}, name="There", region="eu-west-1"))
    bill = price(Assembly(Path(), stacks))
    assert bill.monthly_usd == Decimal(422)  # 200 M × $1/M + 200 M × $1.11/M
    assert {line.resource for line in bill.lines} == {"Here/Api", "There/Api"}


def test_every_stack_can_be_priced_as_if_it_stood_in_one_region() -> None:
    api = resource("AWS::ApiGatewayV2::Api", requests_per_month=MILLION, egress_gb_per_month=0)
    built = assembly({"Api": api})
    assert [price(built, region=each).monthly_usd for each in ("us-east-1", "eu-west-1", "ap-south-1")] == [
        Decimal("1"),
        Decimal("1.11"),
        Decimal("1.05"),
    ]


def test_what_has_no_price_in_a_region_is_named_and_the_rest_is_priced() -> None:
    volume = {"Volume": resource("AWS::EC2::Volume", {"VolumeType": "gp3", "Size": 10})}
    assert price(assembly(volume)).monthly_usd == Decimal("0.8")
    bill = price(assembly(volume), region="eu-west-1")
    assert bill.monthly_usd == 0
    assert [each.why for each in bill.unpriced] == [
        "Volumes (gp3): the price 'ebs.gp3' is not known in eu-west-1"
    ]


def test_a_region_without_prices_is_refused_by_name() -> None:
    there = stack({"Queue": resource("AWS::SQS::Queue")}, region="mars-north-1")
    with pytest.raises(NotPriced, match=r"manifest\.json: Demo is in the region 'mars-north-1'.*--region"):
        price(Assembly(Path(), (there,)))
    assert price(Assembly(Path(), (there,)), region="us-east-1").monthly_usd == 0
    with pytest.raises(NotPriced, match=r"'mars-north-1'.*us-east-1, ap-south-1, eu-west-1"):
        price(assembly({}), region="mars-north-1")


def test_what_costs_the_same_everywhere_has_the_tiers_of_the_whole_account() -> None:
    zone = {"Zone": resource("AWS::Route53::HostedZone", queries_per_month=800 * MILLION)}
    stacks = (stack(zone, name="Here"), stack(zone, name="There", region="eu-west-1"))
    bill = price(Assembly(Path(), stacks))
    # 1,000 M × $0.40/M + 600 M × $0.20/M
    assert dollars(bill)["Queries (standard)"] == Decimal(520)


def test_the_free_tier_is_off_and_a_sum_of_its_own() -> None:
    queues = {
        "One": resource("AWS::SQS::Queue", requests_per_month=3 * MILLION),
        "Fifo": resource("AWS::SQS::Queue", {"FifoQueue": True}, requests_per_month=MILLION),
    }
    assert price(assembly(queues)).free_tier == ()
    bill = price(assembly(queues), with_free_tier=True)
    [taken] = bill.free_tier
    assert (taken.allowance.name, taken.quantity) == ("SQS requests", Decimal(MILLION))
    assert bill.monthly_usd == Decimal("1.7")  # 3 M × $0.40/M + 1 M × $0.50/M
    assert bill.free_usd == Decimal("0.425")  # 750,000 × $0.40/M + 250,000 × $0.50/M
    assert bill.payable_usd == Decimal("1.275")


def test_the_free_tier_is_never_more_than_what_is_used() -> None:
    queue = {"One": resource("AWS::SQS::Queue", requests_per_month=10)}
    bill = price(assembly(queue), with_free_tier=True)
    assert bill.payable_usd == 0
    assert bill.free_usd == bill.monthly_usd == Decimal("0.000004")


def test_what_is_free_as_a_whole_leaves_nothing_to_pay_and_no_less() -> None:
    queues = {
        "One": resource("AWS::SQS::Queue", requests_per_month="0.0000035"),
        "Fifo": resource("AWS::SQS::Queue", {"FifoQueue": True}, requests_per_month="0.0000028"),
    }
    # 1.4 × 10⁻¹² dollars each, which a bill rounds to 1 × 10⁻¹²
    assert price(assembly(queues), with_free_tier=True).payable_usd == 0


@pytest.mark.parametrize(("scope", "free"), [("account", "0.2"), ("region", "0.4")])
def test_an_allowance_is_of_the_account_or_of_each_region(
    scope: Literal["account", "region"], free: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [requests] = [each for each in free_tier.allowances() if each.name == "Lambda requests"]
    monkeypatch.setattr(free_tier, "allowances", lambda: (dataclasses.replace(requests, scope=scope),))
    code = {"One": function(invocations_per_month=2 * MILLION)}
    stacks = (stack(code, name="Here"), stack(code, name="There", region="eu-west-1"))
    assert price(Assembly(Path(), stacks), with_free_tier=True).free_usd == Decimal(free)


def test_a_websocket_api_pays_for_messages_and_minutes() -> None:
    api = resource(
        "AWS::ApiGatewayV2::Api",
        {"ProtocolType": "WEBSOCKET"},
        messages_per_month=3 * MILLION,
        connection_minutes_per_month=4 * MILLION,
        egress_gb_per_month=10,
    )
    assert dollars(bill_of(Api=api)) == {
        "Messages (WebSocket)": Decimal(3),
        "Connections (WebSocket)": Decimal(1),
        "Data out (internet)": Decimal("0.9"),
    }


def test_detailed_metrics_of_a_stage_are_six_a_route_and_cost_nothing_when_idle() -> None:
    ref = {"Ref": "Api"}
    resources = {
        "Api": resource("AWS::ApiGatewayV2::Api", requests_per_month=0, egress_gb_per_month=0),
        "Stage": resource(
            "AWS::ApiGatewayV2::Stage",
            {"ApiId": ref, "DefaultRouteSettings": {"DetailedMetricsEnabled": True}},
        ),
        "Get": resource("AWS::ApiGatewayV2::Route", {"ApiId": ref}),
        "Put": resource("AWS::ApiGatewayV2::Route", {"ApiId": ref}),
    }
    bill = bill_of(**resources)
    assert bill.monthly_usd == Decimal("3.6")  # 12 × $0.30
    assert bill.idle_usd == 0


def test_a_table_on_demand_pays_for_units_data_and_recovery() -> None:
    links = table(
        {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}},
        write_units_per_month=MILLION,
        read_units_per_month=2 * MILLION,
        stored_gb=10,
    )
    assert dollars(bill_of(Links=links)) == {
        "Writes (on demand)": Decimal("0.625"),
        "Reads (on demand)": Decimal("0.25"),
        "Stored data": Decimal("2.5"),
        "Point-in-time recovery": Decimal(2),
    }


def test_an_infrequent_access_table_stores_cheaply_and_reads_dearly() -> None:
    links = table(
        {"TableClass": "STANDARD_INFREQUENT_ACCESS"},
        write_units_per_month=MILLION,
        read_units_per_month=MILLION,
        stored_gb=10,
    )
    assert bill_of(Links=links).monthly_usd == Decimal("0.78") + Decimal("0.155") + Decimal(1)


def test_provisioned_capacity_is_paid_by_the_hour_with_its_indexes() -> None:
    links = resource(
        "AWS::DynamoDB::Table",
        {
            "ProvisionedThroughput": {"ReadCapacityUnits": 10, "WriteCapacityUnits": 10},
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": "ByUser",
                    "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
                }
            ],
        },
        stored_gb=0,
    )
    bill = bill_of(Links=links)
    assert dollars(bill)["Write capacity (provisioned)"] == Decimal("7.1175")  # 15 × 730 h × $0.00065
    assert dollars(bill)["Read capacity (provisioned)"] == Decimal("1.4235")
    assert bill.idle_usd == Decimal("8.541")


def test_a_global_table_pays_for_each_write_in_every_region() -> None:
    replica = {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    links = resource(
        "AWS::DynamoDB::GlobalTable",
        {
            "BillingMode": "PAY_PER_REQUEST",
            "Replicas": [{"Region": "us-east-1", **replica}, {"Region": "eu-west-1"}],
        },
        write_units_per_month=MILLION,
        read_units_per_month=0,
        stored_gb=10,
    )
    found = dollars(bill_of(Links=links))
    assert found["Writes (on demand, replicated)"] == Decimal("1.25")
    assert found["Stored data (us-east-1)"] == found["Stored data (eu-west-1)"] == Decimal("2.5")
    assert found["Point-in-time recovery (us-east-1)"] == Decimal(2)
    assert "Point-in-time recovery (eu-west-1)" not in found


def test_an_idle_queue_with_a_consumer_pays_for_long_polls() -> None:
    resources = {
        "Jobs": resource("AWS::SQS::Queue", requests_per_month=MILLION),
        "Work": function(invocations_per_month=0, duration_ms=1),
        "Feed": resource(
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": {"Fn::GetAtt": ["Jobs", "Arn"]}, "FunctionName": {"Ref": "Work"}},
        ),
    }
    bill = bill_of(**resources)
    # 5 pollers × 2,628,000 s ÷ 20 s = 657,000 × $0.40/M
    assert bill.idle_usd == Decimal("0.2628")
    assert bill.monthly_usd == Decimal("0.6628")


def test_lambda_reads_streams_for_nothing() -> None:
    resources = {
        "Links": table(write_units_per_month=0, read_units_per_month=0, stored_gb=0),
        "Work": function(invocations_per_month=0, duration_ms=1),
        "Feed": resource(
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": {"Fn::GetAtt": ["Links", "StreamArn"]}, "FunctionName": {"Ref": "Work"}},
        ),
    }
    assert not [line for line in bill_of(**resources).lines if line.type == "AWS::Lambda::EventSourceMapping"]


def test_a_fifo_queue_costs_more_a_request() -> None:
    queue = resource("AWS::SQS::Queue", {"FifoQueue": True}, requests_per_month=MILLION)
    assert bill_of(Queue=queue).monthly_usd == Decimal("0.5")


def test_cloudfront_pays_for_requests_and_bytes_through_the_tiers() -> None:
    edge = resource(
        "AWS::CloudFront::Distribution",
        {"DistributionConfig": {"DefaultCacheBehavior": {"AllowedMethods": ["GET", "HEAD"]}}},
        requests_per_month=2 * MILLION,
        egress_gb_per_month=20_480,
    )
    # 2 × $1/M; 10,240 GB × $0.085 + 10,240 GB × $0.08
    assert dollars(bill_of(Edge=edge)) == {
        "Requests (HTTPS, US)": Decimal(2),
        "Data out (US)": Decimal("1689.6"),
    }


def test_what_an_api_sends_to_cloudfront_is_free_and_an_edge_function_runs_at_every_request() -> None:
    config = {
        "DefaultCacheBehavior": {
            "FunctionAssociations": [
                {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["Host", "FunctionARN"]}}
            ]
        },
        "Origins": [
            {"DomainName": {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Api", "ApiEndpoint"]}]}]}}
        ],
    }
    bill = bill_of(
        Api=resource("AWS::ApiGatewayV2::Api", requests_per_month=0),
        Host=resource("AWS::CloudFront::Function"),
        Edge=resource(
            "AWS::CloudFront::Distribution",
            {"DistributionConfig": config},
            requests_per_month=MILLION,
            egress_gb_per_month=0,
        ),
    )
    assert "Data out (internet)" not in dollars(bill)
    assert dollars(bill)["Invocations (edge function)"] == Decimal("0.1")


@pytest.mark.parametrize(
    ("properties", "users", "expected"),
    [
        ({"UserPoolTier": "LITE"}, 60_000, "321"),  # 50,000 × $0.0055 + 10,000 × $0.0046
        ({"UserPoolTier": "ESSENTIALS"}, 1_000, "15"),
        ({}, 1_000, "15"),
        ({"UserPoolTier": "PLUS"}, 1_000, "20"),
    ],
)
def test_a_user_pool_pays_by_tier(properties: dict[str, Any], users: int, expected: str) -> None:
    pool = resource("AWS::Cognito::UserPool", properties, monthly_active_users=users)
    assert bill_of(Pool=pool).monthly_usd == Decimal(expected)


def test_logs_pay_for_writing_and_for_what_retention_keeps_compressed() -> None:
    log = resource("AWS::Logs::LogGroup", {"RetentionInDays": 73}, ingested_gb_per_month=10)
    # 10 GB × $0.50; 10 GB × 2.4 months × 15 % × $0.03
    assert dollars(bill_of(Log=log)) == {
        "Logs written (standard)": Decimal(5),
        "Logs kept": Decimal("0.108"),
    }


def test_logs_that_are_never_deleted_are_a_warning() -> None:
    bill = bill_of(Log=resource("AWS::Logs::LogGroup", ingested_gb_per_month=10))
    assert dollars(bill)["Logs kept"] == Decimal("0.54")  # 10 GB × 12 months × 15 % × $0.03
    assert bill.warnings == ("Log: no RetentionInDays, so its logs are kept, and paid, for ever",)


def test_logs_of_a_function_get_cheaper_with_volume() -> None:
    log = resource("AWS::Logs::LogGroup", {"RetentionInDays": 1}, ingested_gb_per_month=20_480)
    own = function({"LoggingConfig": {"LogGroup": {"Ref": "Log"}}}, invocations_per_month=0, duration_ms=1)
    assert dollars(bill_of(Log=log))["Logs written (standard)"] == Decimal(10_240)
    # 10,240 GB × $0.50 + 10,240 GB × $0.25
    assert dollars(bill_of(Log=log, Work=own))["Logs written (Lambda)"] == Decimal(7_680)


METRIC = {"MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {}}}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"MetricName": "Errors", "Period": 60}, "0.1"),
        ({"MetricName": "Errors", "Period": 10}, "0.3"),
        ({"Metrics": [METRIC, METRIC, {"Expression": "a / b"}]}, "0.2"),
        ({"Metrics": [METRIC, {"Expression": "ANOMALY_DETECTION_BAND(m, 2)"}]}, "0.3"),
    ],
)
def test_an_alarm_pays_by_the_metric_it_watches(properties: dict[str, Any], expected: str) -> None:
    bill = bill_of(Alarm=resource("AWS::CloudWatch::Alarm", properties))
    assert bill.monthly_usd == bill.idle_usd == Decimal(expected)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (resource("AWS::CloudWatch::CompositeAlarm"), "0.5"),
        (resource("AWS::CloudWatch::Dashboard"), "3"),
        (resource("AWS::KMS::Key", requests_per_month=MILLION), "4"),
        (resource("AWS::SecretsManager::Secret", requests_per_month=10_000), "0.45"),
        (resource("AWS::SNS::Topic", publishes_per_month=MILLION), "0.5"),
        (resource("AWS::SNS::Subscription", {"Protocol": "email"}, deliveries_per_month=1000), "0.02"),
        (resource("AWS::SNS::Subscription", {"Protocol": "sqs"}), "0"),
        (resource("AWS::WAFv2::WebACL", {"Rules": [{"Name": "a"}]}, requests_per_month=MILLION), "6.6"),
        (resource("AWS::Events::EventBus", events_per_month=MILLION), "1"),
        (resource("AWS::Scheduler::Schedule", {"ScheduleExpression": "rate(1 hour)"}), "0.00073"),
        (
            resource(
                "AWS::S3::Bucket",
                stored_gb=100,
                put_requests_per_month=MILLION,
                get_requests_per_month=MILLION,
                egress_gb_per_month=0,
            ),
            "7.7",
        ),
    ],
)
def test_a_resource_costs(made: dict[str, Any], expected: str) -> None:
    assert bill_of(It=made).monthly_usd == Decimal(expected)


def test_the_twenty_sixth_hosted_zone_is_cheaper() -> None:
    zones = {
        f"Zone{number}": resource("AWS::Route53::HostedZone", queries_per_month=0) for number in range(26)
    }
    assert bill_of(**zones).monthly_usd == Decimal("12.6")


# What the bill says


def test_a_line_goes_from_the_workload_to_the_dollar() -> None:
    [line] = bill_of(Jobs=resource("AWS::SQS::Queue", requests_per_month=2 * MILLION)).lines
    assert line.formula == "requests_per_month = 2,000,000 requests × $0.0000004 each"
    assert (line.resource, line.type, line.unit, line.grade) == ("Jobs", "AWS::SQS::Queue", "requests", "B")


def test_a_resource_without_declared_usage_is_shown_and_not_dropped() -> None:
    [line] = bill_of(Jobs=resource("AWS::SQS::Queue")).lines
    assert line.quantity == 0
    assert not line.declared
    assert line.formula == "no usage declared: requests_per_month"


def test_no_line_that_costs_something_becomes_zero() -> None:
    [line] = bill_of(Jobs=resource("AWS::SQS::Queue", requests_per_month=1)).lines
    assert line.monthly_usd == Decimal("0.0000004")


def test_the_bill_is_of_the_users_that_the_template_names() -> None:
    queue = {"Jobs": resource("AWS::SQS::Queue", requests_per_month=5 * MILLION)}
    bill = price(assembly(queue, users=1_000))
    assert bill.users == 1_000
    assert bill.per_user_usd == Decimal("0.002")
    assert price(assembly(queue, users=1_000), traffic=Decimal(3)).per_user_usd == Decimal("0.002")
    assert price(assembly(queue, users=1_000), traffic=Decimal(0)).per_user_usd is None
    assert price(assembly(queue)).users is None
    assert price(assembly(queue)).per_user_usd is None


@pytest.mark.parametrize("users", ["many", True, 0, 10**19])
def test_users_that_are_no_number_are_malformed(users: object) -> None:
    broken = stack({}, Metadata={"Workload": {"users": users}})
    with pytest.raises(MalformedAssembly, match=r"Demo\.template\.json: .*users must be a whole number"):
        price(Assembly(Path(), (broken,)))


@pytest.mark.parametrize("requests", ["some", "nan", "inf", -5, "1e19"])
def test_requests_that_are_no_number_are_malformed(requests: object) -> None:
    broken = stack({}, Metadata={"Workload": {"users": 10, "requests_per_month": requests}})
    with pytest.raises(
        MalformedAssembly, match=r"Demo\.template\.json: .*requests_per_month must be a number"
    ):
        price(Assembly(Path(), (broken,)))


def test_an_assembly_of_two_blueprints_is_asked_what_both_are() -> None:
    def of(blueprint: str, name: str) -> Stack:
        said = {"blueprint": blueprint, "users": 10, "requests_per_month": "2000"}
        queue = resource("AWS::SQS::Queue", requests_per_month=MILLION)
        return stack({"Jobs": queue}, name=name, Metadata={"Workload": said})

    two = Assembly(Path(), (of("first", "A"), of("first", "B"), of("second", "C")))
    assert price(two).per_1000_requests_usd == Decimal("0.3")  # 3 × $0.40 for 4,000
    assert declared(two)["blueprint"] == "first, second"


def test_usage_that_costs_more_than_there_is_money_names_its_key() -> None:
    bucket = resource("AWS::S3::Bucket", stored_gb=10**18)  # × $0.021
    with pytest.raises(
        MalformedAssembly, match=r"Demo\.template\.json: Resources\.It\..* 10\^15 .* stored_gb"
    ):
        bill_of(It=bucket)
    with pytest.raises(MalformedAssembly, match="stored_gb"):
        bill_of(**{f"B{n}": resource("AWS::S3::Bucket", stored_gb=10**16) for n in range(9)})


def test_a_nested_stack_is_listed_as_not_priced() -> None:
    bill = bill_of(Inner=resource("AWS::CloudFormation::Stack"))
    assert [(each.resource, each.type) for each in bill.unpriced] == [("Inner", "AWS::CloudFormation::Stack")]
    assert "not read" in bill.unpriced[0].why


def test_what_is_free_adds_nothing() -> None:
    bill = bill_of(
        Role=resource("AWS::IAM::Role"),
        Note=resource("AWS::CDK::Metadata"),
        Hook=resource("Custom::Anything"),
    )
    assert bill.lines == ()
    assert bill.monthly_usd == 0


# Never a silent zero


def test_an_unknown_type_says_where_to_add_it() -> None:
    with pytest.raises(NotPriced) as caught:
        bill_of(Robot=resource("AWS::RoboMaker::Fleet"), Other=resource("AWS::Quantum::Computer"))
    message = str(caught.value)
    assert "Demo/Robot" in message
    assert "AWS::RoboMaker::Fleet" in message
    assert "AWS::Quantum::Computer" in message
    assert "workbench/review/resources/aws_robomaker_fleet.py" in message
    assert "workbench/review/free.py" in message


def test_an_unknown_usage_key_names_the_known_ones() -> None:
    with pytest.raises(NotPriced, match=r"Demo/Jobs.*'request_per_month'.*requests_per_month"):
        bill_of(Jobs=resource("AWS::SQS::Queue", request_per_month=1))


def test_usage_on_a_free_type_is_an_error() -> None:
    with pytest.raises(NotPriced, match="no usage 'requests_per_month'"):
        bill_of(Role=resource("AWS::IAM::Role", requests_per_month=1))


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (resource("AWS::DynamoDB::Table"), "ProvisionedThroughput"),
        (table({"TableClass": "FROZEN"}), "FROZEN"),
        (table({"BillingMode": "BARTER"}), "BARTER"),
        (resource("AWS::DynamoDB::GlobalTable", {"Replicas": [{}]}), "PROVISIONED"),
        (resource("AWS::Cognito::UserPool", {"UserPoolTier": "GOLD"}), "GOLD"),
        (resource("AWS::Logs::LogGroup", {"LogGroupClass": "DELIVERY"}), "DELIVERY"),
        (function({"Architectures": ["riscv"]}), "riscv"),
        (function({"MemorySize": {"Ref": "AWS::Partition"}}), "MemorySize"),
        (
            resource("AWS::Lambda::Alias", {"ProvisionedConcurrencyConfig": {"x": 1}}),
            "ProvisionedConcurrentExecutions",
        ),
        (
            resource("AWS::ApiGatewayV2::Api", {"ProtocolType": "HTTP"}, messages_per_month=1),
            "messages_per_month",
        ),
        (resource("AWS::SNS::Topic", {"ArchivePolicy": {"MessageRetentionPeriod": 30}}), "ArchivePolicy"),
        (resource("AWS::SNS::Subscription", {"Protocol": "carrier-pigeon"}), "carrier-pigeon"),
        (resource("AWS::CloudWatch::Alarm", {"Metrics": [{"MetricStat": {"Period": "a day"}}]}), "Period"),
        (
            resource("AWS::Lambda::EventSourceMapping", {"EventSourceArn": "arn:aws:iot:x"}),
            "neither a queue nor a table",
        ),
    ],
)
def test_a_property_that_changes_the_price_unknown_to_the_room_is_refused(
    made: dict[str, Any], word: str
) -> None:
    with pytest.raises(NotPriced, match=rf"Demo/It .*{word}"):
        bill_of(It=made)


@pytest.mark.parametrize("value", ["nan", "-inf"])
def test_a_property_that_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(NotPriced, match=rf"Demo/It .*MemorySize is {value}, which is no amount"):
        bill_of(It=function({"MemorySize": value}))


@pytest.mark.parametrize("problem", [ZeroDivisionError, InvalidOperation, KeyError, IndexError, ValueError])
def test_whatever_a_room_trips_over_is_one_line(problem: type[Exception]) -> None:
    def lines(*_: object) -> list[object]:
        raise problem

    built = assembly({"It": resource("AWS::SQS::Queue")})
    [it] = built.resources
    with pytest.raises(NotPriced, match=r"Demo/It .*not as CloudFormation writes it"):
        ask(it, lines, Context(built, rooms(), Decimal(1)))


def test_whatever_the_ceilings_of_an_account_trip_over_is_one_line() -> None:
    def limits(_context: Context) -> list[Limit]:
        raise TypeError("'Unresolved' object is not iterable")

    room = dataclasses.replace(rooms()["AWS::SQS::Queue"], limits_of_account=limits)
    with pytest.raises(NotPriced, match=r"AWS::SQS::Queue: .*known only at deployment.*aws_sqs_queue\.py"):
        ask_of_account(room, Context(assembly({}), rooms(), Decimal(1)))


def test_a_property_of_an_unexpected_shape_is_one_line() -> None:
    with pytest.raises(NotPriced, match=r"Demo/It .*known only at deployment"):
        bill_of(It=resource("AWS::WAFv2::WebACL", {"Rules": {"Fn::ImportValue": "rules"}}))


# Of every bill


def _system(writes: Decimal, requests: Decimal) -> dict[str, Any]:
    return {
        "Links": table(write_units_per_month=writes, read_units_per_month=writes, stored_gb=writes),
        "Jobs": resource("AWS::SQS::Queue", requests_per_month=requests),
        "Api": resource("AWS::ApiGatewayV2::Api", requests_per_month=requests, egress_gb_per_month=writes),
        "Work": function(
            {"TracingConfig": {"Mode": "Active"}}, invocations_per_month=requests, duration_ms=100
        ),
        "Board": resource("AWS::CloudWatch::Dashboard"),
    }


amounts = st.decimals(min_value=0, max_value=10**10, places=2)
scales = st.decimals(min_value=0, max_value=1000, places=3)
# Each line is rounded to 10⁻¹² dollar.
ROUNDING = Decimal("1e-10")


@given(writes=amounts, requests=amounts, some=scales, other=scales)
def test_more_traffic_never_costs_less(
    writes: Decimal, requests: Decimal, some: Decimal, other: Decimal
) -> None:
    built = assembly(_system(writes, requests))
    less, more = sorted([some, other])
    assert price(built, traffic=less).monthly_usd <= price(built, traffic=more).monthly_usd + ROUNDING


@given(writes=amounts, requests=amounts)
def test_without_traffic_the_bill_is_its_idle_floor(writes: Decimal, requests: Decimal) -> None:
    built = assembly(_system(writes, requests))
    assert price(built, traffic=Decimal(0)).monthly_usd == price(built).idle_usd == Decimal(3)


@given(first=amounts, second=amounts)
def test_bills_of_parts_without_tiers_add_up(first: Decimal, second: Decimal) -> None:
    one = table(write_units_per_month=first, read_units_per_month=second, stored_gb=1)
    two = table(write_units_per_month=second, read_units_per_month=first, stored_gb=2)
    apart = bill_of(One=one).monthly_usd + bill_of(Two=two).monthly_usd
    assert abs(bill_of(One=one, Two=two).monthly_usd - apart) <= ROUNDING


@given(parts=st.lists(amounts, min_size=1, max_size=5))
def test_splitting_traffic_over_resources_does_not_change_the_bill(parts: list[Decimal]) -> None:
    split = {
        f"Api{n}": resource("AWS::ApiGatewayV2::Api", requests_per_month=part, egress_gb_per_month=0)
        for n, part in enumerate(parts)
    }
    whole = resource("AWS::ApiGatewayV2::Api", requests_per_month=sum(parts), egress_gb_per_month=0)
    assert abs(bill_of(**split).monthly_usd - bill_of(Api=whole).monthly_usd) <= ROUNDING


def test_a_bill_is_the_sum_of_its_lines() -> None:
    bill = price(assembly(_system(Decimal("123456.78"), Decimal("400000000.5"))))
    assert sum(line.monthly_usd for line in bill.lines) == bill.monthly_usd


# Of every room


def test_the_room_of_a_type_is_in_the_file_of_its_name() -> None:
    folder = Path(__file__).resolve().parents[2] / "workbench" / "review" / "resources"
    files = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert files == {each.lower().replace("::", "_") for each in rooms()}


@pytest.mark.parametrize("kind", sorted(rooms()))
def test_usage_keys_say_their_unit_and_meaning(kind: str) -> None:
    for key, usage in rooms()[kind].usage.items():
        assert usage.unit, key
        assert usage.meaning, key
        assert key == key.lower()


def test_the_review_reads_json_only() -> None:
    program = (
        "import sys, workbench.diagram, workbench.review.capacity, workbench.review.cost as cost;"
        "list(cost.registry.rooms().values());"
        "print([name for name in ('aws_cdk', 'jsii', 'boto3', 'stacks') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_book_is_read_once() -> None:
    assert PriceBook.load() is PriceBook.load()
