"""What a second reading of rooms and of the list of what is free found: lines that were missing, or counted twice."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from tests.bills import dollars, sum_of, undeclared, warnings
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review.cost import price
from workbench.review.leftovers import leftovers

pytestmark = pytest.mark.fast

MILLION = 1_000_000
GROUP = {"Fn::GetAtt": ["Group", "Arn"]}


def refused(made: dict[str, Any], word: str, **others: dict[str, Any]) -> None:
    with pytest.raises(NotPriced, match=rf"Demo/It .*{word}"):
        sum_of({"It": made, **others})


def group(**usage: Any) -> dict[str, Any]:
    return resource("AWS::Logs::LogGroup", {"RetentionInDays": 7}, **usage)


def paid_by(name: str, resources: dict[str, Any]) -> dict[str, Decimal]:
    """Component → dollars a month, of the one resource."""
    lines = price(assembly(resources)).lines
    return {line.component: line.monthly_usd for line in lines if line.resource == name}


# Metrics that are made of logs


def metric_filter(name: str = "Errors", dimensions: bool = False, **usage: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"MetricName": name, "MetricNamespace": "Shop", "MetricValue": "1"}
    if dimensions:
        made["Dimensions"] = [{"Key": "customer", "Value": "$.customer"}]
    properties = {"LogGroupName": "app", "FilterPattern": "ERROR", "MetricTransformations": [made]}
    return resource("AWS::Logs::MetricFilter", properties, **usage)


def test_a_metric_that_a_filter_takes_out_of_logs_is_a_custom_metric() -> None:
    two = {"A": metric_filter("Errors"), "B": metric_filter("Retries")}
    assert sum_of(two) == Decimal("0.6")  # 2 × $0.30
    assert sum_of(two, traffic=0) == 0  # nobody comes, nothing is logged


def test_filters_that_write_the_same_metric_pay_for_it_once() -> None:
    assert sum_of({"A": metric_filter(), "B": metric_filter()}) == Decimal("0.3")


def test_each_value_of_a_dimension_is_a_metric_of_its_own() -> None:
    assert sum_of({"A": metric_filter(dimensions=True, metrics=200)}) == 60  # 200 × $0.30
    assert undeclared({"A": metric_filter(dimensions=True)}) == ["Custom metrics (of logs, by dimension)"]
    refused(metric_filter(metrics=200), "none of its metrics has dimensions")


# Logs that a service vends


def waf_logs(destination: Any, **usage: Any) -> dict[str, Any]:
    return resource("AWS::WAFv2::LoggingConfiguration", {"LogDestinationConfigs": [destination]}, **usage)


def pool_logs(*places: dict[str, Any], **usage: Any) -> dict[str, Any]:
    configs = [{"EventSource": "userNotification", "LogLevel": "ERROR", **place} for place in places]
    return resource("AWS::Cognito::LogDeliveryConfiguration", {"LogConfigurations": configs}, **usage)


def pipe(logs: dict[str, Any] | None, **usage: Any) -> dict[str, Any]:
    properties = {"Source": "s", "Target": "t", "RoleArn": "r"}
    if logs is not None:
        properties["LogConfiguration"] = logs  # type: ignore[assignment]
    return resource("AWS::Pipes::Pipe", properties, requests_per_month=0, **usage)


TO_BUCKET: dict[str, Any] = {"S3LogDestination": {"BucketName": "logs", "BucketOwner": "000000000000"}}


@pytest.mark.parametrize(
    "made",
    [
        waf_logs("arn:aws:s3:::aws-waf-logs-shop", delivered_gb_per_month=100),
        pool_logs({"S3Configuration": {"BucketArn": "arn:aws:s3:::logs"}}, delivered_gb_per_month=100),
        pipe({"Level": "INFO", **TO_BUCKET}, delivered_gb_per_month=100),
    ],
    ids=["WAF", "Cognito", "Pipes"],
)
def test_logs_to_a_bucket_pay_for_the_delivery(made: dict[str, Any]) -> None:
    assert sum_of({"It": made}) == 25  # 100 GB × $0.25
    del made["Metadata"]["Workload"]["delivered_gb_per_month"]
    assert "Logs delivered (to S3)" in undeclared({"It": made})


@pytest.mark.parametrize(
    "made",
    [
        waf_logs(GROUP, delivered_gb_per_month=1),
        pool_logs({"CloudWatchLogsConfiguration": {"LogGroupArn": GROUP}}, delivered_gb_per_month=1),
        pipe({"CloudwatchLogsLogDestination": {"LogGroupArn": GROUP}}, delivered_gb_per_month=1),
    ],
    ids=["WAF", "Cognito", "Pipes"],
)
def test_logs_to_a_log_group_are_its_line_and_not_declared_twice(made: dict[str, Any]) -> None:
    refused(made, "delivered_gb_per_month is declared", Group=group(ingested_gb_per_month=1))
    del made["Metadata"]["Workload"]["delivered_gb_per_month"]
    here = {"It": made, "Group": group(ingested_gb_per_month=10)}
    assert dollars(here)["Logs written (vended)"] == 5  # 10 GB × $0.50
    assert "Logs delivered" not in " ".join(undeclared(here))


def test_a_stream_that_receives_the_logs_of_a_firewall_pays_for_them() -> None:
    stream = "arn:aws:firehose:us-east-1:000000000000:deliverystream/aws-waf-logs-shop"
    assert sum_of({"It": waf_logs(stream)}) == 0
    refused(waf_logs(stream, delivered_gb_per_month=1), "delivery stream")


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (pool_logs({"FirehoseConfiguration": {"StreamArn": "s"}}), "FirehoseConfiguration"),
        (
            pool_logs(
                {"S3Configuration": {"BucketArn": "arn:aws:s3:::logs"}},
                {"CloudWatchLogsConfiguration": {"LogGroupArn": "arn:aws:logs:us-east-1::log-group:g"}},
            ),
            "one figure can't be of both",
        ),
        (pipe({"FirehoseLogDestination": {"DeliveryStreamArn": "s"}}), "FirehoseLogDestination"),
        (
            pipe(
                {
                    **TO_BUCKET,
                    "CloudwatchLogsLogDestination": {"LogGroupArn": "arn:aws:logs:us-east-1::log-group:g"},
                }
            ),
            "one figure can't be of both",
        ),
        (pipe({"Level": "OFF", **TO_BUCKET}, delivered_gb_per_month=1), "Level is OFF"),
        (pipe(None, delivered_gb_per_month=1), "it has no LogConfiguration"),
    ],
)
def test_a_delivery_of_another_price_is_refused(made: dict[str, Any], word: str) -> None:
    refused(made, word)


@pytest.mark.parametrize("output", ["parquet", "Parquet"])
def test_a_delivery_that_converts_logs_is_refused(output: str) -> None:
    place = {"DestinationResourceArn": "arn:aws:s3:::logs", "OutputFormat": output}
    refused(
        resource("AWS::Logs::Delivery", {"DeliveryDestinationArn": {"Ref": "Place"}}),
        "OutputFormat of its destination is parquet",
        Place=resource("AWS::Logs::DeliveryDestination", place),
    )


# Logs to a group that no template has


def test_an_event_api_writes_logs_as_a_graphql_api_does() -> None:
    config = {"EventConfig": {"LogConfig": {"LogLevel": "INFO", "CloudWatchLogsRoleArn": "r"}}}
    logged = resource("AWS::AppSync::Api", config, log_gb_per_month=10)
    # 10 GB × $0.50, and 10 GB × 12 months × 15 % × $0.03
    assert sum_of({"It": logged}) == Decimal("5.54")
    assert warnings({"It": logged}) == ("It: AppSync makes its log group, in which nothing expires",)
    refused(resource("AWS::AppSync::Api", {}, log_gb_per_month=10), "LogConfig is off")


def test_an_internet_monitor_writes_its_measurements_to_a_log_group() -> None:
    kind, watched = "AWS::InternetMonitor::Monitor", {"Resources": ["a"]}
    # 730 h × $0.01, 10 GB × $0.50, and 10 GB × 12 months × 15 % × $0.03
    assert sum_of({"It": resource(kind, watched, log_gb_per_month=10)}) == Decimal("12.84")
    refused(resource(kind, {"Status": "INACTIVE"}, log_gb_per_month=1), "Status is INACTIVE")


def test_a_build_that_names_a_log_group_outside_the_template_pays_for_its_logs() -> None:
    def project(name: Any) -> dict[str, Any]:
        properties = {
            "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL"},
            "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": name}},
        }
        return resource("AWS::CodeBuild::Project", properties, build_minutes_per_month=0, log_gb_per_month=10)

    assert sum_of({"It": project("builds")}) == Decimal("5.54")  # as above
    named = resource("AWS::Logs::LogGroup", {"LogGroupName": "builds", "RetentionInDays": 7})
    refused(project("builds"), "names a log group of the template", Group=named)
    refused(project({"Ref": "Group"}), "names a log group of the template", Group=group())


def test_iot_makes_the_log_group_that_it_writes_to() -> None:
    def logging(level: str, **usage: Any) -> dict[str, Any]:
        return resource("AWS::IoT::Logging", {"DefaultLogLevel": level}, **usage)

    assert sum_of({"It": logging("INFO", log_gb_per_month=10)}) == Decimal("5.54")  # as above
    assert warnings({"It": logging("INFO")}) == ("It: IoT makes its log group, in which nothing expires",)
    assert undeclared({"It": logging("DISABLED")}) == []
    refused(logging("DISABLED", log_gb_per_month=1), "DefaultLogLevel is DISABLED")
    own = resource("AWS::Logs::LogGroup", {"LogGroupName": "AWSIotLogsV2", "RetentionInDays": 7})
    refused(logging("INFO", log_gb_per_month=1), "AWSIotLogsV2 is in the template", Group=own)


def test_the_add_on_that_watches_a_cluster_pays_and_others_do_not() -> None:
    def addon(name: str, **usage: Any) -> dict[str, Any]:
        return resource("AWS::EKS::Addon", {"AddonName": name}, **usage)

    assert sum_of({"It": addon("vpc-cni")}) == 0
    watching = addon("amazon-cloudwatch-observability", observations_per_month=1_500 * MILLION)
    assert sum_of({"It": watching}) == 300  # 1,000 M × $0.21/M + 500 M × $0.18/M
    assert len(undeclared({"It": addon("amazon-cloudwatch-observability")})) == 3
    refused(addon("vpc-cni", observations_per_month=1), "sends nothing to CloudWatch")
    refused(addon("somebody_elses-addon"), "AddonName is somebody_elses-addon")


@pytest.mark.parametrize(
    ("made", "left"),
    [
        (
            resource("AWS::AppSync::Api", {"EventConfig": {"LogConfig": {"LogLevel": "ALL"}}}),
            ["log group /aws/appsync/apis/<It>"],
        ),
        (resource("AWS::AppSync::Api", {"EventConfig": {}}), []),
        (resource("AWS::IoT::Logging", {"DefaultLogLevel": "INFO"}), ["log group AWSIotLogsV2"]),
        (resource("AWS::IoT::Logging", {"DefaultLogLevel": "DISABLED"}), []),
    ],
)
def test_such_a_group_stays_when_its_stack_goes(made: dict[str, Any], left: list[str]) -> None:
    assert [each.what for each in leftovers(assembly({"It": made})).stays] == left


# Counted once


def rest_api(body: dict[str, Any] | None = None) -> dict[str, Any]:
    return resource(
        "AWS::ApiGateway::RestApi",
        {"Name": "shop", **({"Body": body} if body else {})},
        requests_per_month=1_000,
        egress_gb_per_month=0,
    )


def calling(function: str) -> dict[str, Any]:
    integration = {"Type": "AWS_PROXY", "Uri": {"Fn::GetAtt": [function, "Arn"]}}
    method = {"RestApiId": {"Ref": "Api"}, "HttpMethod": "GET", "Integration": integration}
    return resource("AWS::ApiGateway::Method", method)


def traced_stage(**usage: Any) -> dict[str, Any]:
    return resource("AWS::ApiGateway::Stage", {"RestApiId": {"Ref": "Api"}, "TracingEnabled": True}, **usage)


def function(mode: str) -> dict[str, Any]:
    properties = {"TracingConfig": {"Mode": mode}, "LoggingConfig": {"LogGroup": "given"}}
    return resource("AWS::Lambda::Function", properties, invocations_per_month=1_000, duration_ms=1)


TRACES = "Traces recorded (default sampling)"


def test_requests_of_an_api_with_two_stages_are_traced_once() -> None:
    stages = {"Test": traced_stage(), "Live": traced_stage()}
    assert dollars({"Api": rest_api(), **stages})[TRACES] == Decimal("0.005")  # 1,000 × $5/M
    stages["Test"] = traced_stage(requests_per_month=200)
    paid = {"Api": rest_api(), **stages}
    assert paid_by("Test", paid)[TRACES] == Decimal("0.001")  # 200 × $5/M
    assert paid_by("Live", paid)[TRACES] == Decimal("0.005")


def test_an_api_traces_what_its_functions_do_not() -> None:
    resources = {
        "Api": rest_api(),
        "Live": traced_stage(),
        "Traced": function("Active"),
        "Other": function("PassThrough"),
        "One": calling("Traced"),
    }
    assert TRACES not in paid_by("Live", resources)
    resources["Two"] = calling("Other")
    assert paid_by("Live", resources)[TRACES] == Decimal("0.005")


def test_a_function_in_an_openapi_body_that_traces_is_seen_too() -> None:
    uri = {"Fn::Sub": "arn:aws:apigateway:us-east-1:lambda:path/x/functions/${Traced.Arn}/invocations"}
    operation = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "uri": uri}}
    body = {"openapi": "3.0.1", "paths": {"/items": {"get": operation}}}
    resources = {"Api": rest_api(body), "Live": traced_stage(), "Traced": function("Active")}
    assert TRACES not in paid_by("Live", resources)
    assert paid_by("Traced", resources)[TRACES] == Decimal("0.005")


def trail(**properties: Any) -> dict[str, Any]:
    return resource(
        "AWS::CloudTrail::Trail", {"IsLogging": True, **properties}, management_events_per_month=MILLION
    )


@pytest.mark.parametrize(
    ("several", "account", "region", "copies"),
    [(False, "1", "eu-west-1", 0), (True, "1", "eu-west-1", 1), (False, "2", "us-east-1", 0)],
    ids=["a region each", "all regions", "an account each"],
)
def test_a_trail_of_all_regions_records_what_one_elsewhere_does(
    several: bool, account: str, region: str, copies: int
) -> None:
    one = replace(stack({"Trail": trail()}, name="One"), account="1")
    made = trail(IsMultiRegionTrail=several)
    other = replace(stack({"Trail": made}, name="Other", region=region), account=account)
    found = price(Assembly(Path(), (one, other))).lines
    assert [line.component for line in found] == ["Management events (further copy)"] * copies


def test_deliverability_is_watched_in_its_own_account() -> None:
    sender = {
        "Shop": resource(
            "AWS::SES::EmailIdentity", {"EmailIdentity": "example.com"}, emails_per_month=MILLION
        ),
        "Watch": resource("AWS::SES::VdmAttributes"),
    }
    both = tuple(replace(stack(sender, name=name), account=name) for name in ("1", "2"))
    watched = [each for each in price(Assembly(Path(), both)).lines if "watched" in each.component]
    assert [each.monthly_usd for each in watched] == [70, 70]  # 1 M × $0.07/1,000


def test_a_group_that_names_a_reservation_itself_runs_in_it() -> None:
    reserved = {
        "InstancePlatform": "Linux/UNIX",
        "InstanceType": "m7g.large",
        "InstanceCount": 3,
        "InstanceMatchCriteria": "targeted",
    }
    target = {"CapacityReservationTarget": {"CapacityReservationIds": [{"Ref": "Kept"}]}}
    fleet = {
        "MinSize": "2",
        "MaxSize": "2",
        "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}, "Version": "1"},
        "CapacityReservationSpecification": target,
    }
    resources = {
        "Kept": resource("AWS::EC2::CapacityReservation", reserved),
        "Template": resource(
            "AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"InstanceType": "m7g.large"}}
        ),
        "Fleet": resource("AWS::AutoScaling::AutoScalingGroup", fleet),
    }
    # (3 − 2) × 730 h × $0.0816
    assert paid_by("Kept", resources) == {"Reserved instances (m7g.large)": Decimal("59.568")}


# What changes a price


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (
            resource(
                "AWS::ACMPCA::CertificateAuthority",
                {"RevocationConfiguration": {"OcspConfiguration": {"Enabled": "true"}}},
            ),
            "OcspConfiguration",
        ),
        (resource("AWS::EC2::VPNConnection", {"EnableAcceleration": "true"}), "EnableAcceleration"),
        (
            resource("AWS::NetworkFirewall::LoggingConfiguration", {"EnableMonitoringDashboard": "true"}),
            "EnableMonitoringDashboard",
        ),
        (
            resource("AWS::BedrockAgentCore::Runtime", {"CapacityProviderConfiguration": {"x": "y"}}),
            "CapacityProviderConfiguration",
        ),
        (
            resource(
                "AWS::Bedrock::Agent",
                {
                    "FoundationModel": "amazon.nova-lite-v1:0",
                    "PromptOverrideConfiguration": {
                        "PromptConfigurations": [
                            {"PromptType": "ORCHESTRATION", "FoundationModel": "amazon.nova-pro-v1:0"}
                        ]
                    },
                },
            ),
            "another model",
        ),
        (resource("AWS::WAFv2::WebACL", {"MonetizationConfig": {"CurrencyMode": "x"}}), "MonetizationConfig"),
        (
            resource("AWS::EC2::IPAMPool", {"AddressFamily": "ipv4", "PublicIpSource": "amazon"}),
            "public IPv4 addresses",
        ),
    ],
)
def test_a_property_that_changes_the_price_is_refused(made: dict[str, Any], word: str) -> None:
    refused(made, word)


def test_true_is_true_as_a_word_too() -> None:
    made = resource(
        "AWS::GlobalAccelerator::Accelerator", {"FlowLogsEnabled": "true"}, delivered_gb_per_month=10
    )
    assert dollars({"It": made})["Logs delivered (to S3)"] == Decimal("2.5")  # 10 GB × $0.25


def test_a_prompt_for_the_agents_own_model_is_no_other_model() -> None:
    prompts = [{"PromptType": "ORCHESTRATION", "FoundationModel": "amazon.nova-lite-v1:0"}, {}]
    agent = {
        "FoundationModel": "amazon.nova-lite-v1:0",
        "PromptOverrideConfiguration": {"PromptConfigurations": prompts},
    }
    assert sum_of({"It": resource("AWS::Bedrock::Agent", agent)}) == 0


@pytest.mark.parametrize(
    ("kind", "harmless", "paid"),
    [
        (
            "AWS::XRay::Group",
            {"InsightsConfiguration": {"InsightsEnabled": False}},
            {"InsightsConfiguration": {"InsightsEnabled": True}},
        ),
        (
            "AWS::EC2::VPCEndpointService",
            {"ContributorInsightsEnabled": "false"},
            {"ContributorInsightsEnabled": True},
        ),
        ("AWS::EC2::TransitGateway", {"EncryptionSupport": "disable"}, {"EncryptionSupport": "enable"}),
        (
            "AWS::EC2::VerifiedAccessInstance",
            {"LoggingConfigurations": {"CloudWatchLogs": {"Enabled": True, "LogGroup": "g"}}},
            {"LoggingConfigurations": {"S3": {"Enabled": True, "BucketName": "b"}}},
        ),
        ("AWS::IoT::ThingGroup", {"ThingGroupName": "g"}, {"QueryString": "attributes.x:1"}),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", {"Port": 80}, {"TargetControlPort": 3000}),
        (
            "AWS::SES::ConfigurationSetEventDestination",
            {"EventDestination": {"SnsDestination": {"TopicARN": "t"}}},
            {"EventDestination": {"CloudWatchDestination": {"DimensionConfigurations": []}}},
        ),
    ],
)
def test_what_is_free_is_refused_where_a_property_makes_it_pay(
    kind: str, harmless: dict[str, Any], paid: dict[str, Any]
) -> None:
    assert sum_of({"It": resource(kind, harmless)}) == 0
    refused(resource(kind, paid), "it is free unless")


def test_a_setting_that_only_deployment_knows_is_not_taken_to_be_harmless() -> None:
    unknown = resource("AWS::XRay::Group", {"InsightsConfiguration": {"Fn::GetAtt": ["Other", "Settings"]}})
    refused(unknown, "it is free unless", Other=resource("Custom::Settings", {}))


# What is told, where it can't be counted


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("AWS::Macie::Session", "automated discovery, which is turned on outside the template"),
        ("AWS::SecurityHub::Hub", "findings taken in beyond 10,000 a month"),
    ],
)
def test_what_no_template_shows_is_told(kind: str, words: str) -> None:
    [told] = warnings({"It": resource(kind)})
    assert words in told


def test_a_session_that_is_paused_watches_nothing() -> None:
    assert warnings({"It": resource("AWS::Macie::Session", {"Status": "PAUSED"})}) == ()
