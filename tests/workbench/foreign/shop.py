"""A CDK app as one meets it elsewhere: stock constructs with their defaults, two stages, a nested stack, no workload.

Its shapes are those of the examples that people start from: a Fargate service behind a load balancer, a function on
a schedule, a REST and an HTTP API before a table, a static site, a queue with its worker, a database, a workflow.

It is synthesized without network and Docker: code is inline, images are only named, and nothing is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aws_cdk import App, Stack, Stage
    from aws_cdk.aws_ec2 import Vpc
    from aws_cdk.aws_lambda import Function
    from constructs import Construct

STAGES = {"Beta": 1, "Prod": 2}
"""Each stage, and how many tasks its web service runs."""

_HANDLER = "def handler(event, context):\n    return {'statusCode': 200, 'body': ''}\n"


def place(app: App) -> None:
    """Add the stages to `app`."""
    from aws_cdk import Stage

    for name, tasks in STAGES.items():
        _shop(Stage(app, name), tasks)


def _shop(stage: Stage, tasks: int) -> None:
    from aws_cdk import Stack

    network = Stack(stage, "Network")
    vpc = _vpc(network)
    web = Stack(stage, "Web")
    _web(web, vpc, tasks)
    _database(web, vpc)
    _orders(Stack(stage, "Orders"))
    _site(Stack(stage, "Site"))


def _vpc(stack: Stack) -> Vpc:
    """Two zones, each with its NAT gateway, as `Vpc` makes them unless told otherwise."""
    from aws_cdk import aws_ec2 as ec2

    return ec2.Vpc(stack, "Vpc", max_azs=2)


def _web(stack: Stack, vpc: Vpc, tasks: int) -> None:
    from aws_cdk import Duration
    from aws_cdk import aws_ecs as ecs
    from aws_cdk import aws_ecs_patterns as patterns

    cluster = ecs.Cluster(stack, "Cluster", vpc=vpc)
    image = ecs.ContainerImage.from_registry("amazon/amazon-ecs-sample")
    service = patterns.ApplicationLoadBalancedFargateService(
        stack,
        "Service",
        cluster=cluster,
        cpu=512,
        memory_limit_mib=1024,
        desired_count=tasks,
        min_healthy_percent=100,
        public_load_balancer=True,
        task_image_options=patterns.ApplicationLoadBalancedTaskImageOptions(image=image),
    )
    scaling = service.service.auto_scale_task_count(min_capacity=tasks, max_capacity=6)
    scaling.scale_on_cpu_utilization(
        "Cpu",
        target_utilization_percent=50,
        scale_in_cooldown=Duration.seconds(60),
        scale_out_cooldown=Duration.seconds(60),
    )


def _database(stack: Stack, vpc: Vpc) -> None:
    """A nested stack, whose network is another stack's."""
    from aws_cdk import NestedStack, RemovalPolicy
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_rds as rds

    nested = NestedStack(stack, "Data")
    rds.DatabaseInstance(
        nested,
        "Database",
        engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_16),
        instance_type=ec2.InstanceType.of(ec2.InstanceClass.BURSTABLE4_GRAVITON, ec2.InstanceSize.MICRO),
        vpc=vpc,
        removal_policy=RemovalPolicy.DESTROY,
    )


def _orders(stack: Stack) -> None:
    from aws_cdk import Duration
    from aws_cdk import aws_apigateway as rest
    from aws_cdk import aws_apigatewayv2 as http
    from aws_cdk import aws_apigatewayv2_integrations as integrations
    from aws_cdk import aws_cognito as cognito
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_events as events
    from aws_cdk import aws_events_targets as targets
    from aws_cdk import aws_sqs as sqs
    from aws_cdk import aws_stepfunctions as workflow
    from aws_cdk import aws_stepfunctions_tasks as tasks

    table = dynamodb.Table(
        stack,
        "Orders",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
    )
    queue = sqs.Queue(stack, "Parcels", visibility_timeout=Duration.seconds(300))
    api = _function(stack, "Api", TABLE=table.table_name, QUEUE=queue.queue_url)
    table.grant_read_write_data(api)
    queue.grant_send_messages(api)
    rest.LambdaRestApi(
        stack,
        "Rest",
        handler=api,
        default_cors_preflight_options=rest.CorsOptions(allow_origins=rest.Cors.ALL_ORIGINS),
    )
    public = http.HttpApi(stack, "Http")
    public.add_routes(
        path="/orders",
        methods=[http.HttpMethod.GET],
        integration=integrations.HttpLambdaIntegration("Get", api),
    )
    cognito.UserPool(stack, "Customers").add_client("Web")
    _worker(stack, queue, table)
    report = _function(stack, "Report", TABLE=table.table_name)
    table.grant_read_data(report)
    events.Rule(
        stack,
        "EveryEvening",
        schedule=events.Schedule.cron(minute="0", hour="18"),
        targets=[targets.LambdaFunction(report)],
    )
    steps = tasks.LambdaInvoke(stack, "Check", lambda_function=api).next(
        workflow.Wait(stack, "ADay", time=workflow.WaitTime.duration(Duration.days(1)))
    )
    workflow.StateMachine(stack, "Returns", definition_body=workflow.DefinitionBody.from_chainable(steps))


def _worker(stack: Stack, queue: Any, table: Any) -> None:
    """A nested stack, whose worker reads the queue of its parent, and whose topic the parent's output names."""
    from aws_cdk import CfnOutput, NestedStack
    from aws_cdk import aws_lambda_event_sources as sources
    from aws_cdk import aws_sns as sns

    nested = NestedStack(stack, "Parcelling")
    topic = sns.Topic(nested, "Sent")
    worker = _function(nested, "Worker", TABLE=table.table_name, TOPIC=topic.topic_arn)
    worker.add_event_source(sources.SqsEventSource(queue, batch_size=10))
    table.grant_write_data(worker)
    topic.grant_publish(worker)
    CfnOutput(stack, "SentTopic", value=topic.topic_arn)


def _function(scope: Construct, name: str, **environment: str) -> Function:
    from aws_cdk import aws_lambda as functions

    return functions.Function(
        scope,
        name,
        runtime=functions.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=functions.Code.from_inline(_HANDLER),
        environment=environment,
    )


def _site(stack: Stack) -> None:
    from aws_cdk import CfnOutput, RemovalPolicy
    from aws_cdk import aws_cloudfront as cloudfront
    from aws_cdk import aws_cloudfront_origins as origins
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_s3_deployment as deployment

    bucket = s3.Bucket(
        stack,
        "Pages",
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        removal_policy=RemovalPolicy.DESTROY,
        auto_delete_objects=True,
    )
    distribution = cloudfront.Distribution(
        stack,
        "Distribution",
        default_root_object="index.html",
        default_behavior=cloudfront.BehaviorOptions(
            origin=origins.S3BucketOrigin.with_origin_access_control(bucket),
            viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        ),
    )
    deployment.BucketDeployment(
        stack,
        "Upload",
        sources=[deployment.Source.data("index.html", "<!doctype html><title>Shop</title>")],
        destination_bucket=bucket,
        distribution=distribution,
    )
    CfnOutput(stack, "Address", value=distribution.distribution_domain_name)
