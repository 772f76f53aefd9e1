"""Application, integration, delivery and operations services: dollars worked out by hand, and what is refused."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from tests.assemblies import assembly, resource
from tests.bills import dollars, limit, sum_of, undeclared, warnings
from workbench.errors import NotPriced
from workbench.review import registry, schedules
from workbench.review.capacity import limits
from workbench.review.cost import price

pytestmark = pytest.mark.fast

MILLION = 1_000_000


def lines(resources: dict[str, Any]) -> dict[str, Decimal]:
    """`resource · component` → dollars a month, those of zero included."""
    return {
        f"{line.resource} · {line.component}": line.monthly_usd for line in price(assembly(resources)).lines
    }


# REST APIs


def rest(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::ApiGateway::RestApi", {"Name": "shop", **(properties or {})}, **usage)


def method(verb: str = "GET", integration: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made = {
        "RestApiId": {"Ref": "Api"},
        "HttpMethod": verb,
        "AuthorizationType": "NONE",
        "Integration": {"Type": "AWS_PROXY", **(integration or {})},
        **more,
    }
    return resource("AWS::ApiGateway::Method", made)


def stage(**properties: Any) -> dict[str, Any]:
    return resource("AWS::ApiGateway::Stage", {"RestApiId": {"Ref": "Api"}, "StageName": "v1", **properties})


def of_api(kind: str, **properties: Any) -> dict[str, Any]:
    return resource(f"AWS::ApiGateway::{kind}", {"RestApiId": {"Ref": "Api"}, **properties})


def test_requests_of_rest_apis_go_through_the_tiers_of_the_account() -> None:
    resources = {
        "One": rest(requests_per_month=200 * MILLION, egress_gb_per_month=10),
        "Two": rest(requests_per_month=200 * MILLION, egress_gb_per_month=0),
    }
    assert dollars(resources) == {
        "Requests (REST API)": Decimal("1353.1"),  # 333 M × $3.50/M + 67 M × $2.80/M
        "Data out (internet)": Decimal("0.9"),  # 10 GB × $0.09
    }


def test_nothing_leaves_a_private_api_for_the_internet() -> None:
    private = {"EndpointConfiguration": {"Types": ["PRIVATE"]}}
    assert undeclared({"Api": rest(private)}) == ["Requests (REST API)"]
    with pytest.raises(NotPriced, match="PRIVATE, and egress_gb_per_month"):
        sum_of({"Api": rest(private, egress_gb_per_month=1)})


def test_streamed_responses_pay_where_a_method_streams() -> None:
    streaming = {"ResponseTransferMode": "STREAM"}
    resources = {"Api": rest(streamed_gb_per_month=50), "Get": method(integration=streaming)}
    assert dollars(resources)["Responses streamed"] == Decimal("0.4")  # 50 GB × $0.008
    with pytest.raises(NotPriced, match="STREAM, and streamed_gb_per_month"):
        sum_of({"Api": rest(streamed_gb_per_month=50), "Get": method()})


def test_a_rest_api_that_an_http_api_could_be_is_told_with_the_difference() -> None:
    resources = {
        "Api": rest(requests_per_month=10 * MILLION),
        "Get": method(),
        "Preflight": method("OPTIONS", {"Type": "MOCK", "RequestTemplates": {"application/json": "{}"}}),
        "Live": stage(),
    }
    # 10 M × ($3.50 − $1.00)/M
    assert warnings(resources) == (
        "Api: nothing of it needs a REST API; an HTTP API costs $1.00 instead of $3.50 a million requests, "
        "$25.00 a month less for 10,000,000",
    )


@pytest.mark.parametrize(
    "needed",
    [
        {"Api": rest({"Policy": {"Statement": []}, "MinimumCompressionSize": 0})},
        {"Api": rest({"EndpointConfiguration": {"Types": ["PRIVATE"]}})},
        {"Api": rest({"EndpointConfiguration": {"Types": ["EDGE"]}})},
        {"Api": rest({"MinimumCompressionSize": 0})},
        {"Api": rest({"BodyS3Location": {"Bucket": "b", "Key": "k"}})},
        {"Get": method(integration={"Type": "AWS"})},
        {"Get": method(integration={"Type": "MOCK"})},
        {"Get": method(integration={"RequestTemplates": {"application/json": "{}"}})},
        {"Get": method(integration={"IntegrationResponses": [{"ResponseTemplates": {"text/plain": "x"}}]})},
        {"Get": method(integration={"ResponseTransferMode": "STREAM"})},
        {"Get": method(integration={"ContentHandling": "CONVERT_TO_TEXT"})},
        {"Get": method(ApiKeyRequired=True)},
        {"Get": method(RequestValidatorId="v")},
        {"Live": stage(CacheClusterEnabled=True)},
        {"Live": stage(TracingEnabled=True)},
        {"Live": stage(CanarySetting={"PercentTraffic": 5})},
        {"Live": stage(ClientCertificateId="c")},
        {"Checks": of_api("RequestValidator")},
        {"Errors": of_api("GatewayResponse")},
        {"Plan": resource("AWS::ApiGateway::UsagePlan", {"ApiStages": [{"ApiId": {"Ref": "Api"}}]})},
        {
            "Wall": resource(
                "AWS::WAFv2::WebACLAssociation",
                {"ResourceArn": {"Fn::Sub": "arn:aws:apigateway::/restapis/${Api}/stages/v1"}},
            )
        },
    ],
)
def test_what_an_http_api_has_not_is_no_waste(needed: dict[str, Any]) -> None:
    plain = {"Api": rest(), "Get": method(), "Live": stage()}
    assert len(warnings(plain)) == 1
    assert warnings({**plain, **needed}) == ()


def test_a_rest_api_that_is_written_as_openapi_is_read_too() -> None:
    def body(**operation: Any) -> dict[str, Any]:
        integration = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": "x"}}
        return {"Body": {"openapi": "3.0.1", "paths": {"/items": {"get": {**integration, **operation}}}}}

    assert len(warnings({"Api": rest(body())})) == 1
    assert warnings({"Api": rest(body(security=[{"api_key": []}]))}) == ()
    assert warnings({"Api": rest(body(**{"x-amazon-apigateway-request-validator": "all"}))}) == ()
    measured = stage(MethodSettings=[{"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": True}])
    resources = {"Api": rest(body()), "Live": measured}
    assert dollars(resources)["Detailed metrics"] == Decimal("1.5")  # 1 method × 5 metrics × $0.30


@pytest.mark.parametrize(
    ("size", "paid"),
    [
        ("0.5", "14.6"),  # 730 h × $0.02
        ("6.1", "146"),
        ("13.5", "182.5"),
        ("28.4", "365"),
        ("58.2", "730"),
        ("118", "1387"),
        ("237", "2774"),
        (None, "14.6"),
    ],
)
def test_a_cache_pays_by_its_size_and_hour_used_or_not(size: str | None, paid: str) -> None:
    live = stage(CacheClusterEnabled="true", **({"CacheClusterSize": size} if size else {}))
    assert sum_of({"Api": rest(), "Live": live}, traffic=0) == Decimal(paid)
    assert sum_of({"Api": rest(), "Live": stage(CacheClusterSize="237")}) == 0


def test_a_trace_is_paid_once_whoever_begins_it() -> None:
    calls = {"Uri": {"Fn::GetAtt": ["Handler", "Arn"]}}
    resources = {
        "Api": rest(requests_per_month=1_000),
        "Get": method(integration=calls),
        "Live": stage(TracingEnabled=True),
        "Handler": resource("AWS::Lambda::Function", {}, invocations_per_month=1_000, duration_ms=1),
    }
    assert lines(resources)["Live · Traces recorded (default sampling)"] == Decimal("0.005")
    resources["Handler"]["Properties"]["TracingConfig"] = {"Mode": "Active"}
    assert [name for name in lines(resources) if "Traces" in name] == [
        "Handler · Traces recorded (default sampling)"
    ]


@pytest.mark.parametrize(
    ("properties", "api", "word"),
    [
        ({"CacheClusterEnabled": True, "CacheClusterSize": "7"}, {}, "CacheClusterSize is 7"),
        (
            {"MethodSettings": [{"MetricsEnabled": True}]},
            {"BodyS3Location": {"Bucket": "b"}},
            "methods are not in the template",
        ),
    ],
)
def test_a_stage_of_another_price_is_refused(
    properties: dict[str, Any], api: dict[str, Any], word: str
) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Api": rest(api), "Live": stage(**properties)})


def test_the_throttling_of_a_stage_is_held_against_the_apis_requests() -> None:
    throttled = [{"ResourcePath": "/*", "HttpMethod": "*", "ThrottlingRateLimit": 50}]
    resources = {"Api": rest(peak_requests_per_second=60), "Live": stage(MethodSettings=throttled)}
    checked = limit(resources, "Throttling rate of the stage")
    assert (checked.quota, checked.load, checked.breaks) == (Decimal(50), Decimal(60), True)
    assert limit(resources, "API Gateway requests a second").load == Decimal(60)


# Step Functions


def machine(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::StepFunctions::StateMachine", properties, **usage)


EXPRESS = {"StateMachineType": "EXPRESS"}


def test_a_standard_workflow_pays_by_the_transition() -> None:
    found = dollars({"Flow": machine(executions_per_month=MILLION, transitions_per_month=8 * MILLION)})
    assert found == {"State transitions (standard)": Decimal(200)}  # 8 M × $25/M


def test_an_express_workflow_pays_for_its_memory_in_tiers_of_gigabyte_hours() -> None:
    # AWS's own example: 100 M × 10 s × 64 MB ÷ 1,024 ÷ 3,600 = 17,361.11 GB-h
    found = dollars({"Flow": machine(EXPRESS, executions_per_month=100 * MILLION, duration_ms=10_000)})
    assert found["Requests (express)"] == Decimal(100)
    # 1,000 × $0.060012 + 4,000 × $0.0299875 + 12,361.1111111 × $0.016416
    assert found["Duration (express)"].quantize(Decimal("0.0001")) == Decimal("382.8820")


@pytest.mark.parametrize(
    ("duration_ms", "memory_mb", "gb_hours"),
    [
        (100, 64, "1.73611111111"),  # 1 M × 0.1 s × 64 MB ÷ 1,024 ÷ 3,600
        (101, 64, "3.47222222222"),
        (100, 65, "3.47222222222"),
        (1, 1, "1.73611111111"),
        (900, 512, "125"),
    ],
)
def test_it_pays_for_100_ms_and_64_mb_at_a_time(duration_ms: int, memory_mb: int, gb_hours: str) -> None:
    flow = machine(EXPRESS, executions_per_month=MILLION, duration_ms=duration_ms, memory_mb=memory_mb)
    [found] = [each for each in price(assembly({"Flow": flow})).lines if "Duration" in each.component]
    assert found.quantity == Decimal(gb_hours)


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (machine({"StateMachineType": "TURBO"}), "TURBO"),
        (machine(memory_mb=64), "memory_mb is declared"),
        (machine(EXPRESS, transitions_per_month=1), "transitions_per_month is declared"),
    ],
)
def test_a_workflow_of_another_price_is_refused(made: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"Flow": made})


def test_executions_under_way_follow_from_how_long_they_take() -> None:
    flow = machine(peak_executions_per_second=200, duration_ms=3_600_000)
    checked = limit({"Flow": flow}, "Open executions (standard)")
    assert (checked.load, checked.breaks) == (Decimal(720_000), False)  # 200/s × 3,600 s of 1,000,000
    assert limit({"Flow": flow}, "Executions started a second (standard)").headroom == Decimal(
        "0.333333333333"
    )


# Lambda: provisioned concurrency, SnapStart, the edge, addresses


def function(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    made = {"MemorySize": 1024, "Runtime": "python3.13", **(properties or {})}
    return resource("AWS::Lambda::Function", made, **usage)


def alias(count: int | None = None, **usage: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"FunctionName": {"Ref": "Handler"}, "FunctionVersion": "1", "Name": "live"}
    if count is not None:
        made["ProvisionedConcurrencyConfig"] = {"ProvisionedConcurrentExecutions": count}
    return resource("AWS::Lambda::Alias", made, **usage)


CALLS: dict[str, Any] = {"invocations_per_month": 10 * MILLION, "duration_ms": 100}


def test_environments_kept_ready_pay_when_nobody_comes() -> None:
    resources = {"Handler": function(), "Live": alias(10)}
    # 10 × 1 GB × 2,628,000 s × $0.0000041667
    assert sum_of(resources, traffic=0) == Decimal("109.500876")
    arm = {"Handler": function({"Architectures": ["arm64"]}), "Live": alias(10)}
    assert sum_of(arm, traffic=0) == Decimal("87.601752")  # … × $0.0000033334
    assert sum_of({"Handler": function(), "Live": alias()}) == 0


@pytest.mark.parametrize(
    ("usage", "on_demand", "provisioned"),
    [
        # 10 M × 0.1 s × 1 GB = 1 M GB-seconds: on demand × $0.0000166667, provisioned × $0.0000097222
        ({"peak_invocations_per_second": 100}, "0", "9.7222"),  # 10 at once, 10 ready
        ({"peak_invocations_per_second": 200}, "8.33335", "4.8611"),  # 20 at once: half of them
        ({"provisioned_invocations_per_month": 9 * MILLION}, "1.66667", "8.74998"),
        ({}, "16.6667", "0"),  # what runs at once is not declared
    ],
)
def test_what_runs_provisioned_pays_less_for_its_duration(
    usage: dict[str, Any], on_demand: str, provisioned: str
) -> None:
    found = lines({"Handler": function(**CALLS, **usage), "Live": alias(10)})
    assert found["Handler · Duration (x86, on demand)"] == Decimal(on_demand)
    assert found["Handler · Duration (x86, provisioned)"] == Decimal(provisioned)
    assert found["Handler · Requests (x86)"] == Decimal(2)


def test_more_provisioned_calls_than_calls_are_refused() -> None:
    resources = {
        "Handler": function(**CALLS, provisioned_invocations_per_month=11 * MILLION),
        "Live": alias(1),
    }
    with pytest.raises(NotPriced, match="more than invocations_per_month"):
        sum_of(resources)


@pytest.mark.parametrize(
    "named",
    [
        {"Fn::Join": ["", ["function:", {"Ref": "Handler"}, ":live"]]},
        {"Fn::Join": [":", ["function", {"Fn::Select": [6, {"Fn::Split": [":", {"Ref": "Live"}]}]}]]},
    ],
)
def test_auto_scaling_moves_what_is_kept_ready_between_its_ends(named: dict[str, Any]) -> None:
    target = {
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
        "MinCapacity": 2,
        "MaxCapacity": 10,
        "ResourceId": named,
    }

    def bill(**usage: Any) -> dict[str, Decimal]:
        scaling = resource("AWS::ApplicationAutoScaling::ScalableTarget", target)
        return dollars({"Handler": function(), "Live": alias(**usage), "Scaling": scaling})

    each = Decimal("10.9500876")  # 1 GB × 2,628,000 s × $0.0000041667
    assert bill() == {"Provisioned concurrency (x86)": 2 * each}
    grown = "Provisioned concurrency (x86, as load grows)"
    assert bill(average_provisioned_concurrency=5)[grown] == 3 * each
    assert bill(average_provisioned_concurrency=50)[grown] == 8 * each


def test_a_snapshot_pays_for_as_long_as_its_version_is_there_but_for_java() -> None:
    snap = {"SnapStart": {"ApplyOn": "PublishedVersions"}}
    version = resource("AWS::Lambda::Version", {"FunctionName": {"Ref": "Handler"}})
    resources = {"Handler": function(snap, restores_per_month=10_000), "One": version, "Two": version}
    found = dollars(resources)
    assert found["Snapshots kept (SnapStart)"] == Decimal(
        "7.9081776"
    )  # 2 × 1 GB × 2,628,000 s × $0.0000015046
    assert found["Snapshots restored (SnapStart)"] == Decimal("1.397998")  # 10,000 × 1 GB × $0.0001397998
    more = dollars({"Handler": function(snap, snapstart_versions=1, restores_per_month=0)})
    assert more["Snapshots kept (SnapStart)"] == Decimal("3.9540888")
    assert "Snapshots kept (SnapStart)" in undeclared({"Handler": function(snap)})
    java = {"Handler": function({**snap, "Runtime": "java21"}), "One": version}
    assert not [name for name in lines(java) if "SnapStart" in name]


def distribution(arn: Any) -> dict[str, Any]:
    behaviour = {"LambdaFunctionAssociations": [{"EventType": "origin-request", "LambdaFunctionARN": arn}]}
    return resource(
        "AWS::CloudFront::Distribution", {"DistributionConfig": {"DefaultCacheBehavior": behaviour}}
    )


def test_a_function_that_cloudfront_runs_pays_the_prices_of_the_edge() -> None:
    resources = {
        "Site": distribution({"Ref": "Ready"}),
        "Ready": resource("AWS::Lambda::Version", {"FunctionName": {"Ref": "Handler"}}),
        "Handler": function({"MemorySize": 128}, **CALLS),
    }
    assert dollars(resources) == {
        "Requests (edge)": Decimal(6),  # 10 M × $0.60/M
        "Duration (edge)": Decimal("6.25125"),  # 10 M × 0.1 s × 0.125 GB × $0.00005001
    }


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        (
            {"Site": distribution("arn:aws:lambda:us-east-1:000000000000:function:x:1")},
            "not in this assembly",
        ),
        (
            {"Site": distribution({"Ref": "Handler"}), "Handler": function({"Architectures": ["arm64"]})},
            "x86_64",
        ),
        ({"Handler": function({"CapacityProviderConfig": {"x": 1}})}, "managed instances"),
        ({"Handler": function({"DurableConfig": {"ExecutionTimeout": 9}})}, "DurableConfig"),
        ({"Handler": function({"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}})}, "TenancyConfig"),
        ({"Live": alias(1)}, "outside this assembly"),
        ({"Url": resource("AWS::Lambda::Url", {}, streamed_gb_per_month=1)}, "BUFFERED"),
        ({"Url": resource("AWS::Lambda::Url", {"InvokeMode": "PIGEON"})}, "PIGEON"),
    ],
)
def test_a_function_of_another_price_is_refused(resources: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of(resources)


# AppSync


def test_a_graphql_api_pays_as_in_the_example_of_aws() -> None:
    # https://aws.amazon.com/appsync/pricing/ , example 2: 2,500 users of a chat, a thousand messages each
    chat = resource(
        "AWS::AppSync::GraphQLApi",
        {},
        requests_per_month=2_500_000,
        updates_per_month=2_500_000,
        connection_minutes_per_month=3_750_000,
        egress_gb_per_month=0,
    )
    assert dollars({"Chat": chat}) == {
        "Queries and mutations": Decimal(10),
        "Updates to subscribers": Decimal(5),
        "Connections (subscribers)": Decimal("0.3"),
    }


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (resource("AWS::AppSync::ApiCache", {"Type": "LARGE"}), "LARGE"),
        (resource("AWS::AppSync::ApiCache", {"Type": "SMALL", "HealthMetricsConfig": "ENABLED"}), "Health"),
        (resource("AWS::AppSync::GraphQLApi", {"EnhancedMetricsConfig": {"x": 1}}), "EnhancedMetricsConfig"),
    ],
)
def test_an_api_of_another_price_is_refused(made: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": made})


# Email


def identity(configuration_set: Any = None, **usage: Any) -> dict[str, Any]:
    attributes = {"ConfigurationSetAttributes": {"ConfigurationSetName": configuration_set}}
    return resource("AWS::SES::EmailIdentity", attributes if configuration_set else {}, **usage)


def email_set(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::SES::ConfigurationSet", properties, **usage)


def test_emails_are_counted_once_at_the_identity_or_at_the_set() -> None:
    emails: dict[str, Any] = {"emails_per_month": MILLION, "attachments_gb_per_month": 10}
    paid = {"Emails sent": Decimal(100), "Attachments": Decimal("1.2")}  # 1 M × $0.10/1,000 ; 10 GB × $0.12
    assert dollars({"Shop": identity(**emails), "Set": email_set()}) == paid
    assert dollars({"Set": email_set(**emails)}) == paid
    assert undeclared({"Shop": identity(**emails), "Set": email_set()}) == []
    with pytest.raises(NotPriced, match="declared here and at Shop"):
        sum_of({"Shop": identity({"Ref": "Set"}, **emails), "Set": email_set(**emails)})


def test_deliverability_is_paid_for_all_that_the_account_sends() -> None:
    resources = {
        "Watch": resource("AWS::SES::VdmAttributes"),
        "Shop": identity(emails_per_month=MILLION, attachments_gb_per_month=0),
        "Set": email_set(emails_per_month=MILLION, attachments_gb_per_month=0),
    }
    assert dollars(resources)["Emails watched (deliverability)"] == Decimal(140)  # 2 M × $0.07/1,000


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (email_set({"ArchivingOptions": {"ArchiveArn": "a"}}), "ArchivingOptions"),
        (email_set({"SuppressionOptions": {"ValidationOptions": {"x": 1}}}), "ValidationOptions"),
        (resource("AWS::SES::DedicatedIpPool", {"ScalingMode": "MANAGED"}), "MANAGED"),
    ],
)
def test_email_of_another_price_is_refused(made: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": made})


# Events


def archive(days: int | None = None, **usage: Any) -> dict[str, Any]:
    return resource("AWS::Events::Archive", {"RetentionDays": days} if days is not None else {}, **usage)


def test_an_archive_pays_for_what_it_takes_in_and_for_how_long_it_keeps_it() -> None:
    year = dollars({"It": archive(365, archived_gb_per_month=10, replayed_events_per_month=MILLION)})
    assert year == {
        "Events archived": Decimal(1),  # 10 GB × $0.10
        "Events kept": Decimal("2.76"),  # 10 GB × 365 ÷ 30.4167 × $0.023
        "Custom events (replayed)": Decimal(1),
    }
    for never in (archive(archived_gb_per_month=10), archive(0, archived_gb_per_month=10)):
        assert dollars({"It": never})["Events kept"] == Decimal("2.76")  # a year of it
        assert "for ever" in warnings({"It": never})[0]


def test_a_pipe_polls_a_queue_while_nothing_happens() -> None:
    def bill(source: str, **properties: Any) -> dict[str, Decimal]:
        pipe = {"Source": {"Fn::GetAtt": ["Source", "Arn"]}, **properties}
        return dollars({"It": resource("AWS::Pipes::Pipe", pipe), "Source": resource(source)})

    # 5 × 2,628,000 s ÷ 20 s = 657,000 polls × $0.40/M
    assert bill("AWS::SQS::Queue") == {"Idle polls (standard queue)": Decimal("0.2628")}
    assert bill("AWS::SQS::Queue", DesiredState="STOPPED") == {}
    table = resource("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST"})
    stream = resource("AWS::Pipes::Pipe", {"Source": {"Fn::GetAtt": ["Source", "StreamArn"]}})
    assert dollars({"It": stream, "Source": table}) == {}


def test_an_api_destination_takes_300_calls_a_second_unless_the_template_says_less() -> None:
    def most(**properties: Any) -> Decimal:
        made = resource("AWS::Events::ApiDestination", properties, peak_invocations_per_second=20)
        return limit({"It": made}, "Invocations of the destination a second").quota

    assert (most(), most(InvocationRateLimitPerSecond=10)) == (Decimal(300), Decimal(10))


# Delivery


def pipeline(**properties: Any) -> dict[str, Any]:
    return resource("AWS::CodePipeline::Pipeline", properties)


def test_a_pipeline_is_of_the_first_type_unless_it_says_or_shows_otherwise() -> None:
    assert sum_of({"It": pipeline()}) == sum_of({"It": pipeline(PipelineType="V1")}) == Decimal(1)
    for newer in (pipeline(PipelineType="V2"), pipeline(Triggers=[{"x": 1}]), pipeline(Variables=[{"x": 1}])):
        assert undeclared({"It": newer}) == ["Action minutes (V2)"]
    old = resource("AWS::CodePipeline::Pipeline", {}, action_minutes_per_month=1)
    with pytest.raises(NotPriced, match="type V1"):
        sum_of({"It": old})


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_XLARGE"}, "BUILD_GENERAL1_XLARGE"),
        ({"Type": "ARM_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL"}, "ARM_CONTAINER"),
        ({"Type": "LINUX_LAMBDA_CONTAINER", "ComputeType": "BUILD_LAMBDA_1GB"}, "LAMBDA"),
        ({"Fleet": {"FleetArn": "f"}}, "Fleet"),
        ({"DockerServer": {"ComputeType": "x"}}, "DockerServer"),
    ],
)
def test_a_machine_that_the_book_does_not_know_builds_nothing(environment: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": resource("AWS::CodeBuild::Project", {"Environment": environment})})


# Parameters


def parameter(tier: str | None = None, **properties: Any) -> dict[str, Any]:
    made = {"Type": "String", "Value": "a", **({"Tier": tier} if tier else {}), **properties}
    return resource("AWS::SSM::Parameter", made, requests_per_month=MILLION)


@pytest.mark.parametrize(
    ("made", "paid"),
    [
        (parameter(), "0"),
        (parameter("Standard"), "0"),
        (parameter("Advanced"), "5.05"),  # $0.05 + 1 M × $0.05/10,000
        (parameter("Intelligent-Tiering"), "0"),
        (parameter("Intelligent-Tiering", Policies="[]"), "5.05"),
        (parameter("Intelligent-Tiering", Value="é" * 2_048), "0"),  # 4,096 bytes
        (parameter("Intelligent-Tiering", Value="é" * 2_049), "5.05"),
    ],
)
def test_a_parameter_pays_where_it_is_advanced(made: dict[str, Any], paid: str) -> None:
    assert sum_of({"It": made}) == Decimal(paid)


def test_higher_throughput_makes_the_requests_of_standard_parameters_pay() -> None:
    setting = {
        "SettingId": "arn:aws:ssm:us-east-1:000000000000:servicesetting/ssm/parameter-store/high-throughput-enabled",
        "SettingValue": "true",
    }
    resources = {"It": parameter(), "Setting": resource("AWS::SSM::ServiceSetting", setting)}
    assert sum_of(resources) == Decimal(5)
    with pytest.raises(NotPriced, match="Golden"):
        sum_of({"It": parameter("Golden")})


# Trails and watchers


def trail(**properties: Any) -> dict[str, Any]:
    usage: dict[str, Any] = {"management_events_per_month": MILLION}
    return resource("AWS::CloudTrail::Trail", {"IsLogging": True, **properties}, **usage)


def test_the_first_copy_of_management_events_is_free() -> None:
    data = [{"IncludeManagementEvents": False, "DataResources": []}]
    resources = {"Data": trail(EventSelectors=data), "First": trail(), "Second": trail()}
    assert lines(resources) == {"Second · Management events (further copy)": Decimal(20)}  # 1 M × $2/100,000
    assert sum_of({"Off": trail(IsLogging=False), "First": trail()}) == 0


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        ({}, []),
        ({"EventSelectors": [{"DataResources": [{"Type": "AWS::S3::Object"}]}]}, ["Data events"]),
        (
            {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Management"]}]}
                ]
            },
            [],
        ),
        (
            {
                "AdvancedEventSelectors": [
                    {"FieldSelectors": [{"Field": "eventCategory", "Equals": ["NetworkActivity"]}]}
                ]
            },
            ["Data events"],
        ),
        ({"InsightSelectors": [{"InsightType": "ApiCallRateInsight"}]}, ["Events analysed (Insights)"]),
    ],
)
def test_what_a_trail_records_is_what_it_pays_for(selectors: dict[str, Any], expected: list[str]) -> None:
    assert undeclared({"It": trail(**selectors)}) == expected


def test_a_detector_pays_for_every_feature_that_is_not_turned_off() -> None:
    def parts(**properties: Any) -> list[str]:
        return undeclared({"It": resource("AWS::GuardDuty::Detector", {"Enable": True, **properties})})

    always = ["CloudTrail events read", "Flow logs and DNS read"]
    optional = ["S3 events read", "EKS events read", "Flow logs read (Lambda)"]
    assert parts() == [*always, *optional]
    off = [
        {"Name": "EKS_AUDIT_LOGS", "Status": "DISABLED"},
        {"Name": "RUNTIME_MONITORING", "Status": "ENABLED"},
    ]
    assert parts(Features=off) == [*always, optional[0], optional[2], "Runtime monitoring"]
    assert parts(DataSources={"S3Logs": {"Enable": False}}) == [*always, *optional[1:]]
    assert parts(Enable=False) == []


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (trail(AggregationConfigurations=[{"x": 1}]), "AggregationConfigurations"),
        (resource("AWS::CloudTrail::Trail", {"IsLogging": True}, data_events_per_month=1), "data_events"),
        (
            resource("AWS::CloudTrail::EventDataStore", {"BillingMode": "FIXED_RETENTION_PRICING"}),
            "FIXED_RETENTION_PRICING",
        ),
        (resource("AWS::CloudTrail::EventDataStore", {"RetentionPeriod": 2557}), "2557"),
        (resource("AWS::CloudTrail::EventDataStore", {"InsightSelectors": [{"x": 1}]}), "InsightSelectors"),
        (
            resource(
                "AWS::GuardDuty::Detector",
                {"Enable": True, "Features": [{"Name": "AI_ANALYST", "Status": "ENABLED"}]},
            ),
            "AI_ANALYST",
        ),
        (resource("AWS::GuardDuty::Detector", {"Enable": True}, monitored_vcpus=1), "monitored_vcpus"),
        (resource("AWS::Config::ConfigurationRecorder", {}, daily_items_per_month=1), "daily_items"),
        (
            resource(
                "AWS::Config::ConfigurationRecorder", {"RecordingMode": {"RecordingFrequency": "WEEKLY"}}
            ),
            "WEEKLY",
        ),
        (resource("AWS::RUM::AppMonitor", {}, traces_per_month=1), "EnableXRay"),
        (
            resource("AWS::RUM::AppMonitor", {"AppMonitorConfiguration": {"MetricDestinations": [1]}}),
            "MetricDestinations",
        ),
        (
            resource(
                "AWS::FIS::ExperimentTemplate", {"ExperimentOptions": {"AccountTargeting": "multi-account"}}
            ),
            "multi-account",
        ),
        (resource("AWS::FIS::ExperimentTemplate", {}, reports_per_month=1), "reports_per_month"),
    ],
)
def test_a_watcher_of_another_price_is_refused(made: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": made})


# Canaries and schedules


def canary(expression: str, **properties: Any) -> dict[str, Any]:
    made = {"Schedule": {"Expression": expression}, **properties}
    return resource("AWS::Synthetics::Canary", made, duration_ms=6_000, log_gb_per_month=0)


def test_a_canary_pays_for_its_runs_and_for_the_function_behind_it() -> None:
    # 730 h ÷ 5 minutes = 8,760 runs of 6 s
    assert dollars({"It": canary("rate(5 minutes)")}) == {
        "Canary runs": Decimal("10.512"),  # × $0.0012
        "Requests (x86)": Decimal("0.001752"),
        "Duration (x86)": Decimal("0.855470460938"),  # × 6 s × 1,000 ÷ 1,024 GB × $0.0000166667
        "Temporary storage (x86)": Decimal("0.00081205200"),  # × 6 s × 0.5 GB × $0.0000000309
    }
    assert "Canary runs" in undeclared({"It": canary("rate(0 minute)", StartCanaryAfterCreation=False)})
    ends = {"Expression": "rate(1 minute)", "DurationInSeconds": "3600"}
    assert "Canary runs" in undeclared({"It": canary("", Schedule=ends)})


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"Replicas": [{"Location": "eu-west-1"}]}, "Replicas"),
        ({"BrowserConfigs": [{"BrowserType": "CHROME"}, {"BrowserType": "FIREFOX"}]}, "BrowserConfigs"),
    ],
)
def test_a_canary_that_runs_more_than_once_at_a_time_is_refused(
    properties: dict[str, Any], word: str
) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": canary("rate(1 hour)", **properties)})


# Days of the 28 years 2001 to 2028, after which the calendar repeats itself.
DAYS = 28 * 365 + 7


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("cron(0 12 * * ? *)", DAYS),
        ("cron(0/15 * ? * * *)", DAYS * 4 * 24),
        ("cron(5,35 8-9 * * ? *)", DAYS * 4),
        ("cron(0 8 ? * MON-FRI *)", DAYS // 7 * 5),
        ("cron(0 8 ? * 1 *)", DAYS // 7),  # Sundays
        ("cron(0 8 ? * L *)", DAYS // 7),  # Saturdays
        ("cron(0 0 1 * ? *)", 28 * 12),
        ("cron(0 0 L * ? *)", 28 * 12),
        ("cron(0 0 15W * ? *)", 28 * 12),
        ("cron(0 0 1W JAN ? *)", 28),
        ("cron(0 0 29 2 ? *)", 7),
        ("cron(0 0 31W * ? *)", 28 * 7),  # the seven months of 31 days
        ("cron(0 0 ? * 2#1 *)", 28 * 12),  # the first Monday
        ("cron(0 0 ? * 6L *)", 28 * 12),  # the last Friday
    ],
)
def test_a_cron_fires_as_often_as_the_calendar_says(expression: str, times: int) -> None:
    found = schedules.runs(expression)
    exact = Decimal(times) / DAYS * 365 / 12  # a month of 730 h is a twelfth of 365 days
    assert found is not None
    assert abs(found.value - exact) < Decimal("1e-8") * max(exact, Decimal(1))


def test_a_rate_fires_evenly_and_anything_else_is_not_guessed() -> None:
    found = [
        schedules.runs(text) for text in ("rate(5 minutes)", "rate(1 hour)", "rate(7 days)", "rate(0 minute)")
    ]
    assert [str(each.value) for each in found if each] == ["8760", "730", "4.34523809524", "0"]
    for text in (
        "at(2027-01-01T00:00:00)",
        "cron(0 8 * * ? 2027)",
        "cron(61 * * * ? *)",
        "cron(x)",
        "",
        "cron(0)",
    ):
        assert schedules.runs(text) is None


# Logs


def delivery(destination: Any, **more: Any) -> dict[str, Any]:
    return {
        "It": resource("AWS::Logs::Delivery", {"DeliveryDestinationArn": {"Ref": "Place"}}, **more),
        "Place": resource("AWS::Logs::DeliveryDestination", {"DestinationResourceArn": destination}),
    }


def test_a_delivery_to_a_bucket_pays_and_one_to_a_log_group_is_that_groups_line() -> None:
    # 10,240 GB × $0.25 + 1,000 GB × $0.15
    assert sum_of(delivery("arn:aws:s3:::logs", delivered_gb_per_month=11_240)) == Decimal(2710)
    group = resource("AWS::Logs::LogGroup", {"RetentionInDays": 7}, ingested_gb_per_month=0)
    here = {**delivery({"Fn::GetAtt": ["Group", "Arn"]}), "Group": group}
    assert undeclared(here) == []
    with pytest.raises(NotPriced, match="firehose"):
        sum_of(delivery("arn:aws:firehose:us-east-1:000000000000:deliverystream/x"))
    with pytest.raises(NotPriced, match="names no resource"):
        sum_of(delivery(None))


def test_logs_to_a_group_of_the_services_own_are_paid_where_the_template_has_none() -> None:
    api = resource(
        "AWS::AppSync::GraphQLApi",
        {"LogConfig": {"FieldLogLevel": "ALL"}, "Visibility": "PRIVATE"},
        log_gb_per_month=10,
    )
    name = {"Fn::Join": ["", ["/aws/appsync/apis/", {"Fn::GetAtt": ["Api", "ApiId"]}]]}
    # 10 GB × $0.50, and 10 GB × 12 months × 15 % × $0.03
    words = "(AppSync, log group not in the template)"
    paid = {f"Logs written {words}": Decimal(5), f"Logs kept {words}": Decimal("0.54")}
    assert dollars({"Api": api}) == paid
    assert warnings({"Api": api}) == ("Api: AppSync makes its log group, in which nothing expires",)
    retention = resource("Custom::LogRetention", {"LogGroupName": name, "RetentionInDays": 73})
    # 73 days ÷ 30.4167 = 2.4 months
    assert dollars({"Api": api, "Keep": retention})[f"Logs kept {words}"] == Decimal("0.108")
    assert warnings({"Api": api, "Keep": retention}) == ()
    group = resource("AWS::Logs::LogGroup", {"LogGroupName": name, "RetentionInDays": 7})
    assert dollars({"Api": api, "Group": group}) == {}


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (resource("AWS::AppSync::GraphQLApi", {}, log_gb_per_month=1), "LogConfig is off"),
        (stage(MethodSettings=[{"LoggingLevel": "OFF"}]), "no LoggingLevel"),
        (
            resource(
                "AWS::CodeBuild::Project",
                {
                    "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL"},
                    "LogsConfig": {"CloudWatchLogs": {"Status": "DISABLED"}},
                },
            ),
            "turns its logs off",
        ),
    ],
)
def test_logs_that_nobody_writes_are_not_declared(made: dict[str, Any], word: str) -> None:
    made.setdefault("Metadata", {})["Workload"] = {"log_gb_per_month": {"value": "1", "formula": "1 GB"}}
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": made})


# Cloud Map


def test_tasks_that_ecs_registers_are_free() -> None:
    ecs = resource(
        "AWS::ECS::Service",
        {
            "LaunchType": "EXTERNAL",
            "ServiceRegistries": [{"RegistryArn": {"Fn::GetAtt": ["Names", "Arn"]}}],
        },
    )
    names = resource("AWS::ServiceDiscovery::Service", {}, discover_calls_per_month=MILLION)
    found = [line.component for line in price(assembly({"Names": names})).lines]
    assert found == ["Instances registered", "Discovery calls"]
    by_ecs = price(assembly({"Names": names, "Tasks": ecs})).lines
    assert [line.component for line in by_ecs if line.resource == "Names"] == ["Discovery calls"]
    counted = resource("AWS::ServiceDiscovery::Service", {}, instances=3)
    with pytest.raises(NotPriced, match="which is free, and instances"):
        sum_of({"Names": counted, "Tasks": ecs})
    with pytest.raises(NotPriced, match="HealthCheckConfig"):
        sum_of({"Names": resource("AWS::ServiceDiscovery::Service", {"HealthCheckConfig": {"Type": "TCP"}})})


# Users


def provider(kind: str, **usage: Any) -> dict[str, Any]:
    made = {"ProviderType": kind, "UserPoolId": {"Ref": "Pool"}}
    return resource("AWS::Cognito::UserPoolIdentityProvider", made, **usage)


@pytest.mark.parametrize(("tier", "paid"), [("LITE", "15"), ("ESSENTIALS", "15"), ("PLUS", "20")])
def test_users_of_saml_have_a_price_of_their_own(tier: str, paid: str) -> None:
    pool = resource("AWS::Cognito::UserPool", {"UserPoolTier": tier}, monthly_active_users=0)
    assert sum_of({"Pool": pool, "It": provider("SAML", monthly_active_users=1_000)}) == Decimal(paid)


@pytest.mark.parametrize("kind", ["Google", "Facebook", "SignInWithApple", "LoginWithAmazon"])
def test_users_of_social_providers_are_the_pools_own(kind: str) -> None:
    assert undeclared({"It": provider(kind)}) == []
    with pytest.raises(NotPriced, match="the pool's own"):
        sum_of({"It": provider(kind, monthly_active_users=1)})


# Models


def profile(source: str, **usage: Any) -> dict[str, Any]:
    made = {"ModelSource": {"CopyFrom": source}}
    return resource("AWS::Bedrock::ApplicationInferenceProfile", made, **usage)


TOKENS: dict[str, Any] = {"input_tokens_per_month": MILLION, "output_tokens_per_month": MILLION}


@pytest.mark.parametrize(
    ("source", "paid"),
    [
        ("arn:aws:bedrock:us-east-1:0:inference-profile/global.anthropic.claude-sonnet-4-6", "18"),  # 3 + 15
        (
            "arn:aws:bedrock:us-east-1:0:inference-profile/us.anthropic.claude-sonnet-4-6",
            "19.8",
        ),  # a tenth more
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0", "19.8"),
        ("arn:aws:bedrock:us-east-1:0:inference-profile/us.amazon.nova-lite-v1:0", "0.3"),  # 0.06 + 0.24
    ],
)
def test_tokens_pay_the_price_of_their_model_and_of_where_it_may_run(source: str, paid: str) -> None:
    assert sum_of({"Model": profile(source, **TOKENS)}) == Decimal(paid)


def test_an_agent_on_a_profile_of_the_template_counts_no_tokens_twice() -> None:
    agent = {"FoundationModel": {"Fn::GetAtt": ["Model", "InferenceProfileArn"]}}
    resources = {
        "Model": profile("amazon.nova-lite-v1:0", **TOKENS),
        "Agent": resource("AWS::Bedrock::Agent", agent),
    }
    assert sum_of(resources) == Decimal("0.3")
    resources["Agent"] = resource("AWS::Bedrock::Agent", agent, **TOKENS)
    with pytest.raises(NotPriced, match="inference profile's"):
        sum_of(resources)


def knowledge(kind: str, **usage: Any) -> dict[str, Any]:
    config = {"Type": kind, "VectorKnowledgeBaseConfiguration": {"EmbeddingModelArn": "no.such-model"}}
    return resource("AWS::Bedrock::KnowledgeBase", {"KnowledgeBaseConfiguration": config}, **usage)


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (profile("arn:aws:bedrock:us-east-1::foundation-model/no.such-model"), "no.such-model"),
        (profile("amazon.nova-lite-v1:0", cached_tokens_per_month=1), "cached_tokens_per_month"),
        (resource("AWS::Bedrock::Agent", {"AgentName": "a"}), "FoundationModel is None"),
        (
            resource(
                "AWS::Bedrock::Agent",
                {"ActionGroups": [{"ParentActionGroupSignature": "AMAZON.CodeInterpreter"}]},
            ),
            "CodeInterpreter",
        ),
        (knowledge("VECTOR"), "EmbeddingModelArn"),
        (knowledge("MANAGED"), "MANAGED"),
        (knowledge("SQL", embedded_tokens_per_month=1), "embedded_tokens_per_month"),
        (
            resource(
                "AWS::Bedrock::Guardrail",
                {"ContentPolicyConfig": {"FiltersConfig": [{"InputModalities": ["TEXT", "IMAGE"]}]}},
            ),
            "IMAGE",
        ),
        (
            resource("AWS::Bedrock::Guardrail", {"AutomatedReasoningPolicyConfig": {"Policies": ["p"]}}),
            "AutomatedReasoning",
        ),
        (resource("AWS::QuickSight::DataSet", {"ImportMode": "PIGEON"}), "PIGEON"),
        (resource("AWS::QuickSight::DataSet", {"ImportMode": "DIRECT_QUERY"}, stored_gb=1), "stored_gb"),
        (
            resource("AWS::Location::PlaceIndex", {"DataSourceConfiguration": {"IntendedUse": "Resale"}}),
            "Resale",
        ),
        (resource("AWS::Location::APIKey"), "AllowActions"),
    ],
)
def test_a_model_or_a_service_of_another_price_is_refused(made: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": made})


# Devices


def test_each_action_of_a_topic_rule_is_paid() -> None:
    def bill(*actions: dict[str, Any]) -> Decimal:
        payload = {"TopicRulePayload": {"Actions": list(actions)}}
        return sum_of({"It": resource("AWS::IoT::TopicRule", payload, messages_per_month=10 * MILLION)})

    # 10 M × $0.15/M to trigger it, and as much for each action
    assert (bill(), bill({"Sqs": {}}), bill({"Sqs": {}}, {"S3": {}})) == (
        Decimal("1.5"),
        Decimal(3),
        Decimal("4.5"),
    )


# What is free, what is known, and what ends that


@pytest.mark.parametrize(
    ("type", "properties"),
    [
        ("AWS::ApiGateway::Deployment", {"StageDescription": {"CacheClusterEnabled": True}}),
        ("AWS::AccessAnalyzer::Analyzer", {"Type": "ACCOUNT_UNUSED_ACCESS"}),
        ("AWS::CodeDeploy::DeploymentGroup", {"OnPremisesInstanceTagFilters": [{"Key": "k"}]}),
        ("AWS::Logs::AccountPolicy", {"PolicyType": "DATA_PROTECTION_POLICY"}),
        ("AWS::Events::Connection", {"InvocationConnectivityParameters": {"x": 1}}),
        ("AWS::SSM::Association", {"AutomationTargetParameterName": "InstanceId"}),
        ("AWS::SSM::MaintenanceWindowTask", {"TaskType": "AUTOMATION"}),
        ("AWS::Cognito::IdentityPool", {"CognitoStreams": {"StreamName": "s"}}),
    ],
)
def test_what_is_free_is_refused_where_a_property_makes_it_pay(type: str, properties: dict[str, Any]) -> None:
    assert sum_of({"It": resource(type)}) == 0
    with pytest.raises(NotPriced, match=next(iter(properties))):
        sum_of({"It": resource(type, properties)})


SERVICES = (
    "APS AccessAnalyzer Amplify ApiGateway ApiGatewayV2 AppConfig AppSync ApplicationInsights ApplicationSignals "
    "Bedrock BedrockAgentCore Budgets CE Chatbot CloudTrail CloudWatch CodeArtifact CodeBuild CodeCommit "
    "CodeConnections CodeDeploy CodePipeline CodeStarConnections Cognito Config Connect Detective EventSchemas "
    "Events Evidently FIS Grafana GuardDuty InspectorV2 IoT Lambda Location Logs Macie Oam Pinpoint Pipes "
    "QuickSight RUM SES SMSVOICE SSM SecurityHub ServiceDiscovery StepFunctions Synthetics VerifiedPermissions XRay"
)


@pytest.mark.parametrize("service", SERVICES.split())
def test_every_type_of_a_service_has_a_class(service: str) -> None:
    known = files("cfnlint.data.schemas.providers").joinpath("us-east-1.json").read_text()
    types = [each for each in json.loads(known) if each.startswith(f"AWS::{service}::")]
    assert types
    assert [each for each in types if registry.class_of(each) is None] == []


def test_the_ceilings_of_an_account_are_sums_over_its_resources() -> None:
    environment = {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL"}
    project = resource("AWS::CodeBuild::Project", {"Environment": environment}, peak_builds=1)
    read = resource("AWS::SSM::Parameter", {"Value": "a"}, peak_requests_per_second=25)
    resources = {
        "One": project,
        "Two": project,
        "A": read,
        "B": read,
        "C": identity(peak_emails_per_second=2),
    }
    found = {each.limit: (each.load, each.quota) for each in limits(assembly(resources))}
    assert found == {
        "Builds at once (Linux, small)": (Decimal(2), Decimal(1)),
        "Parameters read a second": (Decimal(50), Decimal(40)),
        "SES emails a second": (Decimal(2), Decimal(1)),
    }
