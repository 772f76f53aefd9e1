"""Sockets, streams, keys and libraries: each construct without a word, and with everything said."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnResource, Duration, Validations
from aws_cdk.assertions import Template
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from patterns import python_libraries
from patterns.blueprint_stack import BlueprintStack
from patterns.bucket import Bucket
from patterns.dead_letters import DeadLetters
from patterns.deployment_step import DeploymentStep
from patterns.encryption_key import EncryptionKey
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.python_libraries import FOLDER, PythonLibraries
from patterns.table import Table
from patterns.traffic import KEY, BucketTraffic, FunctionTraffic, SocketTraffic, TableTraffic
from patterns.web_socket_api import WebSocketApi
from tests.policies import findings
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.errors import Misuse
from workbench.review import capacity, closure, cost
from workbench.workload import Load

MEBIBYTE = 1 << 20


class Ground:
    """A stack, and what stands in it, each made by one call."""

    def __init__(self, stack: BlueprintStack, load: Load) -> None:
        self.stack, self.load = stack, load
        self.rate, self.one = load.rate("ask"), load.quantity("one")

    def function(self, name: str = "Worker", **rest: Any) -> PythonFunction:
        of = self.load.quantity
        traffic = FunctionTraffic(self.rate, of("ms"), of("bytes"), of("one"))
        settings: dict[str, Any] = {"handler": "lambdas.url_shortener.redirect.handler", **rest}
        return PythonFunction(self.stack, name, environment={}, traffic=traffic, **settings)

    def sockets(self, **rest: Any) -> WebSocketApi:
        one, rate = self.one, self.rate
        traffic = SocketTraffic(
            connects=rate,
            received=rate * 2,
            answered=rate * 3,
            posted=rate * 4,
            connection_minutes=one * 600,
            peak_connections=one * 70,
            sent_bytes=one * 1000,
            largest_kb=one * 5,
        )
        made = WebSocketApi(
            self.stack, "Sockets", authorizer=self.function("Authorize"), traffic=traffic, **rest
        )
        made.connect(to=self.function("Presence"))
        return made

    def table(self, **rest: Any) -> Table:
        traffic = TableTraffic(self.rate, self.rate, self.one, self.one)
        return Table(self.stack, "Things", partition_key="id", traffic=traffic, **rest)

    def bucket(self, **rest: Any) -> Bucket:
        traffic = BucketTraffic(self.rate, self.rate, self.one, self.one)
        return Bucket(self.stack, "Files", traffic=traffic, **rest)

    def key(self, **rest: Any) -> EncryptionKey:
        return EncryptionKey(self.stack, "Key", description="Things and files", **rest)

    @property
    def template(self) -> Template:
        return Template.from_stack(self.stack)

    def properties(self, kind: str, name: str = "") -> dict[str, Any]:
        """Those of the one resource of a type whose logical id begins so."""
        found = self.template.find_resources(kind).items()
        [properties] = [
            each.get("Properties", {}) for logical_id, each in found if logical_id.startswith(name)
        ]
        return dict(properties)

    def statements(self, role: str) -> list[dict[str, Any]]:
        """What the role of a function may do, but for its log and traces."""
        document = self.properties("AWS::IAM::Policy", f"{role}RoleDefaultPolicy")["PolicyDocument"]
        return [
            each for each in document["Statement"] if "logs:" not in str(each) and "xray:" not in str(each)
        ]

    def granted(self, role: str) -> dict[str, Any]:
        """Action → resource."""
        document = self.properties("AWS::IAM::Policy", f"{role}RoleDefaultPolicy")["PolicyDocument"]
        return {
            action: each["Resource"]
            for each in document["Statement"]
            for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
            if not action.startswith(("logs:", "xray:"))
        }

    def assembly(self) -> Assembly:
        app = self.stack.node.root
        assert isinstance(app, App)
        return Assembly.load(Path(app.synth().directory))


@pytest.fixture
def ground(stack_of: Any, load: Load) -> Callable[..., Ground]:
    """`ground("sandbox")`: what to put constructs on; in production where nothing is said."""
    return lambda *stage: Ground(stack_of(*stage), load)


@pytest.fixture
def installed(tmp_path: Path) -> Callable[[str], Path]:
    """`installed(name)`: a layer's folder, as set-up leaves it on some machine."""

    def install(name: str) -> Path:
        folder = tmp_path / name
        of = folder / "python" / "pg8000-1.31.6.dist-info"
        for path, text in {
            folder / "python" / "pg8000" / "__init__.py": "import socket\n",
            of / "METADATA": "Name: pg8000\n",
            of / "RECORD": f"../../{name}/bin/tool,,\n",
            of / "INSTALLER": name,
            of / "REQUESTED": name,
            folder / "python" / "bin" / "tool": f"#!/{name}/python\n",
            folder / "python" / "pg8000" / "__pycache__" / f"{name}.pyc": name,
            folder / ".setup.sha256": name,
        }.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.utime(path, (len(name), len(name)))
        return folder

    return install


class TestPythonLibraries:
    def test_by_default_a_function_has_none(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.function()
        place.template.resource_count_is("AWS::Lambda::LayerVersion", 0)
        assert len(place.properties("AWS::Lambda::Function")["Layers"]) == 1  # Powertools

    def test_all_functions_of_a_stack_share_one_layer(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        place.function("One", libraries=True)
        place.function("Other", libraries=True)
        place.template.resource_count_is("AWS::Lambda::LayerVersion", 1)
        place.template.has_resource_properties(
            "AWS::Lambda::LayerVersion",
            {"CompatibleArchitectures": ["arm64"], "CompatibleRuntimes": ["python3.14"]},
        )
        for each in place.template.find_resources("AWS::Lambda::Function").values():
            powertools, ours = each["Properties"]["Layers"]
            assert "Parameter" in powertools["Ref"]
            assert ours["Ref"].startswith("PythonLibraries")

    def test_a_step_of_a_deployment_may_have_it_too(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        handler = "lambdas.shared.empty_bucket.handler"
        DeploymentStep(place.stack, "Step", handler=handler, properties={}, libraries=True)
        assert len(place.properties("AWS::Lambda::Function")["Layers"]) == 2

    def test_a_handler_may_stand_deeper(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        handler = "lambdas.messaging_platform.presence.socket.handler"
        place.function(handler=handler)
        properties = place.properties("AWS::Lambda::Function")
        assert properties["Handler"] == handler
        assert properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == "messaging_platform"

    def test_without_set_up_one_line_says_what_to_do(
        self, ground: Callable[..., Ground], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(python_libraries.PythonLibraries.__init__, "__kwdefaults__", {"folder": tmp_path})
        with pytest.raises(Misuse, match="run `make setup`"):
            ground().function(libraries=True)

    def test_its_content_is_the_same_on_every_machine(
        self, ground: Callable[..., Ground], installed: Callable[[str], Path]
    ) -> None:
        place = ground()
        for name in ("here", "elsewhere"):
            PythonLibraries(place.stack, name, folder=installed(name))
        changed = installed("changed")
        (changed / "python" / "pg8000" / "__init__.py").write_text("import ssl\n")
        PythonLibraries(place.stack, "changed", folder=changed)
        found = place.template.find_resources("AWS::Lambda::LayerVersion").values()
        here, elsewhere, other = (each["Properties"]["Content"]["S3Key"] for each in found)
        assert here == elsewhere
        assert other != here

    def test_it_has_what_functions_import_and_nothing_of_the_machine(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.function(libraries=True)
        folder = place.assembly().directory
        [layer] = [each.parent for each in folder.glob("asset.*/python")]
        files = {str(each.relative_to(layer)): each for each in layer.rglob("*") if each.is_file()}
        for module in (
            "python/aws_msk_iam_sasl_signer/__init__.py",
            "python/confluent_kafka/cimpl.cpython-314-aarch64-linux-gnu.so",
            "python/cryptography/hazmat/bindings/_rust.abi3.so",
            "python/pg8000/__init__.py",
            "python/valkey/__init__.py",
        ):
            assert module in files
        assert {name.split("/")[0] for name in files} == {"python"}
        ours = ("bin/", "RECORD", "INSTALLER", ".pyc", "boto3/", "botocore/", "urllib3/")
        assert [name for name in files if any(each in name for each in ours)] == []
        # Of the 250 MB that a function and its layers may have unzipped, Powertools takes some 30.
        assert sum(each.stat().st_size for each in files.values()) < 100 * MEBIBYTE

    def test_its_modules_are_compiled_for_the_processors_of_lambda(self) -> None:
        compiled = [each for each in FOLDER.rglob("*.so*") if each.is_file()]
        assert compiled
        for each in compiled:
            head = each.read_bytes()[:20]
            assert head[:4] == b"\x7fELF", each
            assert int.from_bytes(head[18:20], "little") == 0xB7, f"{each} is not for AArch64"


class TestWebSocketApi:
    def test_by_default_nobody_comes_in_without_a_ticket(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        sockets = place.sockets()
        api = place.properties("AWS::ApiGatewayV2::Api")
        assert api["ProtocolType"] == "WEBSOCKET"
        assert api["RouteSelectionExpression"] == "$request.body.action"
        authorizer = place.properties("AWS::ApiGatewayV2::Authorizer")
        assert authorizer["AuthorizerType"] == "REQUEST"
        assert authorizer["IdentitySource"] == ["route.request.querystring.ticket"]
        route = place.properties("AWS::ApiGatewayV2::Route")
        assert (route["RouteKey"], route["AuthorizationType"]) == ("$connect", "CUSTOM")
        stage = place.properties("AWS::ApiGatewayV2::Stage")
        assert stage["StageName"] == "live"
        assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 100}
        assert "AccessLogSettings" not in stage
        assert sockets.access_log is None
        assert place.stack.resolve(sockets.url)["Fn::Join"][1][0] == "wss://"
        assert place.stack.resolve(sockets.management_url)["Fn::Join"][1][0] == "https://"
        assert str(place.stack.resolve(sockets.management_url)).count("/live") == 1

    def test_with_everything_said(self, ground: Callable[..., Ground]) -> None:
        place = ground("sandbox")
        sockets = place.sockets(log_bytes=place.one, headroom=3, smallest_rate=10)
        messaging = place.function("Messaging")
        sockets.disconnect(to=messaging)
        sockets.action("send", to=messaging)
        sockets.default(to=messaging)
        routes = {
            each["Properties"]["RouteKey"]: each["Properties"]
            for each in place.template.find_resources("AWS::ApiGatewayV2::Route").values()
        }
        assert routes.keys() == {"$connect", "$disconnect", "send", "$default"}
        answering = {key for key, each in routes.items() if "RouteResponseSelectionExpression" in each}
        assert answering == {"send", "$default"}
        place.template.resource_count_is("AWS::ApiGatewayV2::RouteResponse", 2)
        place.template.resource_count_is("AWS::ApiGatewayV2::Integration", 2)  # one a function
        stage = place.properties("AWS::ApiGatewayV2::Stage")
        assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 90  # (20 + 10) a second, three times
        assert "queryString" not in stage["AccessLogSettings"]["Format"]
        assert "$context.requestId" in stage["AccessLogSettings"]["Format"]

    def test_api_gateway_may_call_each_function_for_its_routes_alone(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.sockets().action("send", to=place.function("Messaging"))
        sources = {
            str(each["Properties"]["FunctionName"]).split("Function")[0].split("'")[-1]: str(
                each["Properties"]["SourceArn"]["Fn::Join"][1][-2:]
            )
            for each in place.template.find_resources("AWS::Lambda::Permission").values()
        }
        assert sources.keys() == {"Authorize", "Presence", "Messaging"}
        assert "/authorizers/" in sources["Authorize"]
        assert "/*$connect" in sources["Presence"]
        assert "/*send" in sources["Messaging"]

    def test_a_socket_where_nobody_is_asked_at_connect_is_not_synthesized(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        rate, one = place.rate, place.one
        traffic = SocketTraffic(rate, rate, rate, rate, one, one, one, one)
        WebSocketApi(place.stack, "Sockets", authorizer=place.function(), traffic=traffic)
        with pytest.raises(RuntimeError, match="lets anybody in"):
            place.assembly()

    def test_who_manages_connections_may_do_what_is_named_on_those_of_this_stage(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.sockets().allow_managing(place.function("Messaging"), "POST", "DELETE")
        [statement] = place.statements("Messaging")
        assert statement["Action"] == "execute-api:ManageConnections"
        ends = {each["Fn::Join"][1][-1] for each in statement["Resource"]}
        assert ends == {"/live/POST/@connections/*", "/live/DELETE/@connections/*"}

    def test_its_traffic_is_declared_for_the_bill_and_the_limits(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        sockets = place.sockets(log_bytes=place.one)
        month = place.rate.per_month.value
        api, stage = _declared(sockets.api), _declared(sockets.stage)
        assert api == {
            "messages_per_month": 9 * month,
            "connection_minutes_per_month": 600,
            "peak_requests_per_second": 70,  # what clients ask, connections opened, and what programs send
            "peak_new_connections_per_second": 10,
            "peak_connections": 70,
            "largest_payload_kb": 5,
            "egress_gb_per_month": 7 * month * 1000 / 10**9,
        }
        assert stage == {"peak_requests_per_second": 30}
        assert sockets.access_log is not None
        assert _declared(sockets.access_log) == {"ingested_gb_per_month": 4 * month / 10**9}
        assembly = place.assembly()
        assert [line.resource for line in cost.price(assembly).lines if not line.declared] == []
        assert capacity.undeclared(assembly) == []
        [held] = [each for each in capacity.limits(assembly) if each.limit == "WebSocket connections at once"]
        assert held.load == 70

    def test_it_is_watched(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        operations = Operations(place.stack, "Operations")
        operations.watch_sockets(place.sockets(), p99=Duration.seconds(2))
        alarms = {
            each["Properties"]["MetricName"]: each["Properties"]
            for each in place.template.find_resources("AWS::CloudWatch::Alarm").values()
        }
        assert {name: alarm["Threshold"] for name, alarm in alarms.items()} == {
            "IntegrationError": 10,
            "ExecutionError": 0,
            "IntegrationLatency": 2000,
        }
        for alarm in alarms.values():
            assert {each["Name"] for each in alarm["Dimensions"]} == {"ApiId", "Stage"}
            assert alarm["AlarmActions"]


class TestStreams:
    def test_by_default_a_table_has_no_stream(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        table = place.table()
        assert "StreamSpecification" not in place.properties("AWS::DynamoDB::Table")
        with pytest.raises(ValueError, match="has no stream"):
            table.feed(place.function(), parked=DeadLetters(place.stack, "Parked"))

    def test_by_default_a_feed_loses_nothing_and_parks_what_expires(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        table = place.table(stream="new")
        feed = table.feed(place.function(), parked=DeadLetters(place.stack, "Parked"))
        images = place.properties("AWS::DynamoDB::Table")["StreamSpecification"]
        assert images == {"StreamViewType": "NEW_IMAGE"}
        mapping = place.properties("AWS::Lambda::EventSourceMapping")
        assert mapping["StartingPosition"] == "TRIM_HORIZON"
        assert mapping["BisectBatchOnFunctionError"] is True
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["BatchSize"] == 100
        assert mapping["ParallelizationFactor"] == 1
        assert mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0].startswith("Parked")
        assert not mapping.keys() & {
            "MaximumRetryAttempts",
            "MaximumRecordAgeInSeconds",
            "FilterCriteria",
            "MaximumBatchingWindowInSeconds",
        }
        assert _declared(feed.mapping) == {"peak_messages_per_second": 10}

    def test_with_everything_said(self, ground: Callable[..., Ground]) -> None:
        place = ground("sandbox")
        place.table(stream="both").feed(
            place.function(),
            parked=DeadLetters(place.stack, "Parked"),
            batch_size=10,
            window=Duration.seconds(2),
            parallel=3,
            retries=5,
            oldest=Duration.hours(1),
            filters=[{"eventName": ["INSERT"]}],
        )
        images = place.properties("AWS::DynamoDB::Table")["StreamSpecification"]
        assert images == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        mapping = place.properties("AWS::Lambda::EventSourceMapping")
        assert mapping["BatchSize"] == 10
        assert mapping["MaximumBatchingWindowInSeconds"] == 2
        assert mapping["ParallelizationFactor"] == 3
        assert mapping["MaximumRetryAttempts"] == 5
        assert mapping["MaximumRecordAgeInSeconds"] == 3600
        assert mapping["FilterCriteria"] == {"Filters": [{"Pattern": '{"eventName":["INSERT"]}'}]}

    def test_its_consumer_may_read_this_stream_and_park_and_no_more(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        place.table(stream="new").feed(place.function(), parked=DeadLetters(place.stack, "Parked"))
        granted = place.granted("Worker")
        stream = {
            granted.pop(f"dynamodb:{each}")["Fn::GetAtt"][1] for each in ("GetRecords", "DescribeStream")
        }
        assert stream == {granted.pop("dynamodb:GetShardIterator")["Fn::GetAtt"][1]} == {"StreamArn"}
        assert granted.pop("dynamodb:ListStreams") == "*"
        assert granted.keys() == {"sqs:SendMessage"}
        [mapping] = place.template.find_resources("AWS::Lambda::EventSourceMapping").values()
        assert [each for each in mapping["DependsOn"] if each.startswith("WorkerRoleDefaultPolicy")]
        assert [str(each) for each in closure.missing(place.assembly())] == []

    @pytest.mark.parametrize(("part", "found"), [("/stream/2026-11-20T17:22:58.472", 0), ("", 1)])
    def test_parliament_knows_a_stream_by_its_label(self, part: str, found: int) -> None:
        table = "arn:aws:dynamodb:us-east-1:123456789012:table/Things"
        statement = {"Effect": "Allow", "Action": "dynamodb:GetRecords", "Resource": table + part}
        assert len(findings(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))) == found

    def test_a_stream_that_falls_behind_is_told(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        operations = Operations(place.stack, "Operations")
        operations.watch_stream(place.function(), oldest=Duration.minutes(1))
        alarm = place.properties("AWS::CloudWatch::Alarm")
        assert (alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == (
            "IteratorAge",
            "Maximum",
            60_000,
        )
        assert alarm["ComparisonOperator"] == "GreaterThanThreshold"


class TestEncryptionKey:
    def test_by_default_it_is_renewed_each_year_and_outlives_production(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        key = place.key()
        place.template.has_resource(
            "AWS::KMS::Key",
            {
                "DeletionPolicy": "Retain",
                "Properties": {"EnableKeyRotation": True, "PendingWindowInDays": 30},
            },
        )
        place.template.resource_count_is("AWS::KMS::Alias", 0)
        assert _declared(key) == {"requests_per_month": 0}

    def test_a_sandbox_is_rid_of_it_in_a_week(self, ground: Callable[..., Ground]) -> None:
        place = ground("sandbox")
        key = place.key(requests=place.rate, busiest=place.one)
        place.template.has_resource(
            "AWS::KMS::Key", {"DeletionPolicy": "Delete", "Properties": {"PendingWindowInDays": 7}}
        )
        assert _declared(key) == {
            "requests_per_month": place.rate.per_month.value,
            "peak_requests_per_second": 1,
        }

    def test_who_uses_a_table_may_have_dynamodb_decrypt_its_key_and_no_more(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        table = place.table(key=place.key(), stream="new")
        table.allow(place.function("Writer"), "PutItem", "UpdateItem")
        table.allow_on_index(place.function("Reader"), "by_owner", "Query")
        table.feed(place.function("Relay"), parked=DeadLetters(place.stack, "Parked"))
        place.function("Stranger")
        sse = place.properties("AWS::DynamoDB::Table")["SSESpecification"]
        assert (sse["SSEEnabled"], sse["SSEType"]) == (True, "KMS")
        for role in ("Writer", "Reader", "Relay"):
            [statement] = [each for each in place.statements(role) if "kms:" in str(each["Action"])]
            assert statement["Action"] == "kms:Decrypt"
            assert statement["Resource"] == sse["KMSMasterKeyId"]
            assert statement["Condition"] == {"StringEquals": {"kms:ViaService": _via("dynamodb")}}
        assert place.statements("Stranger") == []
        assert _declared(table)["principals"] == 3
        assert [str(each) for each in closure.missing(place.assembly())] == []

    def test_who_uses_objects_may_have_s3_use_the_key_as_the_action_needs(
        self, ground: Callable[..., Ground]
    ) -> None:
        place = ground()
        bucket = place.bucket(key=place.key())
        bucket.allow(place.function("Reader"), "GetObject")
        bucket.allow(place.function("Writer"), "PutObject", prefix="in/")
        bucket.allow(place.function("Remover"), "DeleteObject")
        [rule] = place.properties("AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["BucketKeyEnabled"] is True
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
        asked = {}
        for role in ("Reader", "Writer", "Remover"):
            found = [each for each in place.statements(role) if "kms:" in str(each["Action"])]
            asked[role] = [each["Action"] for each in found]
            assert all(each["Condition"]["StringEquals"] == {"kms:ViaService": _via("s3")} for each in found)
        assert asked == {
            "Reader": ["kms:Decrypt"],
            "Writer": [["kms:Decrypt", "kms:GenerateDataKey"]],
            "Remover": [],
        }
        assert [str(each) for each in closure.missing(place.assembly())] == []

    def test_without_a_key_nothing_of_one_is_granted(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        worker = place.function()
        table = place.table()
        table.allow(worker, "GetItem")
        place.bucket().allow(worker, "GetObject")
        assert "kms:" not in str(place.statements("Worker"))
        assert "principals" not in _declared(table)
        assert "SSESpecification" not in place.properties("AWS::DynamoDB::Table")

    def test_what_services_ask_of_it_is_in_the_bill(self, ground: Callable[..., Ground]) -> None:
        place = ground()
        key = place.key()
        worker = place.function()
        place.table(key=key).allow(worker, "GetItem")
        place.bucket(key=key).allow(worker, "GetObject")
        bill = cost.price(place.assembly())
        asked = {line.resource for line in bill.lines if line.component == "KMS requests (encryption)"}
        assert asked == {"Things", "Files"}
        assert all(line.declared for line in bill.lines)


@pytest.mark.parametrize("logged", [True, False])
def test_they_are_clean_under_nag_and_acknowledge_nothing_idly(
    logged: bool, tmp_path: Path, load: Load
) -> None:
    app = catalogue.new_app(tmp_path / "assembly", validate=True)
    Validations.of(app).add_plugins(
        AwsSolutionsChecks(app, verbose=True), ServerlessChecks(app, verbose=True)
    )
    place = Ground(
        BlueprintStack(app, "some_system", load=load, stage="production", description="A system"), load
    )
    worker, key = place.function(libraries=True), place.key()
    sockets = place.sockets(log_bytes=place.one if logged else None)
    sockets.disconnect(to=worker)
    sockets.action("send", to=worker)
    sockets.default(to=worker)
    sockets.allow_managing(worker, "POST", "GET", "DELETE")
    table = place.table(key=key, stream="new")
    table.allow(worker, "PutItem")
    table.feed(worker, parked=DeadLetters(place.stack, "Parked"))
    place.bucket(key=key).allow(worker, "GetObject")
    folder = Path(app.synth().directory)
    reports = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
    assert len(reports) == 2
    assert [each["violations"] for each in reports] == [[], []]
    matched = {
        (violation["ruleName"], construct["constructPath"].removesuffix("/Resource"))
        for each in reports
        for violation in each["suppressedViolations"]
        for construct in violation["violatingConstructs"]
        if "Sockets" in construct["constructPath"]
    }
    routes = {
        ("AwsSolutions-APIG4", f"some-system-production/Sockets/Api/{key}-Route")
        for key in ("$disconnect", "send", "$default")
    }
    unlogged = {
        (rule, "some-system-production/Sockets/Stage")
        for rule in ("AwsSolutions-APIG1", "Serverless-APIGWAccessLogging")
    }
    assert matched == (routes if logged else routes | unlogged)
    shutil.rmtree(folder)


def _declared(construct: Any) -> dict[str, Any]:
    """Usage key → value, of what a construct declared."""
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)
    return {name: Decimal(each["value"]) for name, each in resource.get_metadata(KEY).items()}


def _via(service: str) -> dict[str, Any]:
    return {"Fn::Join": ["", [f"{service}.", {"Ref": "AWS::Region"}, ".amazonaws.com"]]}
