"""URL shortener: shorten, redirect, count clicks. Read it from top to bottom; the page beside it says why."""

from __future__ import annotations

from aws_cdk import App, CfnOutput, Duration
from aws_cdk.aws_apigatewayv2 import HttpMethod

from lambdas.url_shortener.settings import OWNER_INDEX, OWNER_INDEX_ATTRIBUTES, Settings
from patterns.api_distribution import ApiDistribution, Domain
from patterns.blueprint_stack import BlueprintStack
from patterns.json_http_api import JsonHttpApi
from patterns.operations import Operations
from patterns.python_function import PythonFunction
from patterns.sign_in import SignIn
from patterns.table import Table
from patterns.work_queue import WorkQueue
from workbench.blueprint import Stage
from workbench.workload import NEVER, Load, Rate


class UrlShortener(BlueprintStack):
    """The shortener in one region. Its outputs are all that a client needs."""

    def __init__(self, app: App, *, load: Load, stage: Stage) -> None:
        super().__init__(app, "url_shortener", load=load, stage=stage, description="URL shortener")
        of, domain = load.quantity, Domain.from_context(self)
        followed, made = load.rate("redirect"), load.rate("shorten")
        listed, looked, deleted = load.rate("list"), load.rate("stats"), load.rate("delete")
        managed = made + listed + looked + deleted
        counted = followed / of("clicks_per_batch")

        # Stores. A code's claim, and the key of the request that made it, are kept in one transaction.
        links = Table(
            self,
            "Links",
            partition_key="code",
            write_units=made * of("shorten_writes") + deleted * of("delete_writes"),
            read_units=followed * of("redirect_reads") + listed * of("list_reads"),
            stored_gb=load.stored_gb("shorten", "link_bytes", "links_kept_days"),
            hottest_key_share=of("hottest_link"),
        )
        links.add_index(
            OWNER_INDEX, partition_key="owner", sort_key="listed_at", attributes=OWNER_INDEX_ATTRIBUTES
        )
        keys = Table(
            self,
            "IdempotencyKeys",
            partition_key="key",
            time_to_live="expires_at",
            holds_truth=False,
            write_units=made * of("with_key") * of("key_writes"),
            read_units=made * of("with_key"),
            stored_gb=load.stored_gb("shorten", "key_bytes", "keys_kept_days"),
        )
        clicks = Table(
            self,
            "Clicks",
            partition_key="code",
            sort_key="day",
            write_units=followed * of("count_writes") / of("clicks_per_count"),
            read_units=looked * of("stats_reads"),
            stored_gb=load.stored_gb("shorten", "click_counters_bytes", "links_kept_days"),
        )
        markers = Table(
            self,
            "ClickMarkers",
            partition_key="click_id",
            time_to_live="expires_at",
            holds_truth=False,
            write_units=followed * of("marker_writes"),
            read_units=NEVER,
            stored_gb=load.stored_gb("redirect", "click_marker_bytes", "markers_kept_days"),
        )
        click_queue = WorkQueue(
            self,
            "ClickQueue",
            messages=followed,
            requests_per_message=of("queue_requests"),
            consumer_timeout=Duration.seconds(30),
        )

        # Workers. Redirecting knows nothing of counting but the queue.
        environment = Settings(
            links_table=links.table_name,
            idempotency_table=keys.table_name,
            clicks_table=clicks.table_name,
            click_markers_table=markers.table_name,
            click_queue_url=click_queue.queue.queue_url,
            custom_domain=domain.name if domain else "",
        ).as_environment()

        def function(name: str, module: str, *, calls: Rate, ms: str, timeout: int) -> PythonFunction:
            return PythonFunction(
                self,
                name,
                handler=f"lambdas.url_shortener.{module}.handler",
                environment=environment,
                timeout=Duration.seconds(timeout),
                calls=calls,
                duration_ms=of(ms),
                log_bytes=of("log_bytes"),
            )

        redirect = function("Redirect", "redirect", calls=followed, ms="redirect_ms", timeout=10)
        manage = function("Manage", "links", calls=managed, ms="manage_ms", timeout=28)
        count = function("Count", "clicks", calls=counted, ms="count_ms", timeout=30)
        click_queue.feed(count, batch_size=100, batching_window=Duration.seconds(1))

        # Entrances. Visitors come anonymously, owners with a token, all through the edge.
        sign_in = SignIn(
            self, "SignIn", monthly_active_users=load.people("owners"), sign_ins=load.rate("sign_in")
        )
        api = JsonHttpApi(self, "Api", requests=followed + managed, log_bytes=of("access_log_bytes"))
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
            requests=followed + managed,
            response_bytes=of("response_bytes"),
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

        # Outputs
        for name, value in {
            "Url": edge.url,
            "ApiUrl": f"https://{api.host}",
            "UserPoolId": sign_in.pool.user_pool_id,
            "ClientId": sign_in.client.user_pool_client_id,
            "ClickQueueUrl": click_queue.queue.queue_url,
            "DeadLettersUrl": click_queue.dead_letters.queue_url,
            "CountFunctionArn": count.function.function_arn,
        }.items():
            CfnOutput(self, name, value=value)
