"""The chat that tells everybody everything: the design of aws-samples/websocket-chat-application, for comparison.

There `$connect` and `$disconnect` write and delete an item of a table of connections, and put a status change into a
queue (resources/handlers/websocket/{onconnect,ondisconnect}.ts); a message comes by `$default` to a function that may
write a table of messages, and is broadcast: the table of connections is scanned, and the message is posted to each
that the scan finds. A function behind the queue broadcasts status changes in the same way
(infrastructure/lib/{websocket,database}-stack.ts, resources/utils/websocket-broadcaster.ts). Here its resources stand
in stock constructs, set as there, and carry the workload of messaging_platform, so that the same review prices both.

Who is in a chat does not matter to it: whoever is connected is told. It keeps nothing for devices that are away. The
scan asks for one page, which is 1 MB; a message to more connections than that holds does not reach the others. It is
priced as if it did. Left out, in its favour: its REST API, web page and history; heartbeats; typing.
"""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App, Stack
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs

from patterns.traffic import declare
from stacks.messaging_platform.traffic import Traffic
from stacks.messaging_platform.workload import WORKLOAD
from workbench.assembly import Assembly
from workbench.workload import NEVER, SECONDS_PER_MONTH, Figure, Quantity, Rate, Workload, gigabytes

# What the design brings with it, beside the workload of messaging_platform.
OWN = {
    "connection_bytes": Quantity("70", "bytes/connection", "connectionId and userId, with their names"),
    "index_bytes": Quantity("170", "bytes/connection", "and the 100 that DynamoDB stores beside each item"),
    "scanned_bytes": Quantity("8192", "bytes/RRU", "an eventually consistent read unit is 4 KB twice"),
    "post_ms": Quantity("1", "ms/post", "fifty at once on a fourteenth of a vCPU: a guess, in its favour"),
    "calls_per_status": Quantity("2.1", "requests/status", "sent, deleted, and received by ten"),
}
PAGE_BYTES = 2**20  # "Scan", DynamoDB API Reference
LOADED = Workload(actions=WORKLOAD.actions, quantities={**WORKLOAD.quantities, **OWN})


def assembly(users: int, folder: Path) -> Assembly:
    """The design at the load of `users`, as an assembly in `folder`."""
    app = App(outdir=str(folder), analytics_reporting=False)
    _Chat(app, users)
    app.synth()
    return Assembly.load(folder)


def connected(users: int) -> Figure:
    """Connections at once, in the mean."""
    return Traffic(LOADED.at(users)).connection_minutes * 60 / SECONDS_PER_MONTH


class _Chat(Stack):
    """A WebSocket API, five functions, a queue and two tables."""

    def __init__(self, app: App, users: int) -> None:
        super().__init__(app, "reference-chat", analytics_reporting=False)
        load = LOADED.at(users)
        self._of, self._traffic, self._online = load.quantity, Traffic(load), connected(users)
        self._told = self._traffic.events + self._traffic.transitions  # messages and status changes
        self._tables()
        self._status_queue()
        self._api(self._posts())
        broadcast_ms = self._online * self._of("post_ms") + self._of("act_ms")
        self._function("Status", self._traffic.transitions, broadcast_ms)

    def _posts(self) -> Rate:
        return self._told * self._online

    def _tables(self) -> None:
        of, traffic = self._of, self._traffic
        pages = self._online * of("connection_bytes") / of("scanned_bytes")
        self._table(
            "Connections",
            "connectionId",
            writes=traffic.connects * 2,
            reads=self._told * pages + traffic.connects / 2,  # who leaves is looked up
            stored_gb=gigabytes(self._online, of("index_bytes")),
            hottest=of("hottest_user"),
        )
        self._table(
            "Messages",
            "channelId",
            "sentAt",
            writes=traffic.events,
            reads=NEVER,
            stored_gb=traffic.messages.stored_gb,
            hottest=of("hottest_chat"),
        )

    def _status_queue(self) -> None:
        changes = self._traffic.transitions
        queue = sqs.Queue(self, "StatusQueue", encryption=sqs.QueueEncryption.KMS_MANAGED)
        declare(
            queue,
            requests_per_month=changes.per_month * self._of("calls_per_status"),
            peak_messages_per_second=changes.peak_per_second,
        )

    def _api(self, posts: Rate) -> None:
        of, traffic = self._of, self._traffic
        api = apigw.WebSocketApi(self, "Api")
        stage = apigw.WebSocketStage(self, "Stage", web_socket_api=api, stage_name="wss", auto_deploy=True)
        asked = traffic.events + traffic.connects
        declare(
            api,
            messages_per_month=(traffic.events + posts).per_month,
            connection_minutes_per_month=traffic.connection_minutes,
            peak_requests_per_second=(asked + posts).peak_per_second,
            peak_new_connections_per_second=traffic.connects.peak_per_second,
            peak_connections=traffic.connected_at_peak,
            egress_gb_per_month=gigabytes(posts.per_month, of("frame_bytes")),
        )
        assert stage.node.default_child is not None
        declare(stage.node.default_child, peak_requests_per_second=asked.peak_per_second)
        broadcast_ms = self._online * of("post_ms") + of("act_ms")
        self._function("Authorizer", traffic.connects, of("authorize_ms"))
        for route, calls, milliseconds in (
            ("$connect", traffic.connects, of("connect_ms")),
            ("$disconnect", traffic.connects, of("connect_ms")),
            ("$default", traffic.events, broadcast_ms),
        ):
            name = route.strip("$")
            function = self._function(name.title(), calls, milliseconds)
            api.add_route(route, integration=integrations.WebSocketLambdaIntegration(name, function))

    def _table(
        self,
        id: str,
        key: str,
        sort: str | None = None,
        *,
        writes: Rate,
        reads: Rate,
        stored_gb: Figure,
        hottest: Figure,
    ) -> None:
        table = dynamodb.Table(
            self,
            id,
            partition_key=dynamodb.Attribute(name=key, type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name=sort, type=dynamodb.AttributeType.STRING) if sort else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        )
        declare(
            table,
            write_units_per_month=writes.per_month,
            read_units_per_month=reads.per_month,
            peak_write_units_per_second=writes.peak_per_second,
            peak_read_units_per_second=reads.peak_per_second,
            stored_gb=stored_gb,
            hottest_key_share=hottest,
        )

    def _function(self, id: str, calls: Rate, milliseconds: Figure) -> lambda_.Function:
        """As there: the least memory, which is the default, and traced. On the Node.js that is supported today."""
        log = logs.LogGroup(self, f"{id}Log", retention=logs.RetentionDays.ONE_MONTH)
        declare(log, ingested_gb_per_month=gigabytes(calls.per_month, self._of("log_bytes")))
        function = lambda_.Function(
            self,
            id,
            runtime=lambda_.Runtime.NODEJS_22_X,
            handler="index.handler",
            code=lambda_.Code.from_inline("exports.handler = async () => ({ statusCode: 200 })"),
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log,
        )
        declare(
            function,
            invocations_per_month=calls.per_month,
            peak_invocations_per_second=calls.peak_per_second,
            duration_ms=milliseconds,
        )
        return function
