"""URL shortener: shorten, redirect, count clicks. Read it from top to bottom; the page beside it says why."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Duration
from aws_cdk.aws_apigatewayv2 import HttpMethod

from lambdas.url_shortener.settings import OWNER_INDEX, OWNER_INDEX_ATTRIBUTES, Settings
from patterns.api_distribution import ApiDistribution
from patterns.blueprint_stack import BlueprintStack
from patterns.domain import Domain
from patterns.json_http_api import JsonHttpApi
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.sign_in import SignIn
from patterns.table import Table
from patterns.work_queue import WorkQueue
from stacks.url_shortener.traffic import Traffic
from stacks.url_shortener.workload import COUNTERS
from workbench.blueprint import Stage
from workbench.workload import Load

HANDLERS = "lambdas.url_shortener"


class UrlShortener(BlueprintStack):
    """The shortener in one region. Its outputs are all that a client needs."""

    def __init__(self, app: App, *, load: Load, stage: Stage) -> None:
        super().__init__(app, "url_shortener", load=load, stage=stage, description="URL shortener")
        of, traffic, domain = load.quantity, Traffic(load), Domain.from_context(self)

        # Stores. A code's claim and the key of the request that made it are written in one transaction, and so
        # are a click's marker and the counter: what must not happen twice leaves something that says it did.
        links = Table(self, "Links", partition_key="code", traffic=traffic.links)
        links.add_index(
            OWNER_INDEX, partition_key="owner", sort_key="listed_at", attributes=OWNER_INDEX_ATTRIBUTES
        )
        keys = Table(
            self, "IdempotencyKeys", partition_key="key", expires_with="expires_at", traffic=traffic.keys
        )
        provisioned = self.chosen(COUNTERS) == "provisioned"
        clicks = Table(
            self,
            "Clicks",
            partition_key="code",
            sort_key="day",
            provisioned=provisioned,
            traffic=traffic.clicks,
        )
        markers = Table(
            self,
            "ClickMarkers",
            partition_key="click_id",
            expires_with="expires_at",
            provisioned=provisioned,
            traffic=traffic.markers,
        )
        click_queue = WorkQueue(
            self,
            "ClickQueue",
            messages=traffic.followed,
            requests_per_message=of("queue_requests"),
            consumer_timeout=Duration.seconds(30),
        )

        # Workers. The redirect knows nothing of counting but the queue.
        environment = Settings(
            links_table=links.table_name,
            idempotency_table=keys.table_name,
            clicks_table=clicks.table_name,
            click_markers_table=markers.table_name,
            click_queue_url=click_queue.queue.queue_url,
            custom_domain=domain.name if domain else "",
        ).as_environment()
        redirect = PythonFunction(
            self,
            "Redirect",
            handler=f"{HANDLERS}.redirect.handler",
            environment=environment,
            traffic=traffic.redirect,
        )
        manage = PythonFunction(
            self,
            "Manage",
            handler=f"{HANDLERS}.links.handler",
            environment=environment,
            timeout=Duration.seconds(28),
            traffic=traffic.manage,
        )
        count = PythonFunction(
            self,
            "Count",
            handler=f"{HANDLERS}.clicks.handler",
            environment=environment,
            timeout=Duration.seconds(30),
            traffic=traffic.count,
        )
        click_queue.feed(count, batch_size=100, batching_window=Duration.seconds(1))

        # Entrances. Visitors come anonymously, owners with a token, all through the edge.
        sign_in = SignIn(self, "SignIn", monthly_active_users=traffic.owners, sign_ins=traffic.sign_ins)
        api = JsonHttpApi(self, "Api", requests=traffic.requests, log_bytes=of("access_log_bytes"))
        api.route("/{code}", HttpMethod.GET, HttpMethod.HEAD, to=redirect)
        api.route("/api/links", HttpMethod.GET, HttpMethod.POST, to=manage, sign_in=sign_in)
        api.route("/api/links/{code}", HttpMethod.DELETE, to=manage, sign_in=sign_in)
        api.route("/api/links/{code}/stats", HttpMethod.GET, to=manage, sign_in=sign_in)
        edge = ApiDistribution(
            self,
            "Edge",
            api=api,
            uncached="/api/*",
            longest=Duration.days(1),
            traffic=traffic.edge,
            domain=domain,
        )

        # Grants: what each handler calls, on what it calls it, and no more.
        links.allow(redirect, "GetItem")
        click_queue.allow_sending(redirect)
        links.allow(manage, "GetItem", "PutItem", "UpdateItem")
        links.allow_on_index(manage, OWNER_INDEX, "Query")
        keys.allow(manage, "GetItem", "PutItem")
        clicks.allow(manage, "Query")
        clicks.allow(count, "UpdateItem")
        markers.allow(count, "PutItem")

        # Alarms
        operations = Operations(self, "Operations")
        operations.watch_api(api, p99=Duration.millis(500))
        operations.watch_function(redirect, p99=Duration.millis(300))
        operations.watch_function(manage, p99=Duration.seconds(2))
        operations.watch_function(count, p99=Duration.seconds(20))
        operations.watch_queue(click_queue, oldest=Duration.minutes(10))
        operations.watch_table(links)

        # Outputs. The function by its ARN: the offline AWS takes a name that begins with "url" for a path.
        CfnOutput(self, "Url", value=edge.url)
        CfnOutput(self, "ApiUrl", value=f"https://{api.host}")
        CfnOutput(self, "UserPoolId", value=sign_in.pool.user_pool_id)
        CfnOutput(self, "ClientId", value=sign_in.client.user_pool_client_id)
        CfnOutput(self, "ClickQueueUrl", value=click_queue.queue.queue_url)
        CfnOutput(self, "DeadLettersUrl", value=click_queue.dead_letters.queue_url)
        CfnOutput(self, "CountFunctionArn", value=count.function.function_arn)
