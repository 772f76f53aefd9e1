"""What a template pays for without showing it, and the warnings beside the numbers: dollars worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from tests.bills import dollars, limit, sum_of, undeclared, warnings
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review.cost import price

pytestmark = pytest.mark.fast

MILLION = 1_000_000
KMS = "KMS requests (encryption)"
ABORTS = {"Rules": [{"Status": "Enabled", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7}}]}


# KMS: calls that a service makes are a line of what causes them


def bucket(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    made = {"LifecycleConfiguration": ABORTS, **(properties or {})}
    still = {"stored_gb": 0, "put_requests_per_month": 0, "get_requests_per_month": 0}
    return resource("AWS::S3::Bucket", made, **{**still, "egress_gb_per_month": 0, **usage})


def sse(algorithm: str, **rule: Any) -> dict[str, Any]:
    default = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, **rule}
    return {"BucketEncryption": {"ServerSideEncryptionConfiguration": [default]}}


@pytest.mark.parametrize(
    ("properties", "paid"),
    [
        ({}, None),
        (sse("AES256"), None),
        (sse("aws:kms"), "9"),  # 3 M requests × $3/M
        (sse("aws:kms", BucketKeyEnabled=True), "0.09"),  # 1 % of them
    ],
)
def test_a_bucket_asks_kms_for_each_object_and_with_a_bucket_key_for_one_in_a_hundred(
    properties: dict[str, Any], paid: str | None
) -> None:
    made = bucket(properties, put_requests_per_month=MILLION, get_requests_per_month=2 * MILLION)
    assert dollars({"It": made}).get(KMS) == (None if paid is None else Decimal(paid))


def test_requests_of_other_classes_ask_kms_too() -> None:
    made = bucket(sse("aws:kms"), get_requests_standard_ia_per_month=MILLION)
    assert dollars({"It": made})[KMS] == Decimal(3)


def test_two_layers_of_encryption_have_no_price() -> None:
    with pytest.raises(NotPriced, match="aws:kms:dsse"):
        sum_of({"It": bucket(sse("aws:kms:dsse"))})


@pytest.mark.parametrize(
    ("properties", "usage", "requests"),
    [
        ({}, {}, None),
        ({"SqsManagedSseEnabled": True}, {}, None),
        # 2,628,000 s ÷ 300 s × (2 × 1 sender + 1 receiver)
        ({"KmsMasterKeyId": "alias/aws/sqs"}, {}, "26280"),
        ({"KmsMasterKeyId": {"Ref": "Key"}}, {"senders": 2, "receivers": 3}, "61320"),
        ({"KmsMasterKeyId": {"Ref": "Key"}, "KmsDataKeyReusePeriodSeconds": 3_600}, {}, "2190"),
    ],
)
def test_a_queue_asks_kms_for_data_keys_by_principal_and_period(
    properties: dict[str, Any], usage: dict[str, Any], requests: str | None
) -> None:
    resources = {
        "It": resource("AWS::SQS::Queue", properties, requests_per_month=MILLION, **usage),
        "Key": resource("AWS::KMS::Key", requests_per_month=0),
    }
    lines = [line for line in price(assembly(resources)).lines if line.component == KMS]
    assert [line.quantity for line in lines] == ([] if requests is None else [Decimal(requests)])
    assert [line.resource for line in lines] == ([] if requests is None else ["It"])


def test_a_queue_never_asks_kms_more_often_than_it_is_asked_itself() -> None:
    key = {"KmsMasterKeyId": "alias/aws/sqs"}
    rare = {"It": resource("AWS::SQS::Queue", key, requests_per_month=100)}
    assert dollars(rare)[KMS] == Decimal("0.0003")  # 100 × $3/M
    assert sum_of(rare, traffic=0) == 0


@pytest.mark.parametrize(
    ("made", "paid"),
    [
        # 2 × 8,760 periods of five minutes × 1 publisher × $3/M
        (
            resource("AWS::SNS::Topic", {"KmsMasterKeyId": "x"}, publishes_per_month=MILLION),
            "0.05256",
        ),
        # 8,760 × 3 principals
        (
            resource(
                "AWS::DynamoDB::Table",
                {"BillingMode": "PAY_PER_REQUEST", "SSESpecification": {"SSEEnabled": True}},
                write_units_per_month=MILLION,
                read_units_per_month=0,
                stored_gb=0,
                principals=3,
            ),
            "0.07884",
        ),
        (
            resource(
                "AWS::Kinesis::Stream",
                {"ShardCount": 1, "StreamEncryption": {"EncryptionType": "KMS", "KeyId": "x"}},
                put_payload_units_per_month=MILLION,
            ),
            "0.02628",
        ),
        # every call of a secret under a key of one's own
        (
            resource("AWS::SecretsManager::Secret", {"KmsKeyId": "x"}, requests_per_month=MILLION),
            "3",
        ),
    ],
)
def test_other_services_ask_kms_too(made: dict[str, Any], paid: str) -> None:
    assert dollars({"It": made})[KMS] == Decimal(paid)


def test_a_secret_under_the_key_of_aws_asks_for_nothing() -> None:
    named = resource(
        "AWS::SecretsManager::Secret",
        {"KmsKeyId": "alias/aws/secretsmanager"},
        requests_per_month=MILLION,
    )
    assert KMS not in dollars({"It": named})


@pytest.mark.parametrize(
    ("spec", "paid"),
    [
        ("SYMMETRIC_DEFAULT", "4"),
        ("HMAC_256", "4"),
        ("RSA_2048", "4"),
        ("RSA_4096", "16"),
        ("ECC_NIST_P256", "16"),
    ],
)
def test_most_asymmetric_keys_pay_five_times_as_much_a_request(spec: str, paid: str) -> None:
    key = resource("AWS::KMS::Key", {"KeySpec": spec}, requests_per_month=MILLION)
    assert sum_of({"Key": key}) == Decimal(paid)  # $1 and 1 M × $3/M or $15/M


def test_a_key_pays_for_its_first_two_rotations() -> None:
    assert sum_of({"Key": resource("AWS::KMS::Key", rotations=1, requests_per_month=0)}) == 2
    assert sum_of({"Key": resource("AWS::KMS::Key", rotations=9, requests_per_month=0)}) == 3
    rotated = resource("AWS::KMS::Key", {"EnableKeyRotation": True}, requests_per_month=0)
    assert len(warnings({"Key": rotated})) == 1


def test_what_causes_calls_of_kms_shows_them_also_where_nobody_declared_anything() -> None:
    made = {
        "Bucket": resource("AWS::S3::Bucket", sse("aws:kms")),
        "Queue": resource("AWS::SQS::Queue", {"KmsMasterKeyId": "alias/aws/sqs"}),
        "Topic": resource("AWS::SNS::Topic", {"KmsMasterKeyId": "alias/aws/sns"}),
        "Secret": resource("AWS::SecretsManager::Secret", {"KmsKeyId": "x"}),
    }
    assert undeclared(made).count(KMS) == 4


# S3


def test_what_a_rule_moves_depends_on_usage_until_it_is_declared() -> None:
    step = {"StorageClass": "GLACIER_IR", "TransitionInDays": 30}
    rule = {**ABORTS["Rules"][0], "Transitions": [step]}
    moved = {"LifecycleConfiguration": {"Rules": [rule]}}
    assert undeclared({"It": bucket(moved)}) == [
        "Stored data (Glacier Instant Retrieval)",
        "Transitions (to Glacier Instant Retrieval)",
        "Data retrieved (Glacier Instant Retrieval)",
    ]
    assert warnings({"It": bucket(moved)}) == (
        "It: its rules move data to Glacier Instant Retrieval, and nobody declared how much: all counts as Standard",
    )
    declared = bucket(
        moved,
        stored_gb_glacier_instant=1_000,
        transitions_to_glacier_instant_per_month=MILLION,
        retrieved_gb_glacier_instant_per_month=10,
    )
    # 1,000 GB × $0.004 + 1 M × $20/M + 10 GB × $0.03
    assert sum_of({"It": declared}) == Decimal("24.3")
    assert warnings({"It": declared}) == ()


def test_a_rule_that_is_off_moves_nothing() -> None:
    step = {"StorageClass": "GLACIER", "TransitionInDays": 30}
    rules = [*ABORTS["Rules"], {"Status": "Disabled", "Transitions": [step]}]
    assert undeclared({"It": bucket({"LifecycleConfiguration": {"Rules": rules}})}) == []


def test_an_unknown_storage_class_is_refused() -> None:
    rules = [{**ABORTS["Rules"][0], "Transitions": [{"StorageClass": "PERMAFROST", "TransitionInDays": 1}]}]
    with pytest.raises(NotPriced, match="PERMAFROST"):
        sum_of({"It": bucket({"LifecycleConfiguration": {"Rules": rules}})})


@pytest.mark.parametrize(("expires", "warned"), [(119, 1), (120, 0), (None, 0)])
def test_data_that_leaves_a_class_early_is_warned_of(expires: int | None, warned: int) -> None:
    step = {"StorageClass": "GLACIER", "TransitionInDays": 30}
    rule: dict[str, Any] = {**ABORTS["Rules"][0], "Transitions": [step]}
    if expires:
        rule["ExpirationInDays"] = expires
    usage = {
        "stored_gb_glacier_flexible": 0,
        "transitions_to_glacier_flexible_per_month": 0,
        "retrieved_gb_glacier_flexible_per_month": 0,
    }
    found = warnings({"It": bucket({"LifecycleConfiguration": {"Rules": [rule]}}, **usage)})
    assert len(found) == warned
    assert all("89 days" in each and "90 are paid" in each for each in found)


def test_intelligent_tiering_pays_for_what_it_watches() -> None:
    made = bucket(stored_gb_intelligent_tiering=100, monitored_objects=MILLION)
    assert sum_of({"It": made}) == Decimal("2.3") + Decimal("2.5")  # 100 GB × $0.023 + 1 M × $2.5/M


def test_a_bucket_without_rules_is_warned_of_with_what_it_would_save() -> None:
    bare = resource("AWS::S3::Bucket", stored_gb=1_000)
    [found] = warnings({"It": bare})
    # 1,000 GB × ($0.023 − $0.0125)
    assert found == (
        "It: no lifecycle rule, so all of it, parts of broken uploads included, is kept and paid for ever; "
        "1,000 GB cost $10.50 a month less in Standard-IA, where seldom read"
    )
    assert warnings({"It": bucket()}) == ()


def test_broken_uploads_and_old_versions_that_nothing_ends_are_warned_of() -> None:
    rules = [{"Status": "Enabled", "ExpirationInDays": 30}]
    versioned = {"Status": "Enabled"}
    made = bucket({"LifecycleConfiguration": {"Rules": rules}, "VersioningConfiguration": versioned})
    found = warnings({"It": made})
    assert [word in each for word, each in zip(("AbortIncomplete", "old versions"), found, strict=True)] == [
        True,
        True,
    ]
    ended = {**rules[0], **ABORTS["Rules"][0], "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    made = bucket({"LifecycleConfiguration": {"Rules": [ended]}, "VersioningConfiguration": versioned})
    assert warnings({"It": made}) == ()


def test_a_copy_in_another_region_pays_for_requests_and_the_way_and_its_bucket_for_the_rest() -> None:
    def to(target: Any, **more: Any) -> dict[str, Any]:
        rule = {"Id": "copy", "Status": "Enabled", "Destination": {"Bucket": target, **more}}
        return {"ReplicationConfiguration": {"Rules": [rule]}}

    usage = {"replicated_gb_per_month": 100, "replicated_requests_per_month": MILLION}
    far = to("arn:aws:s3:::far", ReplicationTime={"Status": "Enabled"})
    # 1 M × $5/M + 100 GB × $0.02 + 100 GB × $0.015
    assert sum_of({"It": bucket(far, **usage)}) == Decimal("8.5")
    near = to({"Fn::GetAtt": ["Second", "Arn"]})
    assert sum_of({"It": bucket(near, **usage), "Second": bucket()}) == Decimal(5)
    assert warnings({"It": bucket(near), "Second": bucket()}) == ()
    assert len(warnings({"It": bucket(far)})) == 1


def test_request_metrics_are_sixteen_a_filter_while_there_are_requests() -> None:
    made = {"It": bucket({"MetricsConfigurations": [{"Id": "all"}]})}
    assert sum_of(made) == Decimal("4.8")  # 16 × $0.30
    assert sum_of(made, traffic=0) == 0


# DynamoDB


def table(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    made = {"BillingMode": "PAY_PER_REQUEST", **(properties or {})}
    still = {"write_units_per_month": 0, "read_units_per_month": 0, "stored_gb": 0}
    return resource("AWS::DynamoDB::Table", made, **{**still, **usage})


def indexes(*names: str) -> dict[str, Any]:
    return {"GlobalSecondaryIndexes": [{"IndexName": name} for name in names]}


def test_every_write_is_paid_in_every_index_unless_declared() -> None:
    # 2 indexes × 1 M × $0.625/M
    both = table(indexes("ByOwner", "ByDay"), write_units_per_month=MILLION)
    assert dollars({"It": both})["Index writes (on demand)"] == Decimal("1.25")
    told = table(
        indexes("ByOwner", "ByDay"), write_units_per_month=MILLION, index_write_units_per_month=100_000
    )
    assert dollars({"It": told})["Index writes (on demand)"] == Decimal("0.0625")
    assert "Index writes (on demand)" not in dollars({"It": table(write_units_per_month=MILLION)})


@pytest.mark.parametrize(("read_by_lambda", "lines"), [(True, []), (False, ["Stream reads"])])
def test_a_stream_that_no_function_reads_is_read_by_somebody_who_pays(
    read_by_lambda: bool, lines: list[str]
) -> None:
    resources = {"It": table({"StreamSpecification": {"StreamViewType": "KEYS_ONLY"}})}
    if read_by_lambda:
        resources["Feed"] = resource(
            "AWS::Lambda::EventSourceMapping",
            {"EventSourceArn": {"Fn::GetAtt": ["It", "StreamArn"]}, "FunctionName": "elsewhere"},
        )
    assert undeclared(resources) == lines


def test_changes_that_go_to_kinesis_are_paid_by_the_kilobyte() -> None:
    made = table({"KinesisStreamSpecification": {"StreamArn": "x"}}, captured_units_per_month=10 * MILLION)
    assert sum_of({"It": made}) == Decimal(1)  # 10 M × $0.1/M


@pytest.mark.parametrize(
    ("keys", "mode", "paid"),
    [(1, None, "1"), (2, None, "2"), (2, "THROTTLED_KEYS", "1")],
)
def test_contributor_insights_pay_by_the_rule_and_say_what_is_missing(
    keys: int, mode: str | None, paid: str
) -> None:
    schema = [{"AttributeName": str(key)} for key in range(keys)]
    insights = {"Enabled": True, **({"Mode": mode} if mode else {})}
    made = {"It": table({"KeySchema": schema, "ContributorInsightsSpecification": insights})}
    assert sum_of(made) == Decimal(paid)  # $0.50 a rule
    assert warnings(made) == ("It: Contributor Insights pays by the event too, which is not priced",)


def scaled(writes: int) -> dict[str, Any]:
    name = {"Fn::Join": ["", ["table/", {"Ref": "It"}]]}
    target = {"ScalableDimension": "dynamodb:table:WriteCapacityUnits", "ResourceId": name}
    fixed = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 5}
    made = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": fixed}
    return {
        "It": table(made, write_units_per_month=writes * 2_628_000),
        "Scaling": resource(
            "AWS::ApplicationAutoScaling::ScalableTarget", {**target, "MinCapacity": 10, "MaxCapacity": 100}
        ),
    }


@pytest.mark.parametrize(
    ("writes", "more"),
    [
        (7, "0"),  # 7 ÷ 70 % = 10, the least
        (14, "4.745"),  # 20: 10 more × 730 h × $0.00065
        (700, "42.705"),  # 1,000, of which 90 more is the most
    ],
)
def test_capacity_that_scales_follows_the_average_load_between_its_bounds(writes: int, more: str) -> None:
    found = dollars(scaled(writes))
    assert found["Write capacity (provisioned)"] == Decimal("4.745")  # 10 × 730 h × $0.00065
    grown = found.get("Write capacity (provisioned, as load grows)", Decimal(0))
    assert grown == Decimal(more)


def test_a_provisioned_global_table_pays_for_each_write_capacity_in_every_region() -> None:
    scaling = {"WriteCapacityAutoScalingSettings": {"MinCapacity": 10, "MaxCapacity": 10}}
    replica = {"ReadProvisionedThroughputSettings": {"ReadCapacityUnits": 10}}
    made = resource(
        "AWS::DynamoDB::GlobalTable",
        {
            "Replicas": [{"Region": "us-east-1", **replica}, {"Region": "eu-west-1", **replica}],
            "WriteProvisionedThroughputSettings": scaling,
        },
        stored_gb=0,
        replicated_gb_per_month=100,
    )
    assert dollars({"It": made}) == {
        "Write capacity (provisioned, replicated)": Decimal("9.49"),  # 2 × 10 × 730 h × $0.00065
        "Read capacity (provisioned)": Decimal("1.898"),  # 2 × 10 × 730 h × $0.00013
        "Data replicated (other regions)": Decimal(2),  # 100 GB × $0.02
    }


def test_on_demand_above_the_break_even_is_warned_of_with_what_it_would_save() -> None:
    steady: dict[str, Any] = {"write_units_per_month": 2_628 * MILLION, "peak_write_units_per_second": 1_400}
    made = {"It": table(**steady, peak_read_units_per_second=0)}
    # 2,628 M × $0.625/M; 1,400 ÷ 70 % = 2,000 × 730 h × $0.00065, and one unit of reading
    assert warnings(made) == (
        "It: on demand its reads and writes cost $1,642.50 a month; provisioned for the peak at 70 % utilisation "
        "(2,000 WCU and 1 RCU) $949.09, $693.41 less",
    )
    # Four times the average at the peak: 4,000 ÷ 70 % × 730 h × $0.00065 is more than $1,642.50
    uneven: dict[str, Any] = {**steady, "peak_write_units_per_second": 4_000}
    assert warnings({"It": table(**uneven, peak_read_units_per_second=0)}) == ()
    assert warnings({"It": table(write_units_per_month=2_628 * MILLION)}) == ()


# Streams


ON_DEMAND = {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}}


def test_a_stream_on_demand_above_the_break_even_is_warned_of_with_what_it_would_save() -> None:
    usage: dict[str, Any] = {"ingested_gb_per_month": 2_628, "read_gb_per_month": 2_628}
    steady = resource(
        "AWS::Kinesis::Stream", ON_DEMAND, **usage, peak_records_per_second=2_000, peak_mb_per_second=1
    )
    # $29.20 + 2,628 GB × ($0.08 + $0.04); 2 shards × 730 h × $0.015 + 5,256 M records of half a kilobyte × $0.014/M
    assert warnings({"It": steady}) == (
        "It: on demand it costs $344.56 a month; 2 shards, provisioned for the peak, $95.48, $249.08 less",
    )
    spiky = resource(
        "AWS::Kinesis::Stream", ON_DEMAND, **usage, peak_records_per_second=90_000, peak_mb_per_second=45
    )
    assert warnings({"It": spiky}) == ()


@pytest.mark.parametrize(
    ("hours", "paid"),
    [
        (24, "0"),
        (97, "1"),  # 73 h ÷ 730 h × 100 GB × $0.10
        # 144 h ÷ 730 h × 100 GB × $0.10, and a month × 100 GB × $0.023
        (168 + 730, "4.272602739726"),
    ],
)
def test_a_stream_on_demand_keeps_a_day_for_nothing(hours: int, paid: str) -> None:
    kept = resource(
        "AWS::Kinesis::Stream",
        {**ON_DEMAND, "RetentionPeriodHours": hours},
        ingested_gb_per_month=100,
        read_gb_per_month=0,
    )
    assert sum_of({"It": kept}) - Decimal("37.2") == pytest.approx(Decimal(paid), abs=Decimal("1e-9"))


def test_shards_keep_longer_than_a_week_by_the_gigabyte() -> None:
    kept = {"ShardCount": 1, "RetentionPeriodHours": 169}
    assert undeclared({"It": resource("AWS::Kinesis::Stream", kept)}) == [
        "Retention (beyond 7 days)",
        "Records put",
    ]
    made = resource("AWS::Kinesis::Stream", kept, put_payload_units_per_month=0, long_term_stored_gb=100)
    # 730 h × ($0.015 + $0.02) + 100 GB × $0.023
    assert sum_of({"It": made}) == Decimal("27.85")


def test_what_firehose_changes_on_the_way_pays_by_the_gigabyte_and_the_object() -> None:
    settings = {
        "DataFormatConversionConfiguration": {"SchemaConfiguration": {}},
        "DynamicPartitioningConfiguration": {"Enabled": True},
    }
    made = resource(
        "AWS::KinesisFirehose::DeliveryStream",
        {"ExtendedS3DestinationConfiguration": settings},
        ingested_gb_per_month=100,
        partitioned_objects_per_month=200_000,
    )
    assert dollars({"It": made}) == {
        "Data in": Decimal("2.9"),  # 100 GB × $0.029
        "Data converted (format)": Decimal("1.8"),  # × $0.018
        "Data partitioned": Decimal(2),  # × $0.02
        "Objects partitioned": Decimal(1),  # 200 thousand × $0.005
    }


def test_firehose_in_a_network_pays_for_its_zones() -> None:
    search = {"VpcConfiguration": {"SubnetIds": ["a", "b", "c"]}}
    made = resource(
        "AWS::KinesisFirehose::DeliveryStream",
        {"AmazonopensearchserviceDestinationConfiguration": search},
        ingested_gb_per_month=100,
    )
    # 100 GB × $0.029 + 3 × 730 h × $0.01 + 100 GB × $0.01
    assert sum_of({"It": made}) == Decimal("25.8")


# Logs


def function(properties: dict[str, Any] | None = None, **usage: Any) -> dict[str, Any]:
    made = {"Runtime": "python3.13", "Architectures": ["arm64"], **(properties or {})}
    return resource("AWS::Lambda::Function", made, **{"invocations_per_month": 0, "duration_ms": 1, **usage})


NAMED_AFTER_IT = {"LogGroupName": {"Fn::Join": ["", ["/aws/lambda/", {"Ref": "It"}]]}}


@pytest.mark.parametrize(
    "others",
    [
        {"Logs": resource("AWS::Logs::LogGroup", {**NAMED_AFTER_IT, "RetentionInDays": 7})},
        {
            "Logs": resource(
                "AWS::Logs::LogGroup", {"LogGroupName": "/aws/lambda/worker", "RetentionInDays": 7}
            )
        },
    ],
)
def test_a_function_with_a_log_group_writes_there(others: dict[str, Any]) -> None:
    resources = {"It": function({"FunctionName": "worker"}), **others}
    assert undeclared(resources) == ["Logs written (Lambda)", "Logs kept"]
    assert warnings(resources) == ()


def test_a_function_without_a_log_group_shows_what_it_writes() -> None:
    assert undeclared({"It": function()}) == [
        "Logs written (Lambda, log group not in the template)",
        "Logs kept (Lambda, log group not in the template)",
    ]
    # 10 GB × $0.50, and 12 months of them × 15 % × $0.03
    assert sum_of({"It": function(log_gb_per_month=10)}) == Decimal(5) + Decimal("0.54")
    [found] = warnings({"It": function()})
    assert "nothing expires" in found


def test_a_retention_that_the_cdk_sets_ends_what_a_function_keeps() -> None:
    kept = resource("Custom::LogRetention", {**NAMED_AFTER_IT, "RetentionInDays": 73})
    # 2.4 months × 10 GB × 15 % × $0.03
    found = dollars({"It": function(log_gb_per_month=10), "Kept": kept})
    assert found["Logs kept (Lambda, log group not in the template)"] == Decimal("0.108")
    assert warnings({"It": function(log_gb_per_month=10), "Kept": kept}) == ()


@pytest.mark.parametrize(
    ("writer", "kind"),
    [
        (resource("AWS::EC2::FlowLog", {"LogGroupName": {"Ref": "It"}}), "vended"),
        (
            resource(
                "AWS::ApiGatewayV2::Stage",
                {"AccessLogSettings": {"DestinationArn": {"Fn::GetAtt": ["It", "Arn"]}}},
            ),
            "vended",
        ),
        (function({"LoggingConfig": {"LogGroup": {"Ref": "It"}}}), "Lambda"),
        (resource("AWS::IAM::Role", {"Description": {"Ref": "It"}}), "standard"),
    ],
)
def test_logs_that_aws_vends_have_tiers_that_others_have_not(writer: dict[str, Any], kind: str) -> None:
    group = resource("AWS::Logs::LogGroup", {"RetentionInDays": 1}, ingested_gb_per_month=20_480)
    # 10,240 GB × $0.50, and 10,240 GB × $0.25 or $0.50
    paid = {"vended": "7680", "Lambda": "7680", "standard": "10240"}[kind]
    assert dollars({"It": group, "Writer": writer})[f"Logs written ({kind})"] == Decimal(paid)


def test_data_protection_and_queries_pay_by_what_they_scan() -> None:
    group = resource(
        "AWS::Logs::LogGroup",
        {"RetentionInDays": 1, "DataProtectionPolicy": {"Name": "p"}},
        ingested_gb_per_month=10,
        queried_gb_per_month=100,
    )
    found = dollars({"It": group})
    assert found["Data protection (scanned)"] == Decimal("1.2")  # 10 GB × $0.12
    assert found["Queries (scanned)"] == Decimal("0.5")  # 100 GB × $0.005


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (
            resource(
                "AWS::EKS::Cluster",
                {"Version": "1.35", "Logging": {"ClusterLogging": {"EnabledTypes": [{"Type": "api"}]}}},
            ),
            "Logs written (control plane, log group not in the template)",
        ),
        (
            resource(
                "AWS::RDS::DBCluster",
                {"Engine": "aurora-postgresql", "EnableCloudwatchLogsExports": ["postgresql"]},
            ),
            "Logs written (RDS, log group not in the template)",
        ),
    ],
)
def test_logs_that_others_write_to_groups_of_their_own_are_lines_too(made: dict[str, Any], line: str) -> None:
    assert line in undeclared({"It": made})


# x86 where Graviton serves


def test_a_function_on_x86_is_told_what_graviton_costs() -> None:
    where = {"LoggingConfig": {"LogGroup": "/shared"}, "Architectures": ["x86_64"], "MemorySize": 1_024}
    busy = function(where, invocations_per_month=MILLION, duration_ms=1_000)
    # 1 M GB-s × $0.0000166667 and × $0.0000133334
    assert warnings({"It": busy}) == (
        "It: it runs on x86; on Graviton (arm64) its duration would cost $13.33 a month instead of $16.67",
    )
    assert warnings({"It": function(where)}) == (
        "It: it runs on x86; on Graviton (arm64) its duration would cost 20 % less",
    )
    for fixed in ({"Runtime": "go1.x"}, {"Runtime": None}, {"Architectures": ["arm64"]}):
        assert warnings({"It": function({**where, **fixed})}) == ()


def test_tasks_on_x86_are_told_what_graviton_costs() -> None:
    made = {
        "Task": resource("AWS::ECS::TaskDefinition", {"Cpu": "1024", "Memory": "2048"}),
        "It": resource(
            "AWS::ECS::Service",
            {"LaunchType": "FARGATE", "DesiredCount": 2, "TaskDefinition": {"Ref": "Task"}},
        ),
    }
    # 2 × 730 h × ($0.04048 − $0.03238 + 2 × ($0.004445 − $0.00356))
    assert "It: it runs on x86; on Graviton (ARM64) its 2 tasks would cost $14.41 a month less" in warnings(
        made
    )


def test_fargate_spot_is_counted_at_its_ceiling() -> None:
    arm = {"RuntimePlatform": {"CpuArchitecture": "ARM64"}}
    spot = {"CapacityProviderStrategy": [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]}
    made = {
        "Task": resource("AWS::ECS::TaskDefinition", {"Cpu": "1024", "Memory": "2048", **arm}),
        "It": resource("AWS::ECS::Service", {**spot, "TaskDefinition": {"Ref": "Task"}}),
    }
    assert sum_of(made) == Decimal("23.6374") + Decimal("5.1976")  # 730 h × ($0.03238 + 2 × $0.00356)
    assert warnings(made) == (
        "It: the price of Fargate Spot moves; on demand, which is counted, is its ceiling",
    )


# The edge


def test_viewers_elsewhere_pay_the_prices_of_their_geography() -> None:
    edge = resource(
        "AWS::CloudFront::Distribution",
        {"DistributionConfig": {"DefaultCacheBehavior": {}}},
        requests_per_month=MILLION,
        egress_gb_per_month=100,
        requests_jp_per_month=MILLION,
        egress_gb_jp_per_month=100,
    )
    assert dollars({"Edge": edge}) == {
        "Requests (HTTPS, US)": Decimal(1),
        "Data out (US)": Decimal("8.5"),  # 100 GB × $0.085
        "Requests (HTTPS, Japan)": Decimal("1.2"),
        "Data out (Japan)": Decimal("11.4"),  # 100 GB × $0.114
    }


def test_a_price_class_serves_those_it_leaves_out_from_elsewhere() -> None:
    config = {"DefaultCacheBehavior": {}, "PriceClass": "PriceClass_100"}
    edge = resource(
        "AWS::CloudFront::Distribution",
        {"DistributionConfig": config},
        requests_per_month=0,
        egress_gb_per_month=0,
        egress_gb_sa_per_month=100,
        egress_gb_eu_per_month=100,
    )
    assert dollars({"Edge": edge}) == {
        "Data out (South America, from US)": Decimal("8.5"),
        "Data out (Europe)": Decimal("8.5"),
    }


def test_a_function_of_the_edge_runs_at_every_request_wherever_it_is_from() -> None:
    association = {"EventType": "viewer-request", "FunctionARN": {"Fn::GetAtt": ["Host", "FunctionARN"]}}
    resources = {
        "Host": resource("AWS::CloudFront::Function"),
        "Edge": resource(
            "AWS::CloudFront::Distribution",
            {"DistributionConfig": {"DefaultCacheBehavior": {"FunctionAssociations": [association]}}},
            requests_per_month=MILLION,
            requests_in_per_month=MILLION,
            egress_gb_per_month=0,
        ),
    }
    assert dollars(resources)["Invocations (edge function)"] == Decimal("0.2")


def acl(*rules: dict[str, Any], **usage: Any) -> dict[str, Any]:
    return resource(
        "AWS::WAFv2::WebACL", {"Rules": list(rules)}, **{"requests_per_month": 20 * MILLION, **usage}
    )


def managed(name: str, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Statement": {"ManagedRuleGroupStatement": {"Name": name, **more}}}


BOTS = "AWSManagedRulesBotControlRuleSet"


def test_bot_control_pays_for_itself_and_beyond_ten_million_requests() -> None:
    found = dollars({"It": acl(managed(BOTS))})
    assert found["Bot Control"] == Decimal(10)
    assert found["Requests (Bot Control, common)"] == Decimal(10)  # (20 M − 10 M) × $1/M
    targeted = managed(BOTS, ManagedRuleGroupConfigs=[{BOTS: {"InspectionLevel": "TARGETED"}}])
    found = dollars({"It": acl(targeted, bot_control_requests_per_month=2 * MILLION)})
    assert found["Requests (Bot Control, targeted)"] == Decimal(10)  # (2 M − 1 M) × $10/M


def test_fraud_control_pays_for_each_sign_in_it_looks_at() -> None:
    found = dollars(
        {"It": acl(managed("AWSManagedRulesATPRuleSet"), fraud_control_requests_per_month=20_000)}
    )
    assert found["Requests (Fraud Control, account takeover)"] == Decimal(10)  # 10,000 × $0.001
    assert found["Fraud Control (account takeover)"] == Decimal(10)


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        (managed("AWSManagedRulesAntiDDoSRuleSet"), "AntiDDoS"),
        (managed("Other", VendorName="Somebody"), "Other"),
        (managed(BOTS, ManagedRuleGroupConfigs=[{BOTS: {"InspectionLevel": "PSYCHIC"}}]), "PSYCHIC"),
    ],
)
def test_rule_groups_without_a_price_are_refused(rule: dict[str, Any], word: str) -> None:
    with pytest.raises(NotPriced, match=word):
        sum_of({"It": acl(rule)})


# Networks


def _zone(number: int) -> dict[str, Any]:
    zone = {"Fn::Select": [number, {"Fn::GetAZs": ""}]}
    return resource("AWS::EC2::Subnet", {"AvailabilityZone": zone})


@pytest.mark.parametrize(("zones", "crossing"), [(1, None), (2, "3"), (3, "4")])
def test_subnets_of_other_zones_pay_for_the_way_to_a_nat_gateway(zones: int, crossing: str | None) -> None:
    resources = {
        "It": resource("AWS::EC2::NatGateway", {"SubnetId": {"Ref": "Public"}}, processed_gb_per_month=300),
        "Public": _zone(0),
    }
    for number in range(zones):
        resources[f"Private{number}"] = _zone(number)
        resources[f"Table{number}"] = resource("AWS::EC2::RouteTable")
        resources[f"Route{number}"] = resource(
            "AWS::EC2::Route", {"RouteTableId": {"Ref": f"Table{number}"}, "NatGatewayId": {"Ref": "It"}}
        )
        resources[f"Joined{number}"] = resource(
            "AWS::EC2::SubnetRouteTableAssociation",
            {"RouteTableId": {"Ref": f"Table{number}"}, "SubnetId": {"Ref": f"Private{number}"}},
        )
    # 300 GB × the part of the subnets that is in other zones × 2 sides × $0.01
    found = dollars(resources).get("Data from other zones (to NAT)")
    assert found == (None if crossing is None else pytest.approx(Decimal(crossing), abs=Decimal("1e-9")))


def test_a_gateway_for_each_zone_of_a_sandbox_says_what_one_would_save() -> None:
    gateways = {f"Gateway{zone}": resource("AWS::EC2::NatGateway") for zone in range(3)}
    built = stack(gateways, Metadata={"Workload": {"blueprint": "demo", "stage": "sandbox"}})
    [found] = price(Assembly(Path(), (built,))).warnings
    assert found.endswith("$65.70 a month less with one")  # 2 × 730 h × $0.045


def test_bytes_to_the_internet_are_a_line_of_what_sends_them_where_no_vpc_is_in_the_template() -> None:
    front = resource("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Subnets": ["a", "b"]})
    assert "Data out (internet)" in undeclared({"Front": front})
    vpc = resource("AWS::EC2::VPC", cross_zone_gb_per_month=0, egress_gb_per_month=0)
    assert "Data out (internet)" not in undeclared({"Front": front, "Vpc": vpc})
    inside = resource("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Subnets": ["a"], "Scheme": "internal"})
    assert "Data out (internet)" not in undeclared({"Front": inside})


def test_a_network_load_balancer_across_zones_pays_for_what_crosses() -> None:
    crossing = [{"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]
    made = {
        "Type": "network",
        "Scheme": "internal",
        "Subnets": ["a", "b"],
        "LoadBalancerAttributes": crossing,
    }
    front = resource("AWS::ElasticLoadBalancingV2::LoadBalancer", made, cross_zone_gb_per_month=100)
    assert dollars({"Front": front})["Data between zones"] == Decimal(2)  # 100 GB × 2 × $0.01


# Clusters, databases, brokers


def test_auto_mode_pays_for_machines_their_fee_and_their_volumes() -> None:
    pools = {"Enabled": True, "NodePools": ["general-purpose"]}
    made = resource(
        "AWS::EKS::Cluster",
        {"Version": "1.35", "ComputeConfig": pools},
        auto_mode_vcpu_hours_per_month=2_920,
    )
    assert dollars({"It": made}) == {
        "Clusters": Decimal(73),
        "Nodes (Auto Mode, as m7i.large)": Decimal("147.168"),  # 2,920 ÷ 2 × $0.1008
        "Fee (Auto Mode)": Decimal("17.66016"),  # 12 % of that
        "Volumes (Auto Mode, gp3)": Decimal("12.8"),  # 1,460 h ÷ 730 h × 80 GB × $0.08
    }


def test_a_larger_control_plane_is_paid_beside_the_cluster() -> None:
    made = resource(
        "AWS::EKS::Cluster", {"Version": "1.35", "ControlPlaneScalingConfig": {"Tier": "tier-xl"}}
    )
    assert sum_of({"It": made}) == Decimal(73) + Decimal("1204.5")  # 730 h × $1.65


@pytest.mark.parametrize(("version", "paid"), [("8.4.3", None), ("8.0.40", "146"), ("5.7.44", "292")])
def test_mysql_has_prices_and_a_calendar_of_its_own(version: str, paid: str | None) -> None:
    made = resource(
        "AWS::RDS::DBInstance",
        {
            "Engine": "mysql",
            "EngineVersion": version,
            "DBInstanceClass": "db.m6g.large",
            "AllocatedStorage": "100",
            "StorageType": "gp3",
        },
        backup_gb=0,
    )
    found = dollars({"Db": made})
    assert found["Instances (db.m6g.large)"] == Decimal("110.96")  # 730 h × $0.152
    # 2 vCPUs × 730 h × $0.10, or $0.20 in year 3
    support = [value for name, value in found.items() if "Extended" in name]
    assert support == ([] if paid is None else [Decimal(paid)])
    told = [each for each in warnings({"Db": made}) if "standard support" in each]
    assert told == (
        [] if paid is None else [f"Db: a version in standard support costs ${paid}.00 a month less"]
    )


def test_a_global_database_pays_for_its_writes_and_the_data_api_for_its_calls() -> None:
    made = resource(
        "AWS::RDS::DBCluster",
        {"Engine": "aurora-postgresql", "GlobalClusterIdentifier": "world", "EnableHttpEndpoint": True},
        stored_gb=0,
        io_requests_per_month=0,
        backup_gb=0,
        replicated_writes_per_month=10 * MILLION,
        replicated_gb_per_month=100,
        data_api_requests_per_month=MILLION,
    )
    # 10 M × $0.2/M + 100 GB × $0.02 + 1 M × $0.35/M
    assert sum_of({"It": made}) == Decimal("4.35")


@pytest.mark.parametrize(
    "properties", [{"DatabaseInsightsMode": "advanced"}, {"PerformanceInsightsRetentionPeriod": 731}]
)
def test_insights_that_pay_are_named_as_not_priced(properties: dict[str, Any]) -> None:
    made = resource("AWS::RDS::DBCluster", {"Engine": "aurora-postgresql", **properties})
    [found] = warnings({"It": made})
    assert "not priced" in found


def test_shards_may_have_replicas_of_their_own() -> None:
    groups = [{"ReplicaCount": 1}, {"ReplicaCount": 2}]
    made = resource(
        "AWS::ElastiCache::ReplicationGroup",
        {"Engine": "valkey", "CacheNodeType": "cache.t4g.micro", "NodeGroupConfiguration": groups},
    )
    assert sum_of({"It": made}) == Decimal("46.72")  # (2 + 3) × 730 h × $0.0128


def brokers(group: dict[str, Any], properties: dict[str, Any], **usage: Any) -> dict[str, Any]:
    plain = {
        "InstanceType": "kafka.m7g.large",
        "ClientSubnets": ["a", "b", "c"],
        "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 100}},
    }
    made = {"NumberOfBrokerNodes": 3, "BrokerNodeGroupInfo": {**plain, **group}, **properties}
    return resource("AWS::MSK::Cluster", made, **usage)


@pytest.mark.parametrize(
    ("group", "properties", "usage", "more"),
    [
        # 1,000 GB × $0.06 + 100 GB × $0.0015
        ({}, {"StorageMode": "TIERED"}, {"tiered_gb": 1_000, "tiered_read_gb_per_month": 100}, "60.15"),
        # 3 × 730 h × $0.005
        (
            {"ConnectivityInfo": {"PublicAccess": {"Type": "SERVICE_PROVIDED_EIPS"}}},
            {},
            {"egress_gb_per_month": 0},
            "10.95",
        ),
        # two ways to sign in × 730 h × $0.0225 + 100 GB × $0.006
        (
            {
                "ConnectivityInfo": {
                    "VpcConnectivity": {
                        "ClientAuthentication": {
                            "Sasl": {"Iam": {"Enabled": True}, "Scram": {"Enabled": True}},
                            "Tls": {"Enabled": False},
                        }
                    }
                }
            },
            {},
            {"private_connectivity_gb_per_month": 100},
            "33.45",
        ),
        # 3 × 49 metrics × $0.30, and 10 of topics
        ({}, {"EnhancedMonitoring": "PER_TOPIC_PER_BROKER"}, {"topic_metrics": 10}, "47.1"),
        (
            {},
            {"LoggingInfo": {"BrokerLogs": {"S3": {"Enabled": True}}}},
            {"delivered_logs_gb_per_month": 10},
            "2.5",
        ),
    ],
)
def test_what_is_switched_on_beside_the_brokers_is_paid(
    group: dict[str, Any], properties: dict[str, Any], usage: dict[str, Any], more: str
) -> None:
    plain = sum_of({"It": brokers({}, {})})
    assert sum_of({"It": brokers(group, properties, **usage)}) - plain == Decimal(more)


def test_surplus_credits_are_paid_where_they_are_declared() -> None:
    machine = {"InstanceType": "t4g.small", "BlockDeviceMappings": [{"DeviceName": "/dev/xvda"}]}
    idle = resource("AWS::EC2::Instance", machine)
    busy = resource("AWS::EC2::Instance", machine, surplus_vcpu_hours_per_month=100)
    assert sum_of({"It": busy}) - sum_of({"It": idle}) == Decimal(5)  # 100 × $0.05
    other = resource("AWS::EC2::Instance", {"InstanceType": "m7g.large"}, surplus_vcpu_hours_per_month=1)
    with pytest.raises(NotPriced, match="no CPU credits"):
        sum_of({"It": other})


# Messages, files, backups, sign-ins, alarms


def test_a_fifo_topic_pays_for_messages_and_their_bytes_on_both_sides() -> None:
    resources = {
        "Topic": resource(
            "AWS::SNS::Topic", {"FifoTopic": True}, publishes_per_month=MILLION, published_gb_per_month=10
        ),
        "To": resource(
            "AWS::SNS::Subscription",
            {"Protocol": "sqs", "TopicArn": {"Ref": "Topic"}},
            deliveries_per_month=2 * MILLION,
            delivered_gb_per_month=20,
        ),
    }
    assert dollars(resources) == {
        "Publishes (fifo)": Decimal("0.3"),
        "Bytes published (fifo)": Decimal("0.17"),  # 10 GB × $0.017
        "Deliveries (fifo, sqs)": Decimal("0.02"),  # 2 M × $0.01/M
        "Bytes delivered (fifo, sqs)": Decimal("0.02"),  # 20 GB × $0.001
    }


def test_a_subscription_in_the_topic_itself_is_paid_there() -> None:
    inline = {"Subscription": [{"Protocol": "email", "Endpoint": "a"}, {"Protocol": "sqs", "Endpoint": "b"}]}
    made = resource("AWS::SNS::Topic", inline, publishes_per_month=0, deliveries_per_month=10_000)
    assert dollars({"It": made}) == {"Deliveries (email)": Decimal("0.2")}  # 10,000 × $2/100,000


def test_a_file_system_pays_by_class_and_for_its_copies() -> None:
    made = resource(
        "AWS::EFS::FileSystem",
        {
            "LifecyclePolicies": [{"TransitionToIA": "AFTER_30_DAYS"}],
            "BackupPolicy": {"Status": "ENABLED"},
            "ReplicationConfiguration": {"Destinations": [{"Region": "eu-west-1"}]},
        },
        stored_gb=100,
        stored_gb_ia=100,
        backup_gb=100,
        replicated_gb_per_month=10,
    )
    # 100 GB × ($0.30 + $0.016 + $0.05), the copy again × $0.30, and 10 GB × $0.02
    assert sum_of({"It": made}) == Decimal("66.8")


@pytest.mark.parametrize(
    ("vault", "paid"), [("arn:aws:backup:eu-west-1:0:backup-vault:far", "2"), ({"Ref": "Near"}, "0")]
)
def test_copies_of_backups_pay_for_the_way_to_another_region(vault: Any, paid: str) -> None:
    rule = {"TargetBackupVault": {"Ref": "Near"}, "CopyActions": [{"DestinationBackupVaultArn": vault}]}
    resources = {
        "Plan": resource(
            "AWS::Backup::BackupPlan", {"BackupPlan": {"BackupPlanRule": [rule]}}, copied_gb_per_month=100
        ),
        "Near": resource("AWS::Backup::BackupVault", stored_gb=0),
    }
    assert sum_of(resources) == Decimal(paid)  # 100 GB × $0.02


def cold(*named: str) -> dict[str, Any]:
    rule = {"TargetBackupVault": {"Ref": "Vault"}, "Lifecycle": {"MoveToColdStorageAfterDays": 30}}
    chosen = {"Resources": [{"Fn::GetAtt": [name, "Arn"]} for name in named]}
    return {
        "Vault": resource("AWS::Backup::BackupVault", stored_gb=0, cold_gb=1_000),
        "Plan": resource("AWS::Backup::BackupPlan", {"BackupPlan": {"BackupPlanRule": [rule]}}),
        "Chosen": resource(
            "AWS::Backup::BackupSelection", {"BackupPlanId": {"Ref": "Plan"}, "BackupSelection": chosen}
        ),
        "Files": resource("AWS::EFS::FileSystem", stored_gb=0),
        "Disk": resource("AWS::EC2::Volume", {"Size": 10, "VolumeType": "gp3"}),
    }


def test_backups_that_move_to_the_cold_are_a_line_of_their_own() -> None:
    assert dollars(cold("Files"))["Backups (efs, cold)"] == Decimal(10)  # 1,000 GB × $0.01
    with pytest.raises(NotPriced, match="cold storage of backups of ebs"):
        sum_of(cold("Disk"))


def test_a_pool_pays_for_its_messages() -> None:
    made = resource(
        "AWS::Cognito::UserPool",
        {"SmsConfiguration": {}, "EmailConfiguration": {"EmailSendingAccount": "DEVELOPER"}},
        monthly_active_users=0,
        emails_per_month=1_000,
    )
    assert undeclared({"It": made}) == []
    made = resource(
        "AWS::Cognito::UserPool",
        {
            "SmsConfiguration": {"SnsCallerArn": "x"},
            "EmailConfiguration": {"EmailSendingAccount": "DEVELOPER"},
        },
        monthly_active_users=0,
        sms_per_month=1_000,
        emails_per_month=1_000,
    )
    assert sum_of({"It": made}) == Decimal("6.55")  # 1,000 × $0.00645 + 1,000 × $0.0001


def test_an_alarm_on_a_query_pays_by_each_metric_it_analyses() -> None:
    query = {"Metrics": [{"Expression": "SELECT MAX(x) FROM y", "Period": 60}]}
    assert sum_of({"It": resource("AWS::CloudWatch::Alarm", query, metrics_analysed=20)}) == Decimal(2)


def test_a_rule_that_sends_to_a_bus_elsewhere_pays_for_it() -> None:
    far = {"Targets": [{"Arn": "arn:aws:events:us-east-1:1:event-bus/central"}]}
    pattern = {"EventPattern": {"source": ["aws.s3"]}}
    sent = resource("AWS::Events::Rule", {**pattern, **far}, forwarded_events_per_month=MILLION)
    assert sum_of({"It": sent}) == Decimal(1)
    assert undeclared({"It": resource("AWS::Events::Rule", {**pattern, **far})}) == [
        "Events sent (another bus)"
    ]
    assert undeclared({"It": resource("AWS::Events::Rule", pattern)}) == []


def test_the_peak_of_a_provisioned_global_table_is_held_by_its_largest_capacity() -> None:
    def scaling(kind: str, most: int) -> dict[str, Any]:
        return {f"{kind}CapacityAutoScalingSettings": {"MinCapacity": 1, "MaxCapacity": most}}

    replica = {"ReadProvisionedThroughputSettings": scaling("Read", 100)}
    made = resource(
        "AWS::DynamoDB::GlobalTable",
        {
            "Replicas": [{"Region": "us-east-1", **replica}, {"Region": "eu-west-1", **replica}],
            "WriteProvisionedThroughputSettings": scaling("Write", 50),
        },
        peak_write_units_per_second=60,
        peak_read_units_per_second=150,
    )
    assert limit({"It": made}, "Provisioned write units").breaks
    assert limit({"It": made}, "Provisioned read units").quota == Decimal(200)
