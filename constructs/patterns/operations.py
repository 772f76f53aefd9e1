"""Who is told when something is wrong, and where they look: alarms with an action, and one dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import cast

import cdk_monitoring_constructs as monitoring
import jsii
from aws_cdk import Aspects, Aws, Duration, IAspect, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct, IConstruct

from patterns.blueprint_stack import BlueprintStack
from patterns.cdn import Cdn
from patterns.dead_letters import DeadLetters
from patterns.deployment_step import DeploymentStep
from patterns.json_http_api import JsonHttpApi
from patterns.kafka_cluster import KafkaCluster
from patterns.network import ZONES
from patterns.network_balancer import NetworkBalancer
from patterns.postgres import Postgres
from patterns.python_function import PythonFunction
from patterns.traffic import declare
from patterns.web_socket_api import STAGE, WebSocketApi
from patterns.web_tier import WebTier
from patterns.work_queue import WorkQueue
from workbench.workload import NEVER, Figure

FAILED_ANSWERS_IN_A_PERIOD = 10
A_MINUTE = Duration.minutes(1)

_MetricStat = cloudwatch.CfnAlarm.MetricStatProperty


@jsii.implements(IAspect)
class _OneMetricAlarms:
    """Writes an alarm on one metric as CloudFormation's plain kind, not as metric mathematics over one term.

    The library labels its metrics, which makes CDK write the long form. The plain one means the same, reads
    better, and costs a tenth of a dollar without a second look. `FILL(metric, 0)` is what an alarm that
    takes missing data as not breaching does anyway.
    """

    def visit(self, node: IConstruct) -> None:
        if not isinstance(node, cloudwatch.CfnAlarm) or not isinstance(node.metrics, list):
            return
        queries = cast(list[cloudwatch.CfnAlarm.MetricDataQueryProperty], node.metrics)
        [measured] = [cast(_MetricStat, query.metric_stat) for query in queries if query.metric_stat]
        metric = cast(cloudwatch.CfnAlarm.MetricProperty, measured.metric)
        node.metrics = None
        node.namespace, node.metric_name, node.dimensions = (
            metric.namespace,
            metric.metric_name,
            metric.dimensions,
        )
        node.period, node.unit = measured.period, measured.unit
        if measured.stat.startswith("p"):
            node.extended_statistic = measured.stat
        else:
            node.statistic = measured.stat


class Operations(Construct):
    """Every alarm publishes to one topic (`alarms`); subscribe to be told. The dashboard is production's.

    Call a `watch_*` for each thing that can fail.
    """

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        stack = BlueprintStack.around(self)
        self.alarms = sns.Topic(self, "Alarms", enforce_ssl=True)
        # A policy of our own takes the place of SNS's, and with it the leave that alarms would have had.
        self.alarms.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.alarms.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        declare(self.alarms, publishes_per_month=NEVER.per_month)  # on a good month
        self._facade = monitoring.MonitoringFacade(
            self,
            "Monitoring",
            alarm_factory_defaults=monitoring.AlarmFactoryDefaults(
                actions_enabled=True,
                alarm_name_prefix=stack.stack_name,
                action=monitoring.SnsAlarmActionStrategy(on_alarm_topic=self.alarms),
                datapoints_to_alarm=2,
                evaluation_periods=3,
            ),
            metric_factory_defaults=monitoring.MetricFactoryDefaults(),
            dashboard_factory=monitoring.DefaultDashboardFactory(
                self,
                "Dashboards",
                dashboard_name_prefix=stack.stack_name,
                create_dashboard=stack.is_production,
                create_summary_dashboard=False,
                create_alarm_dashboard=False,
            ),
        )

        Aspects.of(self).add(_OneMetricAlarms())

    def watch_function(self, function: PythonFunction, *, p99: Duration) -> None:
        """Alarms on any error, on any throttle, and on the slowest hundredth being over `p99`.

        Where the function has a canary, two more guard it. Those above ask for ten minutes of a fault, and a canary
        takes five: these ask for two minutes of three, of the calls that it shifts.
        """
        self._watch(function, function.node.id, p99)
        if function.canary:
            alias = function.canary.alias
            function.canary.guard(
                self._minutely(function, "Errors", alias.metric_errors(period=A_MINUTE), 0),
                self._minutely(
                    function,
                    "Slow",
                    alias.metric_duration(period=A_MINUTE, statistic="p99"),
                    p99.to_milliseconds(),
                ),
            )

    def _minutely(
        self, function: PythonFunction, title: str, metric: cloudwatch.Metric, threshold: float
    ) -> cloudwatch.Alarm:
        """An alarm on `metric` being over `threshold` in two minutes of three."""
        path = function.node.path.partition("/")[2].replace("/", "-")  # two services may name one alike
        name = f"{path}-Canary-{title}"
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{Stack.of(self).stack_name}-{name}",
            metric=metric,
            threshold=threshold,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            datapoints_to_alarm=2,
            evaluation_periods=3,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.alarms))
        return alarm

    def _watch(self, function: PythonFunction, name: str, p99: Duration) -> None:
        self._facade.monitor_lambda_function(
            lambda_function=function.function,
            human_readable_name=name,
            alarm_friendly_name=name,
            add_fault_count_alarm={"Errors": monitoring.ErrorCountThreshold(max_error_count=0)},
            add_throttles_count_alarm={"Throttles": monitoring.ErrorCountThreshold(max_error_count=0)},
            add_latency_p99_alarm={"Slow": monitoring.LatencyThreshold(max_latency=p99)},
        )

    def watch_api(self, api: JsonHttpApi, *, p99: Duration) -> None:
        """Alarms on more than one answer in a hundred failing, and on the slowest hundredth being over `p99`."""
        self._facade.monitor_api_gateway_v2_http_api(
            api=api.api,
            api_stage="$default",
            human_readable_name="API",
            alarm_friendly_name="Api",
            add5xx_rate_alarm={"Failing": monitoring.ErrorRateThreshold(max_error_rate=0.01)},
            add_latency_p99_alarm={"Slow": monitoring.LatencyThreshold(max_latency=p99)},
        )

    def watch_sockets(self, sockets: WebSocketApi, *, p99: Duration) -> None:
        """Alarms on calls that fail, by functions or before they are called, and on the slowest hundredth.

        What the metrics count: "Monitor WebSocket API execution with CloudWatch metrics" (API Gateway Developer
        Guide). What clients do wrong is no alarm.
        """

        def metric(name: str, statistic: str) -> cloudwatch.Metric:
            of = {"ApiId": sockets.api.api_id, "Stage": STAGE}
            return cloudwatch.Metric(
                namespace="AWS/ApiGateway", metric_name=name, dimensions_map=of, statistic=statistic
            )

        self._watch_metrics(
            sockets.node.id,
            {
                "Failing": (metric("IntegrationError", "Sum"), FAILED_ANSWERS_IN_A_PERIOD),
                "NotCalled": (metric("ExecutionError", "Sum"), 0),
                "Slow": (metric("IntegrationLatency", "p99"), p99.to_milliseconds()),
            },
        )

    def watch_stream(self, consumer: PythonFunction, *, oldest: Duration) -> None:
        """Alarms on the last change that `consumer` was given from a stream being over `oldest`."""
        age = consumer.function.metric("IteratorAge", statistic="Maximum")
        self._watch_metrics(f"{consumer.node.id}Stream", {"Behind": (age, oldest.to_milliseconds())})

    def watch_queue(self, queue: WorkQueue, *, oldest: Duration) -> None:
        """Alarms on the oldest message being over `oldest`, and on anything among the dead letters."""
        self._facade.monitor_sqs_queue_with_dlq(
            queue=queue.queue,
            dead_letter_queue=queue.dead_letters,
            human_readable_name=queue.node.id,
            alarm_friendly_name=queue.node.id,
            add_queue_max_message_age_alarm={
                "Behind": monitoring.MaxMessageAgeThreshold(max_age_in_seconds=oldest.to_seconds())
            },
            add_dead_letter_queue_max_size_alarm={
                "Parked": monitoring.MaxMessageCountThreshold(max_message_count=0)
            },
        )

    def watch_dead_letters(self, parked: DeadLetters) -> None:
        """Alarms on anything being there."""
        self._facade.monitor_sqs_queue(
            queue=parked,
            human_readable_name=parked.node.id,
            alarm_friendly_name=parked.node.id,
            add_queue_max_size_alarm={"Parked": monitoring.MaxMessageCountThreshold(max_message_count=0)},
        )

    def watch_steps(self) -> None:
        """Alarms as of any function on each step there is by now: one that fails or is slow holds a deployment up."""
        for step in Stack.of(self).node.find_all():
            if isinstance(step, DeploymentStep):
                self._watch(step.worker, f"{step.node.id}Step", step.worker.timeout)

    def watch_web(self, web: WebTier) -> None:
        """Alarms on targets that are not healthy, and on answers that fail."""
        self._watch_metrics(
            web.node.id,
            {
                "Unhealthy": (web.targets.metrics.unhealthy_host_count(), 0),
                "Failing": (
                    web.targets.metrics.http_code_target(elbv2.HttpCodeTarget.TARGET_5XX_COUNT),
                    FAILED_ANSWERS_IN_A_PERIOD,
                ),
            },
        )

    def watch_balancer(self, balancer: NetworkBalancer) -> None:
        """Alarms on no target being healthy, or there being none: of that the load balancer has no metric."""
        healthy = balancer.targets.metrics.healthy_host_count(statistic="Minimum")
        self._watch_metrics(
            balancer.node.id,
            {"Down": (healthy, 1)},
            cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def watch_edge(self, edge: Cdn) -> None:
        """Alarms when Route 53 cannot reach the edge from outside; its metrics are in us-east-1, like the edge."""
        status = cloudwatch.Metric(
            namespace="AWS/Route53",
            metric_name="HealthCheckStatus",
            dimensions_map={"HealthCheckId": edge.health_check.attr_health_check_id},
            statistic="Minimum",
        )
        below = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        self._watch_metrics(edge.node.id, {"Down": (status, 1)}, below)

    def watch_database(self, database: Postgres) -> None:
        """Alarms on a busy processor, and on a disk that fills."""
        self._facade.monitor_rds_instance(
            instance=database.instance,
            human_readable_name=database.node.id,
            alarm_friendly_name=database.node.id,
            add_cpu_usage_alarm={"Busy": monitoring.UsageThreshold(max_usage_percent=80)},
        )

    def watch_kafka(self, kafka: KafkaCluster) -> None:
        """Alarms on a partition without its leader, and on a broker's disk being four fifths full."""
        self._watch_metrics(
            kafka.node.id,
            {
                "Offline": (kafka.metric("OfflinePartitionsCount"), 0),
                **{
                    f"Full{broker}": (kafka.metric("KafkaDataLogsDiskUsed", broker), 80)
                    for broker in range(1, ZONES + 1)
                },
            },
        )

    def watch_consumers(self, kafka: KafkaCluster, topic: str, *, group: str, most: Figure) -> None:
        """Alarms on `group` never having fewer than `most` records of `topic` still to read."""
        lag = kafka.lag(topic, group)
        self._watch_metrics(f"{group}-{topic}", {"Behind": (lag, ceil(most.value))})

    def _watch_metrics(
        self,
        name: str,
        watched: Mapping[str, tuple[cloudwatch.Metric, float]],
        beyond: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        *,
        missing: cloudwatch.TreatMissingData | None = None,
    ) -> None:
        """An alarm called `name`-key on each metric being beyond its threshold: by default, over it."""
        self._facade.monitor_custom(
            human_readable_name=name,
            alarm_friendly_name=name,
            metric_groups=[
                monitoring.CustomMetricGroup(
                    title=title,
                    metrics=[
                        monitoring.CustomMetricWithAlarm(
                            metric=metric,
                            alarm_friendly_name=f"{name}-{title}",
                            add_alarm={
                                title: monitoring.CustomThreshold(
                                    threshold=threshold,
                                    comparison_operator=beyond,
                                    treat_missing_data_override=missing,
                                )
                            },
                        )
                    ],
                )
                for title, (metric, threshold) in watched.items()
            ],
        )

    def watch_table(self, table: dynamodb.Table) -> None:
        """Alarms on throttled reads and writes."""
        self._facade.monitor_dynamo_table(
            table=table,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            human_readable_name=table.node.id,
            alarm_friendly_name=table.node.id,
            add_read_throttled_events_count_alarm={
                "ReadsThrottled": monitoring.ThrottledEventsThreshold(max_throttled_events_threshold=0)
            },
            add_write_throttled_events_count_alarm={
                "WritesThrottled": monitoring.ThrottledEventsThreshold(max_throttled_events_threshold=0)
            },
        )
