"""What `cdk destroy` leaves, and what keeps it from finishing: small templates, with dollars worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack, template, written
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.blueprint import Blueprint
from workbench.cli import run
from workbench.errors import MalformedAssembly
from workbench.review.leftovers import Leftover, Leftovers, leftovers
from workbench.workload import Workload

pytestmark = pytest.mark.fast

Template = dict[str, Any]
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
}


def kept(made: Template, policy: str = "Retain") -> Template:
    return {**made, "DeletionPolicy": policy}


def deleted(made: Template) -> Template:
    return kept(made, "Delete")


def found(resources: Mapping[str, Any], traffic: str = "1") -> Leftovers:
    return leftovers(assembly(resources), traffic=Decimal(traffic))


def only(resources: Mapping[str, Any]) -> Leftover:
    """The one thing that stays, where nothing blocks."""
    all_of_them = found(resources)
    assert all_of_them.blocks == ()
    [one] = all_of_them.stays
    return one


def block(resources: Mapping[str, Any]) -> Leftover:
    """The one thing that blocks."""
    [one] = found(resources).blocks
    assert one.blocks
    return one


def table(**properties: Any) -> Template:
    usage: dict[str, Any] = {"stored_gb": 10, "write_units_per_month": 10**9, "read_units_per_month": 10**9}
    return resource("AWS::DynamoDB::Table", {**TABLE, **properties}, **usage)


def database(properties: Mapping[str, Any] | None = None, **usage: Any) -> Template:
    made = {
        "Engine": "postgres",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": "100",
        "StorageType": "gp3",
        **(properties or {}),
    }
    return resource("AWS::RDS::DBInstance", made, **usage)


# What a deletion policy keeps


@pytest.mark.parametrize("policy", ["Retain", "RetainExceptOnCreate"])
def test_what_is_kept_pays_for_its_data_and_for_no_request(policy: str) -> None:
    left = only({"Links": kept(table(), policy)})
    assert (left.resource, left.type, left.what) == ("Links", "AWS::DynamoDB::Table", "")
    assert left.why == f"DeletionPolicy is {policy}"
    assert left.remove == "aws dynamodb delete-table --table-name NAME"
    assert {line.component: line.monthly_usd for line in left.lines} == {
        "Stored data": Decimal("2.5"),  # 10 GB × $0.25
        "Point-in-time recovery": Decimal(2),  # 10 GB × $0.20
    }
    assert left.monthly_usd == Decimal("4.5")


def test_what_is_kept_pays_for_existing() -> None:
    key = only({"Key": kept(resource("AWS::KMS::Key", requests_per_month=10**9))})
    assert key.monthly_usd == Decimal(1)
    broker_storage = {"ClientSubnets": ["a", "b", "c"], "InstanceType": "kafka.t3.small"}
    broker_storage["StorageInfo"] = {"EBSStorageInfo": {"VolumeSize": 10}}  # type: ignore[assignment]
    made = {"NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": broker_storage}
    cluster = only({"Kafka": kept(resource("AWS::MSK::Cluster", made, produced_gb_per_month=10**6))})
    # 3 × 730 h × $0.0456, and 3 × 10 GB × $0.10
    assert cluster.monthly_usd == Decimal("99.864") + Decimal(3)


def test_a_kept_log_group_pays_for_what_is_in_it_and_for_nothing_written() -> None:
    left = only({"Logs": kept(resource("AWS::Logs::LogGroup", ingested_gb_per_month=100))})
    # 100 GB × 12 months × 15 % (compressed) × $0.03
    assert [(line.component, line.monthly_usd) for line in left.lines] == [("Logs kept", Decimal("5.4"))]
    assert left.why == "DeletionPolicy is Retain; what is in it never expires"
    bounded = {"RetentionInDays": 30}
    left = only({"Logs": kept(resource("AWS::Logs::LogGroup", bounded, ingested_gb_per_month=100))})
    assert left.why.endswith("what is in it expires after 30 days, the empty group does not")


def test_what_a_fleet_adds_under_load_is_gone() -> None:
    data = {
        "InstanceType": "t4g.small",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 10, "VolumeType": "gp3"}}],
    }
    group = {"MinSize": "1", "MaxSize": "9", "LaunchTemplate": {"LaunchTemplateId": {"Ref": "Template"}}}
    resources = {
        "Template": resource("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": data}),
        "Fleet": kept(resource("AWS::AutoScaling::AutoScalingGroup", group, average_instances=5)),
    }
    # One instance: 730 h × $0.0168, and 10 GB × $0.08
    assert only(resources).monthly_usd == Decimal("12.264") + Decimal("0.8")


def test_a_serverless_cache_still_holds_its_data() -> None:
    cache = {"Engine": "valkey", "ServerlessCacheName": "cache"}
    made = resource("AWS::ElastiCache::ServerlessCache", cache, stored_gb=10, ecpus_per_month=10**9)
    # 10 GB × 730 h × $0.084
    assert only({"Cache": kept(made)}).monthly_usd == Decimal("613.2")


def test_tiers_go_by_the_sum_of_what_stays() -> None:
    bucket = kept(resource("AWS::S3::Bucket", stored_gb=50_000, egress_gb_per_month=0))
    both = found({"A": bucket, "B": bucket})
    # 51,200 GB × $0.023 + 48,800 GB × $0.022, and half of it each
    assert both.monthly_usd == Decimal("2251.2")
    assert [each.monthly_usd for each in both.stays] == [Decimal("1125.6")] * 2


def test_data_grows_with_traffic_and_is_never_zero_of_itself() -> None:
    resources = {"Links": kept(table())}
    assert found(resources, "3").monthly_usd == Decimal("13.5")
    assert found(resources, "0").monthly_usd == 0


def test_what_is_free_is_listed_without_a_line() -> None:
    # The CDK's RestApi keeps both of these.
    resources = {
        "Account": kept(resource("AWS::ApiGateway::Account")),
        "Role": kept(resource("AWS::IAM::Role")),
    }
    left = found(resources)
    assert [(each.resource, each.lines, each.is_known) for each in left.stays] == [
        ("Account", (), True),
        ("Role", (), True),
    ]
    assert not left.nothing
    assert (
        left.stays[1].remove == "aws cloudcontrol delete-resource --type-name AWS::IAM::Role --identifier ID"
    )


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (resource("AWS::Nobody::Knows"), "the review doesn't know AWS::Nobody::Knows"),
        (
            resource("AWS::CertificateManager::Certificate", {"CertificateExport": "ENABLED"}),
            "free unless CertificateExport is set",
        ),
        (resource("AWS::CloudWatch::AnomalyDetector"), "metrics it learns from"),
        (resource("AWS::MSK::Cluster", {"StorageMode": "TIERED"}), "can't price that"),
    ],
)
def test_what_cannot_be_priced_is_listed_with_the_reason(made: Template, word: str) -> None:
    left = only({"Thing": kept(made)})
    assert word in left.not_priced
    assert not left.is_known
    assert left.monthly_usd == 0


def test_an_undeclared_size_is_no_zero() -> None:
    left = only({"Bucket": kept(resource("AWS::S3::Bucket"))})
    assert not left.is_known
    assert [(line.component, line.declared) for line in left.lines] == [("Stored data (Standard)", False)]


def test_of_what_is_a_part_of_something_deleted_nothing_stays() -> None:
    function = resource("AWS::Lambda::Function", {"LoggingConfig": {"LogGroup": {"Ref": "Logs"}}})
    resources = {
        "Function": function,
        "Logs": resource("AWS::Logs::LogGroup"),
        "Version": kept(resource("AWS::Lambda::Version", {"FunctionName": {"Ref": "Function"}})),
        "Notes": kept(resource("AWS::CDK::Metadata")),
    }
    assert found(resources).nothing
    assert [each.resource for each in found({**resources, "Function": kept(function)}).stays] == [
        "Function",
        "Version",
    ]


def test_a_custom_resource_that_is_kept_undoes_nothing() -> None:
    assert "what it made stays" in only({"Step": kept(resource("Custom::Step"))}).why


def test_all_of_a_nested_stack_that_is_kept_stays() -> None:
    outer = stack({"Inner": kept(resource("AWS::CloudFormation::Stack"))})
    held = stack({"Links": deleted(table())}, name="Inner")
    inner = replace(held, parent=outer, nested_as="Inner", inside="Inner")
    outer.nested["Inner"] = inner
    left = leftovers(Assembly(Path(), (outer,)))
    assert [(each.resource, each.monthly_usd) for each in left.stays] == [
        ("Inner", Decimal(0)),
        ("Inner/Links", Decimal("4.5")),
    ]
    assert left.stays[1].stack == "Demo"
    assert left.stays[1].why == "it is in a nested stack that is kept: Inner"


def test_conditions_decide_where_they_are_known() -> None:
    bucket = resource("AWS::S3::Bucket", stored_gb=1)
    policy = {"Fn::If": ["Keeps", "Retain", "Delete"]}
    conditions = {"Keeps": {"Fn::Equals": [{"Ref": "Stage"}, "production"]}}
    parameters = {"Stage": {"Type": "String", "Default": "production"}}
    known = stack({"B": kept(bucket, policy)}, Conditions=conditions, Parameters=parameters)  # type: ignore[arg-type]
    [left] = leftovers(Assembly(Path(), (known,))).stays
    assert left.monthly_usd == Decimal("0.023")
    asked = stack({"B": kept(bucket, {"Fn::ImportValue": "x"})})  # type: ignore[arg-type]
    [left] = leftovers(Assembly(Path(), (asked,))).stays
    assert left.why == "whether it stays is known only at deployment"


@pytest.mark.parametrize("policy", ["Keep", "Snapshot"])
def test_a_policy_that_cloudformation_refuses_is_an_error(policy: str) -> None:
    with pytest.raises(MalformedAssembly, match=f"Demo/Jobs: AWS::SQS::Queue can't have .* {policy}"):
        found({"Jobs": kept(resource("AWS::SQS::Queue"), policy)})


# Snapshots and backups


@pytest.mark.parametrize(
    ("made", "paid"),
    [
        (database(stored_gb=20), "1.9"),  # 20 GB × $0.095
        (resource("AWS::RDS::DBCluster", {"Engine": "aurora-postgresql"}, stored_gb=100), "2.1"),  # × $0.021
        (resource("AWS::RDS::DBCluster", {"Engine": "postgres"}, stored_gb=100), "9.5"),  # × $0.095
    ],
)
def test_a_database_without_a_policy_leaves_a_snapshot(made: Template, paid: str) -> None:
    left = only({"Db": made})
    assert (left.what, left.monthly_usd) == ("final snapshot", Decimal(paid))
    assert left.why == "no DeletionPolicy is written, and CloudFormation's own for it is Snapshot"
    assert found({"Db": deleted(made)}).nothing


@pytest.mark.parametrize(
    "properties", [{"DBClusterIdentifier": "cluster"}, {"SourceDBInstanceIdentifier": "source"}]
)
@pytest.mark.parametrize("policy", [None, "Snapshot"])
def test_members_and_replicas_leave_none(properties: dict[str, Any], policy: str | None) -> None:
    made = database(properties, stored_gb=20)
    assert found({"Db": made if policy is None else kept(made, policy)}).nothing


@pytest.mark.parametrize(
    ("made", "paid", "command"),
    [
        (resource("AWS::EC2::Volume", {"Size": 100}), "5", "aws ec2 delete-snapshot"),  # 100 GB × $0.05
        (
            resource("AWS::ElastiCache::ReplicationGroup", stored_gb=8),
            "0.68",  # 8 GB × $0.085
            "aws elasticache delete-snapshot",
        ),
    ],
)
def test_a_snapshot_is_made_where_it_is_asked_for(made: Template, paid: str, command: str) -> None:
    left = only({"Thing": kept(made, "Snapshot")})
    assert (left.what, left.why, left.monthly_usd) == (
        "final snapshot",
        "DeletionPolicy is Snapshot",
        Decimal(paid),
    )
    assert left.remove.startswith(command)
    assert found({"Thing": made}).nothing


def test_a_snapshot_without_a_price_is_not_priced() -> None:
    left = only({"Warehouse": kept(resource("AWS::Redshift::Cluster"), "Snapshot")})
    assert left.not_priced == "no price of a snapshot of AWS::Redshift::Cluster is in the price book"


def test_a_snapshot_of_undeclared_data_is_no_zero() -> None:
    assert not only({"Db": database()}).is_known


def test_automated_backups_stay_where_they_are_not_deleted() -> None:
    properties = {"DeleteAutomatedBackups": False, "BackupRetentionPeriod": 14}
    left = only({"Db": deleted(database(properties, stored_gb=20, backup_gb=5))})
    assert (left.what, left.ends_after_days) == ("automated backups", 14)
    assert left.monthly_usd == Decimal("2.375")  # 25 GB × $0.095
    assert not left.fades
    assert found({"Db": deleted(database({**properties, "BackupRetentionPeriod": 0}, stored_gb=20))}).nothing
    snapshot, backups = found({"Db": kept(database(properties, stored_gb=20), "Snapshot")}).stays
    assert (snapshot.monthly_usd, backups.monthly_usd) == (Decimal("1.9"), Decimal("1.9"))


@pytest.mark.parametrize(
    ("made", "what", "days"),
    [
        (table(), "system backup", 35),
        (resource("AWS::KMS::Key"), "key pending deletion", 30),
        (resource("AWS::KMS::Key", {"PendingWindowInDays": 7}), "key pending deletion", 7),
    ],
)
def test_what_ends_by_itself_and_is_free_is_as_nothing(made: Template, what: str, days: int) -> None:
    left = found({"Thing": deleted(made)})
    [one] = left.stays
    assert (one.what, one.ends_after_days, one.fades) == (what, days, True)
    assert one.monthly_usd == 0
    assert left.nothing
    plain = deleted(table(PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}))
    assert found({"Thing": plain}).stays == ()


def test_a_replica_of_a_global_table_has_a_system_backup_too() -> None:
    replicas = [
        {"Region": "us-east-1", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True}}
    ]
    made = resource("AWS::DynamoDB::GlobalTable", {"Replicas": replicas})
    assert only({"Table": deleted(made)}).what == "system backup"


@pytest.mark.parametrize("holder", ["AWS::EC2::Instance", "AWS::EC2::LaunchTemplate"])
def test_volumes_stay_where_they_are_not_deleted_on_termination(holder: str) -> None:
    disk = {"VolumeSize": 50, "VolumeType": "gp3", "DeleteOnTermination": False}
    settings = {"BlockDeviceMappings": [{"DeviceName": "/dev/sdf", "Ebs": disk}]}
    properties = settings if holder == "AWS::EC2::Instance" else {"LaunchTemplateData": settings}
    left = only({"Machine": resource(holder, properties)})
    assert (left.what, left.monthly_usd) == ("volume /dev/sdf", Decimal(4))  # 50 GB × $0.08
    disk["DeleteOnTermination"] = True
    assert found({"Machine": resource(holder, properties)}).nothing


def test_backups_of_other_services_stay() -> None:
    files = resource("AWS::EFS::FileSystem", {"BackupPolicy": {"Status": "ENABLED"}}, stored_gb=10)
    left = only({"Files": files})
    assert (left.what, left.ends_after_days, left.monthly_usd) == ("automatic backups", 35, Decimal("0.5"))
    named = {"ServerlessCacheName": "c", "Engine": "valkey", "FinalSnapshotName": "last"}
    cache = only({"Cache": resource("AWS::ElastiCache::ServerlessCache", named, stored_gb=8)})
    assert (cache.what, cache.monthly_usd) == ("final snapshot", Decimal("0.68"))
    assert cache.remove.endswith("--serverless-cache-snapshot-name last")


def test_recovery_points_in_a_vault_of_the_account_stay() -> None:
    rules = [
        {"RuleName": "nightly", "TargetBackupVault": "Default", "Lifecycle": {"DeleteAfterDays": 35}},
        {"RuleName": "yearly", "TargetBackupVault": {"Ref": "Vault"}},
    ]
    plan = resource("AWS::Backup::BackupPlan", {"BackupPlan": {"BackupPlanRule": rules}})
    vault = kept(resource("AWS::Backup::BackupVault", stored_gb=0))
    left, _vault = found({"Plan": plan, "Vault": vault}).stays
    assert (left.what, left.ends_after_days) == ("recovery points in Default", 35)
    assert left.not_priced


# Log groups that no template shows


def function(name: str | None = None, **properties: Any) -> Template:
    named = {} if name is None else {"FunctionName": name}
    return resource("AWS::Lambda::Function", {**named, **properties})


@pytest.mark.parametrize(
    ("made", "groups"),
    [
        (function("work"), ["/aws/lambda/work"]),
        (function(), ["/aws/lambda/<Thing>"]),
        (function("work", LoggingConfig={"LogGroup": "mine"}), ["mine"]),
        (
            resource(
                "AWS::ApiGateway::Stage",
                {"RestApiId": "abc", "StageName": "prod", "MethodSettings": [{"LoggingLevel": "INFO"}]},
            ),
            ["API-Gateway-Execution-Logs_abc/prod"],
        ),
        (resource("AWS::ApiGateway::Stage", {"MethodSettings": [{"LoggingLevel": "OFF"}]}), []),
        (
            resource(
                "AWS::ApiGatewayV2::Stage",
                {"ApiId": "abc", "StageName": "live", "DefaultRouteSettings": {"LoggingLevel": "ERROR"}},
            ),
            ["/aws/apigateway/abc/live"],
        ),
        (
            deleted(
                database(
                    {"DBInstanceIdentifier": "db", "EnableCloudwatchLogsExports": ["postgresql", "upgrade"]}
                )
            ),
            ["/aws/rds/instance/db/postgresql", "/aws/rds/instance/db/upgrade"],
        ),
        (resource("AWS::RDS::DBProxy", {"DBProxyName": "proxy"}), ["/aws/rds/proxy/proxy"]),
        (
            resource(
                "AWS::EKS::Cluster",
                {"Name": "eks", "Logging": {"ClusterLogging": {"EnabledTypes": [{"Type": "api"}]}}},
            ),
            ["/aws/eks/eks/cluster"],
        ),
        (resource("AWS::EKS::Cluster", {"Name": "eks"}), []),
        (
            resource(
                "AWS::ECS::Cluster",
                {
                    "ClusterName": "ecs",
                    "ClusterSettings": [{"Name": "containerInsights", "Value": "enhanced"}],
                },
            ),
            ["/aws/ecs/containerinsights/ecs/performance"],
        ),
        (
            resource(
                "AWS::ECS::Cluster",
                {"ClusterSettings": [{"Name": "containerInsights", "Value": "disabled"}]},
            ),
            [],
        ),
        (
            resource(
                "AWS::ECS::TaskDefinition",
                {
                    "ContainerDefinitions": [
                        {
                            "Name": "web",
                            "LogConfiguration": {
                                "Options": {"awslogs-group": "/web", "awslogs-create-group": "true"}
                            },
                        },
                        {"Name": "side", "LogConfiguration": {"Options": {"awslogs-group": "/side"}}},
                    ]
                },
            ),
            ["/web"],
        ),
        (resource("AWS::CodeBuild::Project", {"Name": "build"}), ["/aws/codebuild/build"]),
        (
            resource("AWS::CodeBuild::Project", {"LogsConfig": {"CloudWatchLogs": {"Status": "DISABLED"}}}),
            [],
        ),
        (
            resource("AWS::AmazonMQ::Broker", {"Logs": {"General": True}}),
            ["/aws/amazonmq/broker/<Thing>/general"],
        ),
        (
            resource("AWS::AppSync::GraphQLApi", {"LogConfig": {"FieldLogLevel": "ALL"}}),
            ["/aws/appsync/apis/<Thing>"],
        ),
        (resource("AWS::EC2::FlowLog", {"LogGroupName": "flows"}), ["flows"]),
    ],
)
def test_services_make_log_groups_that_stay(made: Template, groups: list[str]) -> None:
    left = found({"Thing": made})
    assert [each.what for each in left.stays] == [f"log group {group}" for group in groups]
    assert [each.remove for each in left.stays] == [
        f"aws logs delete-log-group --log-group-name {group}" for group in groups
    ]
    assert not any(each.is_known for each in left.stays)


@pytest.mark.parametrize(
    ("logging", "name"),
    [
        ({"LoggingConfig": {"LogGroup": {"Ref": "Logs"}}}, None),
        ({"LoggingConfig": {"LogGroup": "mine"}}, "mine"),
        ({}, {"Fn::Sub": "/aws/lambda/${Work}"}),
        ({}, {"Fn::Join": ["", ["/aws/lambda/", {"Ref": "Work"}]]}),
        ({"FunctionName": "work"}, "/aws/lambda/work"),
        ({"FunctionName": "work"}, {"Fn::Sub": "/aws/lambda/${Work}"}),
    ],
)
def test_a_log_group_of_the_template_is_that_of_the_function(logging: dict[str, Any], name: Any) -> None:
    work = resource("AWS::Lambda::Function", logging)
    logs = resource(
        "AWS::Logs::LogGroup", {} if name is None else {"LogGroupName": name}, ingested_gb_per_month=100
    )
    assert found({"Work": work, "Logs": logs}).nothing
    [left] = found({"Work": work, "Logs": kept(logs)}).stays
    assert (left.resource, left.monthly_usd) == ("Logs", Decimal("5.4"))


def test_a_reference_to_the_name_is_followed() -> None:
    proxy = resource("AWS::RDS::DBProxy", {"DBProxyName": {"Ref": "Db"}})
    resources = {"Db": deleted(database(stored_gb=1)), "Proxy": proxy}
    [left] = found(resources).stays
    assert left.what == "log group /aws/rds/proxy/<Db>"
    named = {"LogGroupName": {"Fn::Sub": "/aws/rds/proxy/${Db}"}}
    assert found({**resources, "Logs": resource("AWS::Logs::LogGroup", named)}).nothing
    assert not found(
        {**resources, "Logs": resource("AWS::Logs::LogGroup", {"LogGroupName": "/aws/rds/proxy"})}
    ).nothing


def test_the_cdks_log_retention_ends_what_is_in_it_or_deletes_the_group() -> None:
    def with_retention(**more: Any) -> Leftovers:
        settings = {"LogGroupName": {"Fn::Join": ["", ["/aws/lambda/", {"Ref": "Work"}]]}, **more}
        return found({"Work": function(), "Retention": resource("Custom::LogRetention", settings)})

    [left] = with_retention(RetentionInDays=7).stays
    assert left.why.endswith("what is in it expires after 7 days, the group does not")
    assert with_retention(RemovalPolicy="destroy").nothing


def test_the_function_of_a_custom_resource_makes_one_at_the_deployment() -> None:
    step = resource("Custom::Step", {"ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]}})
    left = only({"Provider": function(), "Step": step})
    assert left.why == (
        "Lambda makes it at the first invocation, which is the deployment's own; nothing in it expires"
    )


EDGE = {
    "Rewrite": function("rewrite", LoggingConfig={"LogGroup": {"Ref": "Logs"}}),
    "Logs": resource("AWS::Logs::LogGroup"),
    "Version": resource("AWS::Lambda::Version", {"FunctionName": {"Ref": "Rewrite"}}),
    "Edge": resource(
        "AWS::CloudFront::Distribution",
        {
            "DistributionConfig": {
                "DefaultCacheBehavior": {
                    "LambdaFunctionAssociations": [{"LambdaFunctionARN": {"Ref": "Version"}}]
                }
            }
        },
    ),
}


def test_a_function_at_the_edge_logs_everywhere_and_is_deleted_late() -> None:
    left = found(EDGE)
    assert [each.what for each in left.stays] == ["log group /aws/lambda/us-east-1.rewrite"]
    assert [(each.resource, each.remove) for each in left.blocks] == [
        ("Rewrite", "delete the stack again some hours later")
    ]


# What blocks


BUCKET = resource("AWS::S3::Bucket", stored_gb=1_000, egress_gb_per_month=0)


def test_a_bucket_that_nothing_empties_blocks_and_pays_till_somebody_does() -> None:
    left = found({"Objects": BUCKET})
    [one] = left.blocks
    assert one.why == "it is deleted without objects only, and nothing in the template empties it"
    assert (left.monthly_usd, left.blocked_usd) == (Decimal(0), Decimal(23))  # 1,000 GB × $0.023
    assert not left.nothing
    assert found({"Objects": kept(BUCKET)}).blocks == ()


def emptying(kind: str, action: str, target: Any) -> dict[str, Template]:
    """A custom resource that names the bucket, and whose function may do `action` on `target`."""
    statement = {"Effect": "Allow", "Action": action, "Resource": target}
    policy = {"PolicyDocument": {"Statement": [statement]}, "Roles": [{"Ref": "Role"}]}
    settings = {"ServiceToken": {"Fn::GetAtt": ["Worker", "Arn"]}, "Bucket": {"Ref": "Objects"}}
    logs = {"LogGroup": {"Ref": "Logs"}}
    return {
        "Objects": BUCKET,
        "Step": resource(kind, settings),
        "Worker": function(Role={"Fn::GetAtt": ["Role", "Arn"]}, LoggingConfig=logs),
        "Role": resource("AWS::IAM::Role"),
        "Policy": resource("AWS::IAM::Policy", policy),
        "Logs": resource("AWS::Logs::LogGroup"),
    }


OBJECTS = {"Fn::Join": ["", [{"Fn::GetAtt": ["Objects", "Arn"]}, "/*"]]}


@pytest.mark.parametrize(
    ("kind", "action", "target", "is_emptied"),
    [
        ("Custom::S3AutoDeleteObjects", "s3:GetObject", OBJECTS, True),
        ("Custom::Step", "s3:DeleteObject", OBJECTS, True),
        ("Custom::Step", "s3:Delete*", OBJECTS, True),
        ("AWS::CloudFormation::CustomResource", "s3:DeleteObject", OBJECTS, True),
        ("Custom::Step", "s3:GetObject", OBJECTS, False),
        ("Custom::Step", "s3:DeleteObject", "arn:aws:s3:::another/*", False),
    ],
)
def test_a_step_of_the_deployment_may_empty_it(kind: str, action: str, target: Any, is_emptied: bool) -> None:
    assert found(emptying(kind, action, target)).nothing is is_emptied


def test_a_step_that_empties_another_bucket_does_not() -> None:
    resources = emptying("Custom::S3AutoDeleteObjects", "s3:DeleteObject", OBJECTS)
    assert block({**resources, "Other": BUCKET}).resource == "Other"


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (resource("AWS::ECR::Repository", stored_gb=1), "without images only"),
        (resource("AWS::Backup::BackupVault", stored_gb=1), "without recovery points only"),
        (
            resource(
                "AWS::S3::Bucket",
                {
                    "ObjectLockConfiguration": {
                        "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
                    }
                },
            ),
            "Object Lock",
        ),
    ],
)
def test_other_things_are_deleted_empty_only(made: Template, word: str) -> None:
    assert word in block({"Thing": made}).why


def test_a_repository_that_is_emptied_does_not_block() -> None:
    repository = resource("AWS::ECR::Repository", {"EmptyOnDelete": True}, stored_gb=1)
    assert found({"Images": repository}).nothing
    step = resource("Custom::ECRAutoDeleteImages", {"RepositoryName": {"Ref": "Images"}})
    assert found({"Images": resource("AWS::ECR::Repository"), "Step": step}).nothing


@pytest.mark.parametrize(
    ("made", "command"),
    [
        (
            resource(
                "AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST", "DeletionProtectionEnabled": True}
            ),
            "aws dynamodb update-table",
        ),
        (
            resource("AWS::DynamoDB::GlobalTable", {"Replicas": [{"DeletionProtectionEnabled": True}]}),
            "aws dynamodb update-table",
        ),
        (
            resource("AWS::Cognito::UserPool", {"DeletionProtection": "ACTIVE"}),
            "aws cognito-idp update-user-pool",
        ),
        (resource("AWS::EKS::Cluster", {"DeletionProtection": True}), "aws eks update-cluster-config"),
        (
            resource("AWS::EC2::Instance", {"DisableApiTermination": "true"}),
            "aws ec2 modify-instance-attribute",
        ),
        (
            resource(
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                {"LoadBalancerAttributes": [{"Key": "deletion_protection.enabled", "Value": "true"}]},
            ),
            "aws elbv2 modify-load-balancer-attributes",
        ),
        (
            resource("AWS::Logs::LogGroup", {"DeletionProtectionEnabled": True}),
            "aws logs put-log-group-deletion-protection",
        ),
        (
            resource("AWS::Neptune::GlobalCluster", {"DeletionProtection": True}),
            "aws neptune modify-global-cluster",
        ),
        (
            resource("AWS::DocDB::GlobalCluster", {"DeletionProtection": True}),
            "aws docdb modify-global-cluster",
        ),
        (deleted(database({"DeletionProtection": True})), "aws rds modify-db-instance"),
        (
            deleted(
                resource("AWS::RDS::DBCluster", {"DeletionProtection": True, "Engine": "aurora-postgresql"})
            ),
            "aws rds modify-db-cluster",
        ),
    ],
)
def test_deletion_protection_blocks(made: Template, command: str) -> None:
    one = block({"Thing": made})
    assert one.remove.startswith(command)
    off = json.loads(json.dumps(made).replace("true", "false").replace("ACTIVE", "INACTIVE"))
    assert found({"Thing": off}).blocks == ()


@pytest.mark.parametrize(
    ("type_", "on", "off"),
    [
        ("AWS::AutoScaling::AutoScalingGroup", "prevent-all-deletion", "none"),
        ("AWS::OpenSearchServerless::Collection", "ENABLED", "DISABLED"),
    ],
)
def test_deletion_protection_in_other_words_blocks(type_: str, on: str, off: str) -> None:
    said = {"MinSize": "1", "MaxSize": "1", "Type": "SEARCH"}
    assert (
        block({"It": resource(type_, {**said, "DeletionProtection": on})}).why
        == f"DeletionProtection is {on}"
    )
    assert found({"It": resource(type_, {**said, "DeletionProtection": off})}).blocks == ()


def test_a_protected_database_pays_till_somebody_ends_that() -> None:
    one = block({"Db": deleted(database({"DeletionProtection": True}, stored_gb=1, backup_gb=0))})
    assert one.monthly_usd == Decimal("11.68") + Decimal("11.5")  # 730 h × $0.016, 100 GB × $0.115


def test_protection_of_what_is_kept_blocks_nothing_and_has_to_be_ended_first() -> None:
    left = only({"Links": kept(table(DeletionProtectionEnabled=True))})
    first, last = left.remove.split(" && ")
    assert first.endswith("--no-deletion-protection-enabled")
    assert last.startswith("aws dynamodb delete-table")


def test_an_instance_of_a_cluster_is_protected_by_that_alone() -> None:
    assert found({"Db": database({"DBClusterIdentifier": "c", "DeletionProtection": True})}).nothing


def test_what_is_kept_holds_the_network_that_it_stands_in() -> None:
    subnets = {"ClientSubnets": [{"Ref": "A"}, {"Ref": "B"}], "InstanceType": "kafka.t3.small"}
    cluster = {
        "BrokerNodeGroupInfo": subnets,
        "ConfigurationInfo": {"Arn": {"Fn::GetAtt": ["Settings", "Arn"]}},
    }
    resources = {
        "Kafka": kept(resource("AWS::MSK::Cluster", cluster)),
        "Settings": resource("AWS::MSK::Configuration"),
        "A": resource("AWS::EC2::Subnet"),
        "B": kept(resource("AWS::EC2::Subnet")),
    }
    one = block(resources)
    assert one.why == "it is kept, and AWS doesn't delete what it uses: A, Settings"
    assert found({**resources, "Kafka": deleted(resources["Kafka"])}).blocks == ()
    # A subnet group that is kept stands nowhere
    group = kept(resource("AWS::RDS::DBSubnetGroup", {"SubnetIds": [{"Ref": "A"}]}))
    assert found({"Group": group, "A": resources["A"]}).blocks == ()


def test_a_protected_stack_is_seen_in_the_manifest(tmp_path: Path) -> None:
    folder = written(tmp_path / "cdk.out", {"Jobs": resource("AWS::SQS::Queue")})
    assert leftovers(Assembly.load(folder)).nothing
    manifest = json.loads((folder / "manifest.json").read_text())
    properties = manifest["artifacts"]["Demo"]["properties"]
    properties["terminationProtection"] = True
    (folder / "templates").mkdir()
    (folder / properties["templateFile"]).rename(folder / "templates" / "demo.json")
    properties["templateFile"] = "templates/demo.json"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    [one] = leftovers(Assembly.load(folder)).blocks
    assert (one.resource, one.why) == ("Demo", "the stack has termination protection")
    assert one.remove.endswith("--stack-name Demo")


DEFAULTS = [
    (resource("AWS::CloudTrail::EventDataStore"), "TerminationProtectionEnabled"),
    (resource("AWS::NeptuneGraph::Graph", {"ProvisionedMemory": 16}), "DeletionProtection"),
]


@pytest.mark.parametrize(("made", "key"), DEFAULTS)
def test_some_are_protected_where_nothing_is_said(made: Template, key: str) -> None:
    assert block({"Thing": made}).why == f"{key} is true where nothing is said"
    off = resource(made["Type"], {**made["Properties"], key: False})
    assert found({"Thing": off}).blocks == ()


# What a foreign app writes otherwise


NEVER_KNOWN = {"Fn::ImportValue": "elsewhere"}


@pytest.mark.parametrize(
    ("type_", "properties"),
    [
        ("AWS::DynamoDB::GlobalTable", {"BillingMode": "PAY_PER_REQUEST", "Replicas": NEVER_KNOWN}),
        ("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"BlockDeviceMappings": NEVER_KNOWN}}),
        ("AWS::ECS::Cluster", {"ClusterSettings": NEVER_KNOWN}),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"LoadBalancerAttributes": NEVER_KNOWN}),
        ("AWS::Lambda::Function", {"LoggingConfig": NEVER_KNOWN}),
        ("AWS::RDS::DBInstance", {"Engine": "postgres", "EnableCloudwatchLogsExports": NEVER_KNOWN}),
        (
            "AWS::RDS::DBInstance",
            {"DeleteAutomatedBackups": False, "BackupRetentionPeriod": NEVER_KNOWN},
        ),
    ],
)
def test_what_only_deployment_knows_is_listed_as_not_known(type_: str, properties: Template) -> None:
    all_of_it = found({"Thing": deleted(resource(type_, properties))})
    unknown = [each for each in (*all_of_it.stays, *all_of_it.blocks) if "known only at" in each.why]
    assert unknown
    assert not any(each.is_known for each in unknown)
    assert {each.resource for each in unknown} == {"Thing"}
    assert not all_of_it.nothing


def test_what_is_kept_and_protected_in_a_way_that_only_deployment_knows_is_listed() -> None:
    late = resource("AWS::DynamoDB::GlobalTable", {"BillingMode": "PAY_PER_REQUEST", "Replicas": NEVER_KNOWN})
    stays = only({"Thing": kept(late)})
    assert "known only at" in stays.why
    assert not stays.is_known


def test_a_snapshot_of_a_size_that_only_deployment_knows_is_listed_as_not_known() -> None:
    volume = kept(resource("AWS::EC2::Volume", {"VolumeType": "gp3", "Size": NEVER_KNOWN}), "Snapshot")
    assert "Size is" in only({"Disk": volume}).why


def test_a_function_is_at_the_edge_whatever_wraps_the_behaviour() -> None:
    version = {"EventType": "viewer-request", "LambdaFunctionARN": {"Ref": "Version"}}
    behaviors = {"Fn::If": ["Maybe", [{"LambdaFunctionAssociations": [version]}], []]}
    config = {"DefaultCacheBehavior": {}, "CacheBehaviors": behaviors}
    resources = {
        "Edge": resource("AWS::CloudFront::Distribution", {"DistributionConfig": config}),
        "Version": resource("AWS::Lambda::Version", {"FunctionName": {"Ref": "Work"}}),
        "Work": function("work"),
    }
    assert "CloudFront runs it" in block(resources).why


# Together


def test_tiers_are_those_of_an_account_and_of_all_regions_where_a_price_is() -> None:
    bucket = {"It": kept(resource("AWS::S3::Bucket", stored_gb=50_000, egress_gb_per_month=0))}
    here, there = stack(bucket, name="A"), replace(stack(bucket, name="B"), account="123456789012")
    # 50,000 GB × $0.023, twice
    assert leftovers(Assembly(Path(), (here, there))).monthly_usd == Decimal(2300)
    zones = {f"Zone{each}": kept(resource("AWS::Route53::HostedZone")) for each in range(20)}
    stacks = (stack(zones, name="A"), stack(zones, name="B", region="eu-west-1"))
    # 25 × $0.50 + 15 × $0.10
    assert leftovers(Assembly(Path(), stacks)).monthly_usd == Decimal(14)


def test_data_that_costs_more_than_there_is_money_names_its_key() -> None:
    with pytest.raises(MalformedAssembly, match=r"Resources\.It\..* 10\^15 .*stored_gb"):
        found({"It": kept(resource("AWS::S3::Bucket", stored_gb=10**18))})


def test_what_stays_adds_up() -> None:
    table_, logs = kept(table()), kept(resource("AWS::Logs::LogGroup", ingested_gb_per_month=100))
    apart = found({"Links": table_}).monthly_usd + found({"Logs": logs}).monthly_usd
    assert found({"Links": table_, "Logs": logs}).monthly_usd == apart == Decimal("9.9")


def test_a_price_that_a_region_has_not_is_not_priced() -> None:
    far = stack({"Links": kept(table())}, region="mars-north-1")
    [left] = leftovers(Assembly(Path(), (far,))).stays
    assert "mars-north-1" in left.not_priced
    assert not left.is_known


def test_what_no_template_shows_and_is_not_counted_is_told() -> None:
    watched = deleted(database({"MonitoringInterval": 60}, stored_gb=1))
    notes = found({"Cluster": resource("AWS::EKS::Cluster"), "Db": watched}).notes
    assert [note.split(" ")[0] for note in notes] == ["load", "enhanced"]


# The command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    resources = {
        "Links": kept(table()),
        "Work": function("work"),
        "Objects": BUCKET,
        "Key": deleted(resource("AWS::KMS::Key")),
        "Role": kept(resource("AWS::Nobody::Knows")),
    }
    return written(tmp_path / "cdk.out", resources, users=1_000)


def test_the_command_prints_what_stays_and_what_blocks(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["leftovers", "--assembly", str(folder)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "demo, production" in said
    assert "what keeps it from being deleted" in said
    assert "$23.00" in said
    assert "aws dynamodb delete-table" in said
    assert "size not declared" in said
    assert "not priced" in said
    assert "what stays costs $4.50 a month, without what is not known" in said
    assert "for 1,000 users" in said


def test_data_grows_with_users(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["leftovers", "--assembly", str(folder), "--users", "2000", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["name"] == "demo"
    [(stage, said)] = document["stages"].items()
    assert (stage, said["users"], said["nothing"]) == ("production", 2_000, False)
    assert (said["monthly_usd"], said["blocked_usd"]) == ("9", "46")
    by_name = {(each["resource"], each["what"]): each for each in said["stays"]}
    assert by_name["Links", ""]["lines"][0]["monthly_usd"] == "5"
    assert by_name["Key", "key pending deletion"]["ends_after_days"] == 30
    assert by_name["Work", "log group /aws/lambda/work"]["is_known"] is False
    assert "doesn't know AWS::Nobody::Knows" in by_name["Role", ""]["not_priced"]
    assert [each["resource"] for each in said["blocks"]] == ["Objects"]


def test_a_stage_with_markup_in_its_name_is_shown_as_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "Demo.template.json"
    file.write_text(file.read_text().replace('"production"', '"[/]"'))
    assert run(["leftovers", "--assembly", str(folder)]) == 0
    assert "demo, [/]" in capsys.readouterr().out


def test_a_usage_file_says_how_much_a_foreign_app_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = resource("AWS::DynamoDB::Table", {"BillingMode": "PAY_PER_REQUEST"})
    foreign = str(written(tmp_path / "foreign", {"Links": kept(bare)}))
    file = tmp_path / "usage.toml"
    file.write_text('users = 10\n["Links"]\nstored_gb = 40\n')
    arguments = ["leftovers", "--assembly", foreign, "--usage", str(file)]
    assert run([*arguments, "--users", "20"]) == 0
    assert "what stays costs $20.00 a month" in capsys.readouterr().out  # 80 GB × $0.25
    assert run(["leftovers", "demo", "--usage", str(file)]) == 2
    assert "--usage is for an --assembly" in capsys.readouterr().err


def test_a_blueprint_is_synthesized_at_both_stages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[tuple[int, str]] = []

    def synthesize(_blueprint: Blueprint, output: Path, *, users: int, stage: str, **_more: Any) -> Path:
        made.append((users, stage))
        policy = "Retain" if stage == "production" else "Delete"
        plain = table(PointInTimeRecoverySpecification={})
        return written(output / "cdk.out", {"Links": kept(plain, policy)}, users=users)

    blueprint = Blueprint("demo", "Demo", "", "", "", "", (), Workload({}), lambda *_: None)
    monkeypatch.setattr(catalogue, "find", lambda _name: blueprint)
    monkeypatch.setattr(catalogue, "synthesize", synthesize)
    assert run(["leftovers", "demo"]) == 0
    said = capsys.readouterr().out
    assert made == [(1_000, "sandbox"), (1_000, "production")]
    assert "demo, sandbox: leaves nothing" in said
    assert "what stays costs $2.50 a month\n" in said
    assert run(["leftovers", "demo", "--stage", "sandbox", "--users", "5,000", "--json"]) == 0
    assert made[2:] == [(5_000, "sandbox")]
    said = json.loads(capsys.readouterr().out)["stages"]["sandbox"]
    assert (said["nothing"], said["stays"], said["monthly_usd"]) == (True, [], "0")


def test_what_ends_by_itself_is_said_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = written(tmp_path / "cdk.out", {"Key": resource("AWS::KMS::Key")})
    assert run(["leftovers", "--assembly", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "leaves nothing but what ends by itself, free" in said
    assert "nothing to do: it ends by itself" in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "give either the name of a blueprint or --assembly"),
        (["--assembly", "{folder}", "--stage", "sandbox"], "--stage is for a blueprint"),
        (["--assembly", "{foreign}", "--users", "5"], "--users needs an assembly"),
        (["--assembly", "{folder}", "--users", "-5"], "at least 1"),
        (["url_shortener", "--stage", "middle"], "a stage is sandbox or production"),
        (["url_shorter"], "did you mean url_shortener"),
        (["--assembly", "{folder}/nowhere"], "manifest.json"),
    ],
)
def test_misuse_is_one_line(
    arguments: list[str], word: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "Demo.template.json").write_text(json.dumps(template({"Jobs": resource("AWS::SQS::Queue")})))
    written(foreign, {"Jobs": resource("AWS::SQS::Queue")})
    given = [each.format(folder=folder, foreign=foreign) for each in arguments]
    assert run(["leftovers", *given]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert word in said.err
