"""Each construct twice: as it is without a word, and with everything said."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import CfnResource, Duration
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Match, Template
from aws_cdk.aws_apigatewayv2 import HttpMethod

from patterns.acknowledge import acknowledge
from patterns.api_distribution import ApiDistribution
from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain
from patterns.json_http_api import JsonHttpApi
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.sign_in import SignIn
from patterns.table import Table
from patterns.traffic import KEY, EdgeTraffic, FunctionTraffic, TableTraffic, declare
from patterns.work_queue import WorkQueue
from workbench.workload import Figure, Load, Rate

HANDLER = "lambdas.url_shortener.redirect.handler"


def _function(
    scope: BlueprintStack, rate: Rate, load: Load, name: str = "Worker", **rest: Any
) -> PythonFunction:
    of = load.quantity
    traffic = FunctionTraffic(rate, of("ms"), of("bytes"), of("one"))
    return PythonFunction(scope, name, handler=HANDLER, environment={"A": "b"}, traffic=traffic, **rest)


def _table(scope: BlueprintStack, rate: Rate, one: Figure, **rest: Any) -> Table:
    return Table(scope, "Things", partition_key="id", traffic=TableTraffic(rate, rate, one, one), **rest)


def _queue(scope: BlueprintStack, rate: Rate, one: Figure, **rest: Any) -> WorkQueue:
    return WorkQueue(
        scope, "Work", messages=rate, requests_per_message=one, consumer_timeout=Duration.seconds(20), **rest
    )


class TestBlueprintStack:
    def test_by_default_it_is_named_tagged_and_says_what_it_is_made_for(self, stack_of: Any) -> None:
        stack = stack_of("sandbox")
        assert stack.stack_name == "some-system-sandbox"
        Operations(stack, "Operations")
        template = Template.from_stack(stack)
        tags = [{"Key": "blueprint", "Value": "some_system"}, {"Key": "stage", "Value": "sandbox"}]
        template.has_resource_properties("AWS::SNS::Topic", {"Tags": tags})
        declared = template.to_json()["Metadata"]["Workload"]
        assert declared == {
            "blueprint": "some_system",
            "users": 10_000,
            "stage": "sandbox",
            "requests_per_month": "2628000",  # 10,000 users × 8.64 a day × 30.4167 days
        }
        assert stack.termination_protection is False

    def test_a_copy_in_production_is_called_otherwise_and_protected(self, stack_of: Any) -> None:
        stack = stack_of("production", copy="alice")
        assert stack.stack_name == "some-system-production-alice"
        assert stack.termination_protection is True

    def test_the_patterns_stand_in_a_blueprint_stack(self, rate: Rate, load: Load) -> None:
        from aws_cdk import Stack

        with pytest.raises(TypeError, match="BlueprintStack"):
            _function(Stack(), rate, load)  # type: ignore[arg-type]


class TestTraffic:
    def test_a_usage_key_is_declared_once(self, stack_of: Any, rate: Rate, one: Figure) -> None:
        table = _table(stack_of(), rate, one)
        with pytest.raises(ValueError, match="stored_gb is declared twice"):
            declare(table, stored_gb=one)

    def test_a_construct_without_a_resource_has_no_traffic(
        self, stack_of: Any, rate: Rate, one: Figure
    ) -> None:
        with pytest.raises(ValueError, match="no CloudFormation resource"):
            declare(_queue(stack_of(), rate, one), requests_per_month=one)

    def test_an_acknowledgement_names_a_pack_that_is_run(self, stack_of: Any) -> None:
        with pytest.raises(KeyError):
            acknowledge(stack_of(), "NIST-1", "why")


class TestPythonFunction:
    def test_by_default(self, stack_of: Any, rate: Rate, load: Load) -> None:
        stack = stack_of()
        function = _function(stack, rate, load)
        assert function.busy_at_peak.value == 2  # ten a second, 200 ms each
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::Lambda::Function",
            {
                "Handler": HANDLER,
                "Architectures": ["arm64"],
                "MemorySize": 512,
                "Timeout": 10,
                "TracingConfig": {"Mode": "Active"},
                "LoggingConfig": Match.object_like({"LogFormat": "JSON"}),
                "Environment": {
                    "Variables": Match.object_like({"A": "b", "POWERTOOLS_SERVICE_NAME": "url_shortener"})
                },
                "ReservedConcurrentExecutions": Match.absent(),
            },
        )
        template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 30})
        [parameter] = [p for p in template.to_json()["Parameters"].values() if "powertools" in p["Default"]]
        assert parameter["Type"] == "AWS::SSM::Parameter::Value<String>"

    def test_with_everything_said(self, stack_of: Any, rate: Rate, load: Load) -> None:
        stack = stack_of("sandbox")
        _function(
            stack,
            rate,
            load,
            memory_mb=1024,
            timeout=Duration.seconds(5),
            reserved_concurrency=7,
            log_retention=logs.RetentionDays.ONE_DAY,
        )
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::Lambda::Function", {"MemorySize": 1024, "Timeout": 5, "ReservedConcurrentExecutions": 7}
        )
        template.has_resource(
            "AWS::Logs::LogGroup", {"Properties": {"RetentionInDays": 1}, "DeletionPolicy": "Delete"}
        )

    def test_its_asset_has_its_system_and_what_all_share_and_nothing_else(
        self, stack_of: Any, rate: Rate, load: Load
    ) -> None:
        from pathlib import Path

        from aws_cdk import App

        stack = stack_of()
        _function(stack, rate, load)
        app = stack.node.root
        assert isinstance(app, App)
        [asset] = Path(app.synth().directory).glob("asset.*")
        found = {str(file.relative_to(asset)) for file in asset.rglob("*") if file.is_file()}
        assert "lambdas/url_shortener/redirect.py" in found
        assert "lambdas/shared/settings.py" in found
        tops = {name.split("/")[1] for name in found}
        assert tops == {"__init__.py", "shared", "url_shortener"}
        assert not [name for name in found if "__pycache__" in name]


class TestTable:
    def test_by_default_production_protects_it(self, stack_of: Any, rate: Rate, one: Figure) -> None:
        stack = stack_of()
        _table(stack, rate, one)
        Template.from_stack(stack).has_resource(
            "AWS::DynamoDB::Table",
            {
                "DeletionPolicy": "Retain",
                "Properties": {
                    "BillingMode": "PAY_PER_REQUEST",
                    "DeletionProtectionEnabled": True,
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                    "SSESpecification": Match.absent(),
                    "TimeToLiveSpecification": Match.absent(),
                },
            },
        )

    def test_with_everything_said_in_a_sandbox(
        self, stack_of: Any, rate: Rate, one: Figure, load: Load
    ) -> None:
        stack = stack_of("sandbox")
        table = _table(stack, rate, one, sort_key="at", expires_with="gone_at")
        table.add_index("by_owner", partition_key="owner", sort_key="at", attributes=["title"])
        worker = _function(stack, rate, load)
        table.allow(worker, "GetItem")
        table.allow_on_index(worker, "by_owner", "Query")
        template = Template.from_stack(stack)
        template.has_resource(
            "AWS::DynamoDB::Table",
            {
                "DeletionPolicy": "Delete",
                "Properties": {
                    "DeletionProtectionEnabled": False,
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False},
                    "TimeToLiveSpecification": {"AttributeName": "gone_at", "Enabled": True},
                    "GlobalSecondaryIndexes": [
                        Match.object_like(
                            {
                                "IndexName": "by_owner",
                                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]},
                            }
                        )
                    ],
                },
            },
        )
        statements = _statements(template)
        assert {"dynamodb:GetItem", "dynamodb:Query"} <= {
            each["Action"] for each in statements if isinstance(each["Action"], str)
        }
        [query] = [each for each in statements if each["Action"] == "dynamodb:Query"]
        assert str(query["Resource"]).count("/index/by_owner") == 1

    def test_provisioned_it_follows_use_between_the_mean_and_the_busiest_second(
        self, stack_of: Any, rate: Rate, one: Figure
    ) -> None:
        stack = stack_of()
        table = _table(stack, rate, one, provisioned=True)
        template = Template.from_stack(stack)
        # Once a second on average, and ten times that at the peak, of which 70 % are used: 1 ÷ 0.7 and 10 ÷ 0.7
        template.has_resource_properties(
            "AWS::DynamoDB::Table",
            {"ProvisionedThroughput": {"ReadCapacityUnits": 2, "WriteCapacityUnits": 2}},
        )
        for kind in ("Read", "Write"):
            template.has_resource_properties(
                "AWS::ApplicationAutoScaling::ScalableTarget",
                {
                    "MinCapacity": 2,
                    "MaxCapacity": 15,
                    "ScalableDimension": f"dynamodb:table:{kind}CapacityUnits",
                },
            )
        template.all_resources_properties(
            "AWS::ApplicationAutoScaling::ScalingPolicy",
            {"TargetTrackingScalingPolicyConfiguration": Match.object_like({"TargetValue": 70})},
        )
        with pytest.raises(ValueError, match="capacity of its own"):
            table.add_index("by_owner", partition_key="owner", sort_key="at", attributes=["title"])

    def test_what_its_indexes_are_written_is_declared_beside_its_own(
        self, stack_of: Any, rate: Rate, one: Figure
    ) -> None:
        stack = stack_of()
        traffic = TableTraffic(rate, rate, one, one, index_writes=rate)
        table = Table(stack, "Things", partition_key="id", traffic=traffic)
        child = table.node.default_child
        assert isinstance(child, CfnResource)
        declared = child.get_metadata(KEY)
        month = float(rate.per_month)
        assert float(declared["write_units_per_month"]["value"]) == month
        assert float(declared["index_write_units_per_month"]["value"]) == month
        busiest = float(declared["peak_write_units_per_second"]["value"])
        assert busiest == 2 * float(rate.peak_per_second)


class TestWorkQueue:
    def test_by_default(self, stack_of: Any, rate: Rate, one: Figure, load: Load) -> None:
        stack = stack_of()
        queue = _queue(stack, rate, one)
        queue.feed(_function(stack, rate, load), batch_size=10, batching_window=Duration.seconds(1))
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::SQS::Queue",
            {
                "VisibilityTimeout": 120,
                "RedrivePolicy": Match.object_like({"maxReceiveCount": 5}),
                "MessageRetentionPeriod": 4 * 86_400,
                "SqsManagedSseEnabled": True,
            },
        )
        template.has_resource_properties(
            "AWS::SQS::Queue", {"RedrivePolicy": Match.absent(), "MessageRetentionPeriod": 14 * 86_400}
        )
        template.has_resource_properties(
            "AWS::Lambda::EventSourceMapping",
            {
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 4},  # two at the peak, twice over
            },
        )

    def test_with_everything_said(self, stack_of: Any, rate: Rate, one: Figure, load: Load) -> None:
        stack = stack_of("sandbox")
        queue = _queue(stack, rate / 1000, one, attempts=3, retention=Duration.days(1))
        worker = _function(stack, rate / 1000, load)
        queue.feed(worker, batch_size=100, batching_window=Duration.seconds(5), headroom=3)
        queue.allow_sending(_function(stack, rate, load, "Sender"))
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::SQS::Queue",
            {"RedrivePolicy": Match.object_like({"maxReceiveCount": 3}), "MessageRetentionPeriod": 86_400},
        )
        template.has_resource_properties(
            "AWS::Lambda::EventSourceMapping",
            {
                "BatchSize": 100,
                "MaximumBatchingWindowInSeconds": 5,
                "ScalingConfig": {"MaximumConcurrency": 2},
            },
        )
        assert "sqs:SendMessage" in [each["Action"] for each in _statements(template)]


class TestSignIn:
    def test_by_default(self, stack_of: Any, rate: Rate, one: Figure) -> None:
        stack = stack_of()
        SignIn(stack, "SignIn", monthly_active_users=one, sign_ins=rate)
        template = Template.from_stack(stack)
        template.has_resource(
            "AWS::Cognito::UserPool",
            {
                "DeletionPolicy": "Retain",
                "Properties": {"UserPoolTier": "LITE", "DeletionProtection": "ACTIVE"},
            },
        )
        template.has_resource_properties(
            "AWS::Cognito::UserPoolClient",
            {"PreventUserExistenceErrors": "ENABLED", "GenerateSecret": Match.absent()},
        )

    def test_a_sandbox_leaves_no_users_behind(self, stack_of: Any, rate: Rate, one: Figure) -> None:
        stack = stack_of("sandbox")
        SignIn(stack, "SignIn", monthly_active_users=one, sign_ins=rate)
        Template.from_stack(stack).has_resource("AWS::Cognito::UserPool", {"DeletionPolicy": "Delete"})


class TestJsonHttpApi:
    def test_by_default(self, stack_of: Any, rate: Rate, one: Figure, load: Load) -> None:
        stack = stack_of()
        api = JsonHttpApi(stack, "Api", requests=rate, log_bytes=one)
        api.route("/open", HttpMethod.GET, to=_function(stack, rate, load))
        template = Template.from_stack(stack)
        assert api.rate == 100  # twice the peak would be twenty: too few for anyone who tries it
        template.has_resource_properties(
            "AWS::ApiGatewayV2::Stage",
            {
                "StageName": "$default",
                "DefaultRouteSettings": {"ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 100},
                "AccessLogSettings": Match.object_like({"Format": Match.string_like_regexp("requestId")}),
            },
        )
        template.has_resource_properties("AWS::ApiGatewayV2::Route", {"AuthorizationType": "NONE"})

    def test_with_everything_said(self, stack_of: Any, rate: Rate, one: Figure, load: Load) -> None:
        stack = stack_of()
        sign_in = SignIn(stack, "SignIn", monthly_active_users=one, sign_ins=rate)
        api = JsonHttpApi(
            stack,
            "Api",
            requests=rate * 100,
            log_bytes=one,
            response_bytes=one,
            headroom=3,
            smallest_rate=1,
            log_retention=logs.RetentionDays.ONE_WEEK,
        )
        worker = _function(stack, rate, load)
        api.route("/mine", HttpMethod.GET, HttpMethod.POST, to=worker, sign_in=sign_in)
        api.route("/mine/{id}", HttpMethod.DELETE, to=worker, sign_in=sign_in)
        template = Template.from_stack(stack)
        assert api.rate == 3_000
        template.has_resource(
            "AWS::ApiGatewayV2::Api",
            {
                "Metadata": Match.object_like(
                    {"Workload": Match.object_like({"egress_gb_per_month": Match.any_value()})}
                )
            },
        )
        template.resource_count_is("AWS::ApiGatewayV2::Authorizer", 1)
        template.resource_count_is("AWS::ApiGatewayV2::Integration", 1)
        template.resource_properties_count_is("AWS::ApiGatewayV2::Route", {"AuthorizationType": "JWT"}, 3)
        template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 7})


class TestApiDistribution:
    def _edge(self, stack: BlueprintStack, rate: Rate, one: Figure, domain: Domain | None) -> ApiDistribution:
        return ApiDistribution(
            stack,
            "Edge",
            api=JsonHttpApi(stack, "Api", requests=rate, log_bytes=one),
            uncached="/api/*",
            longest=Duration.hours(1),
            traffic=EdgeTraffic(rate, one, rate, one),
            domain=domain,
        )

    def test_without_a_domain(self, stack_of: Any, rate: Rate, one: Figure) -> None:
        stack = stack_of("sandbox")
        self._edge(stack, rate, one, Domain.from_context(stack))
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::CloudFront::CachePolicy",
            {"CachePolicyConfig": Match.object_like({"MinTTL": 0, "DefaultTTL": 0, "MaxTTL": 3600})},
        )
        [distribution] = template.find_resources("AWS::CloudFront::Distribution").values()
        config = distribution["Properties"]["DistributionConfig"]
        assert {
            each["ErrorCode"]: each["ErrorCachingMinTTL"] for each in config["CustomErrorResponses"]
        } == dict.fromkeys((404, 405, 414, 500, 501, 502, 503, 504), 0)
        assert "Aliases" not in config
        assert config["CacheBehaviors"][0]["PathPattern"] == "/api/*"
        template.resource_count_is("AWS::CertificateManager::Certificate", 0)
        template.resource_count_is("AWS::Route53::RecordSet", 0)

    def test_with_a_domain(self, stack_of: Any, rate: Rate, one: Figure) -> None:
        stack = stack_of(domain="go.example.com", zone="example.com", zone_id="Z0")
        edge = self._edge(stack, rate, one, Domain.from_context(stack))
        assert edge.url == "https://go.example.com"
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::CertificateManager::Certificate", {"DomainName": "go.example.com"}
        )
        template.has_resource_properties(
            "AWS::Route53::RecordSet", {"Name": "go.example.com.", "HostedZoneId": "Z0"}
        )
        [distribution] = template.find_resources("AWS::CloudFront::Distribution").values()
        assert distribution["Properties"]["DistributionConfig"]["Aliases"] == ["go.example.com"]

    def test_a_domain_without_its_zone_says_what_is_missing(self, stack_of: Any) -> None:
        with pytest.raises(ValueError, match="-c zone_id="):
            Domain.from_context(stack_of(domain="go.example.com"))


class TestOperations:
    def test_every_alarm_is_on_one_plain_metric_and_tells_the_topic(
        self, stack_of: Any, rate: Rate, one: Figure, load: Load
    ) -> None:
        stack = stack_of()
        operations = Operations(stack, "Operations")
        worker = _function(stack, rate, load)
        operations.watch_function(worker, p99=Duration.millis(250))
        operations.watch_api(
            JsonHttpApi(stack, "Api", requests=rate, log_bytes=one), p99=Duration.millis(500)
        )
        operations.watch_queue(_queue(stack, rate, one), oldest=Duration.minutes(3))
        operations.watch_table(_table(stack, rate, one))
        template = Template.from_stack(stack)
        alarms = template.find_resources("AWS::CloudWatch::Alarm").values()
        assert len(alarms) == 3 + 2 + 2 + 2
        for alarm in alarms:
            properties = alarm["Properties"]
            assert "Metrics" not in properties
            assert properties["AlarmName"].startswith("some-system-production-")
            assert properties["AlarmActions"] == [{"Ref": _topic(template)}]
        slow = {
            each["Properties"]["Threshold"]
            for each in alarms
            if each["Properties"].get("ExtendedStatistic") == "p99"
        }
        assert slow == {250, 500}
        template.has_resource_properties(
            "AWS::CloudWatch::Alarm", {"MetricName": "ApproximateAgeOfOldestMessage", "Threshold": 180}
        )
        template.resource_count_is("AWS::CloudWatch::Dashboard", 1)
        template.has_resource_properties(
            "AWS::SNS::TopicPolicy",
            {
                "PolicyDocument": {
                    "Statement": Match.array_with(
                        [
                            Match.object_like(
                                {
                                    "Action": "sns:Publish",
                                    "Effect": "Allow",
                                    "Principal": {"Service": "cloudwatch.amazonaws.com"},
                                    "Condition": {
                                        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
                                    },
                                }
                            )
                        ]
                    ),
                    "Version": "2012-10-17",
                }
            },
        )

    def test_a_sandbox_has_alarms_and_pays_for_no_dashboard(
        self, stack_of: Any, rate: Rate, load: Load
    ) -> None:
        stack = stack_of("sandbox")
        Operations(stack, "Operations").watch_function(_function(stack, rate, load), p99=Duration.seconds(1))
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::CloudWatch::Dashboard", 0)
        template.resource_count_is("AWS::CloudWatch::Alarm", 3)


def _topic(template: Template) -> str:
    [topic] = template.find_resources("AWS::SNS::Topic")
    return topic


def _statements(template: Template) -> list[dict[str, Any]]:
    return [
        statement
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
