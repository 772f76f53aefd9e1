"""The chat that tells everybody everything: the design of aws-samples/websocket-chat-application, for comparison.

There a message is put into a table, the table of connections is scanned, and the message is posted to every
connection that the scan finds (infrastructure/lib/websocket-stack.ts, resources/utils/websocket-broadcaster.ts); a
status change goes the same way through a queue. Here its resources stand in stock constructs, and carry the workload
of messaging_platform, so that the same review prices both. Who is in a chat does not matter to it: whoever is
connected is told. It keeps nothing for devices that are away.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from patterns.traffic import declare
from stacks.messaging_platform.traffic import Traffic
from stacks.messaging_platform.workload import WORKLOAD
from workbench.assembly import Assembly
from workbench.workload import NEVER, SECONDS_PER_MONTH, Figure, Rate, gigabytes

CONNECTION_BYTES = 120  # the item: two ids, and DynamoDB's own 100 are in it
BYTES_PER_READ = 8_192  # an eventually consistent read unit is 4 KB twice
POST_MS = 1  # of a function's time for each post; a guess, in the design's favour
MESSAGE_MS = 20


def assembly(users: int, folder: Path) -> Assembly:
    """The design at the load of `users`, as an assembly in `folder`."""
    app = App(outdir=str(folder), analytics_reporting=False)
    _Chat(app, users)
    app.synth()
    return Assembly.load(folder)


class _Chat(Stack):
    """A WebSocket API, four functions and two tables."""

    def __init__(self, app: App, users: int) -> None:
        super().__init__(app, "reference-chat", analytics_reporting=False)
        load = WORKLOAD.at(users)
        of, traffic = load.quantity, Traffic(load)
        online = traffic.connection_minutes * 60 / SECONDS_PER_MONTH  # connections at once, in the mean
        told = traffic.events + traffic.transitions  # messages and status changes
        posts = told * online
        pages = online * CONNECTION_BYTES / BYTES_PER_READ

        connections = self._table("Connections", "connectionId")
        messages = self._table("Messages", "channelId", "sentAt")
        self._declare_table(
            connections,
            traffic.connects * 2,
            told * pages,
            gigabytes(online, _bytes(CONNECTION_BYTES)),
            of("one"),
        )
        self._declare_table(messages, traffic.events, NEVER, traffic.messages.stored_gb, of("hottest_chat"))

        api = apigw.WebSocketApi(self, "Api")
        stage = apigw.WebSocketStage(self, "Stage", web_socket_api=api, stage_name="wss", auto_deploy=True)
        sent = traffic.events + posts
        declare(
            api,
            messages_per_month=sent.per_month,
            connection_minutes_per_month=traffic.connection_minutes,
            peak_requests_per_second=traffic.events.peak_per_second,
            peak_new_connections_per_second=traffic.connects.peak_per_second,
            mean_connection_seconds=traffic.connection_minutes * 60 / traffic.connects.per_month,
            egress_gb_per_month=gigabytes(sent.per_month, of("frame_bytes")),
        )
        declare(stage.node.default_child, peak_requests_per_second=traffic.events.peak_per_second)  # type: ignore[arg-type]
        broadcast_ms = online * POST_MS + MESSAGE_MS
        for route, calls, milliseconds in (
            ("$connect", traffic.connects, of("connect_ms")),
            ("$disconnect", traffic.connects, of("connect_ms")),
            ("$default", traffic.events, broadcast_ms),
        ):
            function = self._function(route.strip("$").title(), calls, milliseconds, of("log_bytes"))
            integration = integrations.WebSocketLambdaIntegration(route.strip("$"), function)
            api.add_route(route, integration=integration)
        self._function("Status", traffic.transitions, broadcast_ms, of("log_bytes"))

    def _table(self, id: str, key: str, sort: str | None = None) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            id,
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=sort, type=dynamodb.AttributeType.STRING) if sort else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        )

    def _declare_table(
        self, table: dynamodb.Table, writes: Rate, reads: Rate, stored_gb: Figure, hottest: Figure
    ) -> None:
        declare(
            table,
            write_units_per_month=writes.per_month,
            read_units_per_month=reads.per_month,
            peak_write_units_per_second=writes.peak_per_second,
            peak_read_units_per_second=reads.peak_per_second,
            stored_gb=stored_gb,
            hottest_key_share=hottest,
        )

    def _function(self, id: str, calls: Rate, milliseconds: Figure, log_bytes: Figure) -> lambda_.Function:
        log = logs.LogGroup(self, f"{id}Log", retention=logs.RetentionDays.ONE_MONTH)
        declare(log, ingested_gb_per_month=gigabytes(calls.per_month, log_bytes))
        function = lambda_.Function(
            self,
            id,
            runtime=lambda_.Runtime.NODEJS_22_X,
            handler="index.handler",
            code=lambda_.Code.from_inline("exports.handler = async () => ({ statusCode: 200 })"),
            log_group=log,
        )
        declare(
            function,
            invocations_per_month=calls.per_month,
            peak_invocations_per_second=calls.peak_per_second,
            duration_ms=milliseconds,
        )
        return function


def _bytes(count: int) -> Figure:
    return Figure(NEVER.per_month.value + count, f"{count} bytes/connection")
