"""Search, warehouses, queries, streams, media, batch and models: dollars worked out by hand, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.assemblies import assembly, resource, stack
from tests.bills import dollars, limit, sum_of, undeclared, warnings
from workbench.assembly import Assembly
from workbench.errors import NotPriced
from workbench.review.capacity import limits
from workbench.review.cost import price
from workbench.review.free import Free
from workbench.review.registry import class_of

pytestmark = pytest.mark.fast

MILLION = 1_000_000

Properties = dict[str, Any]
Resources = dict[str, Any]


def refused(resources: Resources, word: str) -> None:
    """Both the bill and its message: it names the property, and where to teach it."""
    with pytest.raises(NotPriced, match=word):
        sum_of(resources)


def to(logical_id: str, attribute: str = "Arn") -> Properties:
    return {"Fn::GetAtt": [logical_id, attribute]}


# OpenSearch


def domain(cluster: Properties | None = None, volume: Properties | None = None, **usage: Any) -> Properties:
    """Two data nodes of $0.135 an hour."""
    nodes = {"InstanceType": "m7g.large.search", "InstanceCount": 2, **(cluster or {})}
    properties: Properties = {"EngineVersion": "OpenSearch_2.19", "ClusterConfig": nodes}
    if volume is not None:
        properties["EBSOptions"] = {"EBSEnabled": True, "VolumeType": "gp3", "VolumeSize": 100, **volume}
    return resource("AWS::OpenSearchService::Domain", properties, **usage)


def test_every_kind_of_node_and_every_volume_of_a_data_node_pays() -> None:
    masters = {
        "DedicatedMasterEnabled": True,
        "DedicatedMasterType": "m7g.medium.search",
        "DedicatedMasterCount": 3,
    }
    assert dollars({"Search": domain(masters, {})}) == {
        "Data nodes (m7g.large.search)": Decimal("197.1"),  # 2 × 730 h × $0.135
        "Dedicated masters (m7g.medium.search)": Decimal("148.92"),  # 3 × 730 h × $0.068
        "Volumes (gp3)": Decimal("24.4"),  # 2 × 100 GB × $0.122
    }


COORDINATORS = {"Enabled": False, "Type": "m7g.large.search", "Count": 2}


@pytest.mark.parametrize("setting", ["DedicatedMasterEnabled", "WarmEnabled"])
def test_nodes_that_are_off_pay_nothing(setting: str) -> None:
    off = {
        setting: False,
        "DedicatedMasterType": "m7g.medium.search",
        "DedicatedMasterCount": 3,
        "WarmType": "ultrawarm1.medium.search",
        "WarmCount": 2,
        "NodeOptions": [{"NodeType": "coordinator", "NodeConfig": COORDINATORS}],
    }
    assert sum_of({"Search": domain(off)}) == Decimal("197.1")
    assert sum_of({"Search": domain({"InstanceCount": None})}) == Decimal(
        "98.55"
    )  # one, where nothing is said


def test_warm_and_coordinating_nodes_pay_and_warm_data_is_managed_storage() -> None:
    tiers = {
        "WarmEnabled": True,
        "WarmType": "ultrawarm1.medium.search",
        "WarmCount": 2,
        "NodeOptions": [
            {
                "NodeType": "coordinator",
                "NodeConfig": {"Enabled": True, "Type": "t3.medium.search", "Count": 1},
            }
        ],
    }
    found = dollars({"Search": domain(tiers, managed_stored_gb=1_000)})
    assert found["Warm nodes (ultrawarm1.medium.search)"] == Decimal("347.48")  # 2 × 730 h × $0.238
    assert found["Coordinators (t3.medium.search)"] == Decimal("53.29")  # 730 h × $0.073
    assert found["Managed storage"] == Decimal(24)  # 1,000 GB × $0.024
    assert undeclared({"Search": domain(tiers)}) == ["Managed storage"]


def test_or1_nodes_keep_data_in_managed_storage_too() -> None:
    remote = domain({"InstanceType": "or1.large.search"}, {}, managed_stored_gb=100)
    assert dollars({"Search": remote})["Managed storage"] == Decimal("2.4")


@pytest.mark.parametrize(
    ("volume", "component", "paid"),
    [
        ({"VolumeType": "gp2"}, "Volumes (gp2)", "27"),  # 2 × 100 GB × $0.135
        ({"VolumeType": "standard"}, "Volumes (standard)", "13.4"),  # 2 × 100 GB × $0.067
        ({"VolumeType": "io1", "Iops": 1_000}, "Volumes (io1)", "33.8"),  # 2 × 100 GB × $0.169
        ({"VolumeType": "io1", "Iops": 1_000}, "IOPS (io1)", "176"),  # 2 × 1,000 × $0.088
        ({"Iops": 3_000, "Throughput": 125}, "Volumes (gp3)", "24.4"),
        ({"VolumeSize": 171, "Throughput": 250}, "Volumes (gp3)", "41.724"),  # 2 × 171 GB × $0.122
    ],
)
def test_a_volume_pays_by_its_type(volume: Properties, component: str, paid: str) -> None:
    assert dollars({"Search": domain({}, volume)})[component] == Decimal(paid)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"EngineVersion": "OpenSearch_1.2"}, "OpenSearch 1.2 pays for extended support"),
        ({"EngineVersion": "OpenSearch_2.9"}, "OpenSearch 2.9 pays for extended support"),
        ({"EngineVersion": "Elasticsearch_6.7"}, "Elasticsearch 6.7 pays for extended support"),
        ({"EngineVersion": "Solr_9"}, "EngineVersion is Solr"),
        ({"EngineMode": "OPTIMIZED"}, "EngineMode is OPTIMIZED"),
        ({"AIMLOptions": {"S3VectorsEngine": {"Enabled": True}}}, "S3VectorsEngine"),
        ({"ClusterConfig": {"InstanceCount": 1}}, "InstanceType is None"),
        (
            {"ClusterConfig": {"InstanceType": "m7g.large.search", "NodeOptions": [{"NodeType": "ingest"}]}},
            "NodeType is ingest",
        ),
        ({"ClusterConfig": {"InstanceType": "x9.large.search"}}, "no price 'opensearch.x9.large.search'"),
        ({"EBSOptions": {"EBSEnabled": True}}, "VolumeSize is None"),
        ({"EBSOptions": {"EBSEnabled": True, "VolumeSize": 9, "VolumeType": "sc1"}}, "VolumeType is sc1"),
        (
            {"EBSOptions": {"EBSEnabled": True, "VolumeSize": 9, "VolumeType": "gp3", "Iops": 3_001}},
            "Iops is 3001",
        ),
        (
            {"EBSOptions": {"EBSEnabled": True, "VolumeSize": 170, "VolumeType": "gp3", "Throughput": 250}},
            "gp3 includes 125",
        ),
    ],
)
def test_a_domain_of_another_price_is_refused(changed: Properties, word: str) -> None:
    made = domain()
    made["Properties"] |= changed
    refused({"Search": made}, word)


@pytest.mark.parametrize(
    "version",
    ["OpenSearch_1.3", "OpenSearch_2.11", "OpenSearch_3.3", "Elasticsearch_6.8", "Elasticsearch_7.10"],
)
def test_versions_under_standard_support_are_priced(version: str) -> None:
    made = domain()
    made["Properties"]["EngineVersion"] = version
    made["Properties"]["AIMLOptions"] = {"S3VectorsEngine": {"Enabled": False}}
    assert sum_of({"Search": made}) == Decimal("197.1")


def test_managed_storage_that_no_node_has_is_refused() -> None:
    refused({"Search": domain(managed_stored_gb=1)}, "managed_stored_gb is declared")


def test_a_volume_holds_what_opensearch_and_linux_leave_of_it() -> None:
    # 2 × (100 GB − 20 GB) × 0.95; of large volumes OpenSearch keeps 20 GB at most
    checked = limit({"Search": domain({}, {}, stored_gb=76)}, "Volumes of the data nodes")
    assert (checked.quota, checked.headroom) == (Decimal(152), Decimal("0.5"))
    large = limit({"Search": domain({}, {"VolumeSize": 520}, stored_gb=1)}, "Volumes of the data nodes")
    assert large.quota == Decimal(950)
    assert "VolumeSize" in checked.advice
    old = elasticsearch(EBSOptions={"EBSEnabled": True, "VolumeSize": 100})
    assert limit({"Search": old}, "Data nodes of the domain").quota == Decimal(80)


def test_a_domain_has_so_many_data_nodes() -> None:
    checked = limit({"Search": domain({"InstanceCount": 100})}, "Data nodes of the domain")
    assert (checked.quota, checked.breaks, checked.adjustable) == (Decimal(80), True, True)


def test_one_node_and_dear_volumes_are_pointed_out() -> None:
    assert warnings({"Search": domain({"InstanceCount": 1}, {"VolumeType": "gp2"})}) == (
        # 100 GB × ($0.135 − $0.122)
        "Search: gp2 costs $0.135 a GB and gp3, which is faster, $0.122: $1.30 a month less for 100 GB",
        "Search: it has one data node, so its data is in one place only and replicas are never assigned",
    )


def test_a_domain_on_its_own_disks_is_not_advised_about_volumes() -> None:
    assert warnings({"Search": domain({"InstanceType": "i8g.large.search"})}) == ()


def elasticsearch(**changed: Any) -> Properties:
    cluster = {"InstanceType": "m6g.large.elasticsearch", "InstanceCount": 2}
    properties = {"ElasticsearchVersion": "7.10", "ElasticsearchClusterConfig": cluster, **changed}
    return resource("AWS::Elasticsearch::Domain", {key: each for key, each in properties.items() if each})


def test_an_elasticsearch_domain_pays_as_opensearch_does() -> None:
    assert sum_of({"Search": elasticsearch()}) == Decimal("186.88")  # 2 × 730 h × $0.128


@pytest.mark.parametrize("version", [None, "5.6", "6.7", "7.8"])
def test_an_old_elasticsearch_is_refused_and_so_is_one_without_a_version(version: str | None) -> None:
    refused({"Search": elasticsearch(ElasticsearchVersion=version)}, "extended support")


def collection(kind: str = "SEARCH", properties: Properties | None = None, **usage: Any) -> Properties:
    made = {"Name": "c", "Type": kind, **(properties or {})}
    return resource("AWS::OpenSearchServerless::Collection", made, **usage)


def test_collections_share_the_least_units_of_their_account() -> None:
    one = {"A": collection(average_ocus=1)}
    assert sum_of(one, traffic=0) == Decimal("350.4")  # 2 OCU × 730 h × $0.24
    both = {**one, "B": collection("TIMESERIES", average_ocus=2)}
    assert sum_of(both, traffic=0) == Decimal("350.4")
    assert sum_of(both) == Decimal("525.6")  # 3 OCU × 730 h × $0.24


@pytest.mark.parametrize(
    "other",
    [
        collection("VECTORSEARCH"),
        collection(properties={"EncryptionConfig": {"KmsKeyArn": "another"}}),
    ],
)
def test_vectors_and_other_keys_have_units_of_their_own(other: Properties) -> None:
    assert sum_of({"A": collection(), "B": other}, traffic=0) == Decimal("700.8")


def test_without_standby_one_unit_is_the_least() -> None:
    single = collection(properties={"StandbyReplicas": "DISABLED"}, stored_gb=100)
    assert sum_of({"A": single}, traffic=0) == Decimal("175.2")
    assert dollars({"A": single})["Stored data"] == Decimal("2.4")  # 100 GB × $0.024


def test_collections_of_two_regions_share_nothing() -> None:
    places = ("us-east-1", "eu-west-1")
    stacks = tuple(stack({"A": collection()}, name=place, region=place) for place in places)
    assert price(Assembly(Path(), stacks), region="us-east-1").idle_usd == Decimal("700.8")


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"CollectionGroupName": "g"}, "CollectionGroupName"),
        ({"VectorOptions": {"ServerlessVectorAcceleration": "ENABLED"}}, "ServerlessVectorAcceleration"),
        ({"Type": "GRAPH"}, "Type is GRAPH"),
    ],
)
def test_a_collection_of_another_price_is_refused(properties: Properties, word: str) -> None:
    refused({"A": collection(properties=properties)}, word)


def test_an_endpoint_of_collections_pays_in_each_zone() -> None:
    properties = {"SubnetIds": ["a", "b", "c"]}
    made = resource("AWS::OpenSearchServerless::VpcEndpoint", properties, processed_gb_per_month=50)
    assert sum_of({"E": made}) == Decimal("22.4")  # 3 × 730 h × $0.01 + 50 GB × $0.01


# Glue, Athena, Flink, EMR


def job(properties: Properties | None = None, **usage: Any) -> Properties:
    made = {"Command": {"Name": "glueetl"}, "WorkerType": "G.1X", "NumberOfWorkers": 10, **(properties or {})}
    return resource("AWS::Glue::Job", made, **usage)


RUNS = {"runs_per_month": 30, "run_minutes": 12}


@pytest.mark.parametrize(
    ("properties", "paid"),
    [
        ({}, "26.4"),  # 30 × 12 min ÷ 60 × 10 DPU × $0.44
        ({"WorkerType": "G.025X"}, "6.6"),
        ({"WorkerType": "G.4X"}, "105.6"),
        ({"ExecutionClass": "FLEX"}, "17.4"),  # at $0.29
        ({"GlueVersion": "6.0"}, "18.48"),  # at $0.308
        ({"WorkerType": None, "NumberOfWorkers": None, "MaxCapacity": 5}, "13.2"),
        ({"WorkerType": None, "NumberOfWorkers": None}, "26.4"),  # ten DPUs, where nothing is said
    ],
)
def test_a_job_pays_for_its_workers_while_it_runs(properties: Properties, paid: str) -> None:
    assert sum_of({"Job": job(properties, **RUNS)}) == Decimal(paid)


def test_a_run_counts_a_minute_at_least() -> None:
    shell = {"Command": {"Name": "pythonshell"}, "WorkerType": None, "NumberOfWorkers": None}
    # 960 runs × 1 min ÷ 60 × 0.0625 DPU = 1 DPU-hour
    short, whole = ({"Job": job(shell, runs_per_month=960, run_minutes=each)} for each in ("0.1", 1))
    assert sum_of(short) == sum_of(whole) == Decimal("0.44")


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"Command": {"Name": "glueray"}}, "glueray"),
        ({"WorkerType": "R.1X"}, "R.1X"),
        ({"WorkerType": "Z.2X"}, "Z.2X"),
        ({"NumberOfWorkers": None}, "NumberOfWorkers"),
        ({"ExecutionClass": "FLEX", "GlueVersion": "6.0"}, "FLEX with GlueVersion 6"),
    ],
)
def test_a_job_of_another_price_is_refused(properties: Properties, word: str) -> None:
    refused({"Job": job(properties)}, word)


def test_a_job_that_scales_is_counted_in_full_and_says_so() -> None:
    scaling = {"DefaultArguments": {"--enable-auto-scaling": "true"}}
    assert "scales its workers" in warnings({"Job": job(scaling)})[0]
    assert warnings({"Job": job()}) == ()


def test_crawlers_the_catalogue_and_development_endpoints_pay() -> None:
    resources = {
        "Crawler": resource("AWS::Glue::Crawler", dpu_hours_per_month=10),
        "Lake": resource("AWS::Glue::Database", stored_objects=100_000, requests_per_month=MILLION),
        "Bench": resource("AWS::Glue::DevEndpoint", {"NumberOfNodes": 2}),
    }
    assert dollars(resources) == {
        "Crawls": Decimal("4.4"),  # 10 × $0.44
        "Catalogue objects": Decimal(1),  # 100,000 × $0.00001
        "Catalogue requests": Decimal(1),  # 1 M × $1/M
        "Endpoints (development)": Decimal("642.4"),  # 2 × 730 h × $0.44
    }
    assert sum_of({"Bench": resource("AWS::Glue::DevEndpoint")}) == Decimal(1_606)  # five nodes


def workgroup(properties: Properties | None = None, **usage: Any) -> Properties:
    return resource("AWS::Athena::WorkGroup", {"Name": "reports", **(properties or {})}, **usage)


SPARK = {"WorkGroupConfiguration": {"EngineVersion": {"SelectedEngineVersion": "PySpark engine version 3"}}}


def test_a_workgroup_pays_for_what_it_scans_and_spark_for_its_units() -> None:
    assert sum_of({"W": workgroup(scanned_tb_per_month=3)}) == Decimal(15)  # 3 TB × $5
    assert sum_of({"W": workgroup(SPARK, spark_dpu_hours_per_month=10)}) == Decimal("3.5")  # 10 × $0.35


@pytest.mark.parametrize("named", ["reports", {"Ref": "W"}])
def test_reserved_capacity_pays_instead_of_the_queries(named: Any) -> None:
    assigned = {"CapacityAssignments": [{"WorkgroupNames": [named]}]}
    properties = {"TargetDpus": 24, "CapacityAssignmentConfiguration": assigned}
    reservation = resource("AWS::Athena::CapacityReservation", properties)
    resources = {"W": workgroup(), "R": reservation}
    assert sum_of(resources) == Decimal(5_256)  # 24 × 730 h × $0.30
    assert undeclared(resources) == []
    refused({"W": workgroup(scanned_tb_per_month=1), "R": reservation}, "scanned_tb_per_month is declared")


def test_a_reservation_for_another_workgroup_changes_nothing() -> None:
    assigned = {"CapacityAssignments": [{"WorkgroupNames": ["others"]}]}
    properties = {"TargetDpus": 24, "CapacityAssignmentConfiguration": assigned}
    reservation = resource("AWS::Athena::CapacityReservation", properties)
    resources = {"W": workgroup(scanned_tb_per_month=1), "R": reservation}
    assert dollars(resources)["Data scanned"] == Decimal(5)


@pytest.mark.parametrize(
    "made", [workgroup(spark_dpu_hours_per_month=1), workgroup(SPARK, scanned_tb_per_month=1)]
)
def test_usage_of_the_other_engine_is_refused(made: Properties) -> None:
    refused({"W": made}, "is declared")


def test_a_query_without_a_bound_is_pointed_out() -> None:
    assert "BytesScannedCutoffPerQuery" in warnings({"W": workgroup()})[0]
    assert warnings({"W": workgroup({"WorkGroupConfiguration": {"BytesScannedCutoffPerQuery": 10**9}})}) == ()


def flink(parallelism: Properties, **usage: Any) -> Properties:
    configuration = {"FlinkApplicationConfiguration": {"ParallelismConfiguration": parallelism}}
    properties = {"RuntimeEnvironment": "FLINK-1_20", "ApplicationConfiguration": configuration}
    return resource("AWS::KinesisAnalyticsV2::Application", properties, **usage)


def test_a_flink_application_pays_for_its_units_one_more_and_storage() -> None:
    made = {"F": flink({"Parallelism": 5, "ParallelismPerKPU": 2, "AutoScalingEnabled": False})}
    assert dollars(made) == {
        "Processing (Flink)": Decimal("240.9"),  # ⌈5 ÷ 2⌉ = 3 KPU × 730 h × $0.11
        "Orchestration": Decimal("80.3"),  # 730 h × $0.11
        "Running storage (Flink)": Decimal(15),  # 3 × 50 GB × $0.10
    }


def test_scaling_adds_to_the_units_it_starts_with() -> None:
    scaled = {"F": flink({"Parallelism": 1}, average_kpus=3)}
    found = dollars(scaled)
    assert found["Processing (Flink, as load grows)"] == Decimal("160.6")  # 2 KPU × 730 h × $0.11
    assert found["Running storage (Flink, as load grows)"] == Decimal(10)  # 2 × 50 GB × $0.10
    assert sum_of(scaled, traffic=0) == Decimal("165.6")  # 2 × 730 h × $0.11 + 50 GB × $0.10
    refused({"F": flink({"AutoScalingEnabled": False}, average_kpus=3)}, "average_kpus is declared")
    assert dollars({"F": flink({}, backup_gb=100)})["Backups"] == Decimal("2.3")  # 100 GB × $0.023


def test_a_notebook_has_one_unit_more_and_sql_is_gone() -> None:
    kind = "AWS::KinesisAnalyticsV2::Application"
    notebook = {"RuntimeEnvironment": "ZEPPELIN-FLINK-3_0", "ApplicationMode": "INTERACTIVE"}
    assert dollars({"N": resource(kind, notebook)})["Orchestration"] == Decimal("160.6")  # 2 × 730 h × $0.11
    refused({"N": resource(kind, {"RuntimeEnvironment": "SQL-1_0"})}, "SQL-1_0")


def emr(properties: Properties, **usage: Any) -> Properties:
    return resource("AWS::EMRServerless::Application", {"Type": "Spark", **properties}, **usage)


def capacity(cpu: str = "4 vCPU", memory: str = "16 GB", **more: Any) -> list[Properties]:
    worker = {"Cpu": cpu, "Memory": memory, **more}
    return [{"Key": "Driver", "Value": {"WorkerCount": 2, "WorkerConfiguration": worker}}]


def test_emr_serverless_pays_for_vcpus_and_memory() -> None:
    made = emr({}, vcpu_hours_per_month=1_000, memory_gb_hours_per_month=4_000)
    assert sum_of({"E": made}) == Decimal("75.738")  # 1,000 × $0.052624 + 4,000 × $0.0057785


def test_initial_workers_that_never_stop_are_paid_all_the_time() -> None:
    always = {"InitialCapacity": capacity(), "AutoStopConfiguration": {"Enabled": False}}
    # 2 × 4 vCPU × 730 h × $0.052624 + 2 × 16 GB × 730 h × $0.0057785
    assert sum_of({"E": emr(always)}) == Decimal("442.30992")
    assert "never stop" in warnings({"E": emr(always)})[0]
    for properties in ({"InitialCapacity": capacity()}, {"AutoStopConfiguration": {"Enabled": False}}):
        assert (sum_of({"E": emr(properties)}), warnings({"E": emr(properties)})) == (Decimal(0), ())


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"Architecture": "ARM64"}, "Architecture is ARM64"),
        ({"InitialCapacity": capacity(Disk="200 GB")}, "more storage"),
        ({"InitialCapacity": capacity(Disk="20 GB", DiskType="SHUFFLE_OPTIMIZED")}, "more storage"),
        ({"InitialCapacity": capacity(cpu="many")}, "Cpu is many"),
    ],
)
def test_emr_serverless_of_another_price_is_refused(properties: Properties, word: str) -> None:
    refused({"E": emr(properties)}, word)


# Redshift, Airflow, DMS


def warehouse(properties: Properties | None = None, **usage: Any) -> Properties:
    made = {"NodeType": "ra3.xlplus", "ClusterType": "multi-node", "NumberOfNodes": 2, **(properties or {})}
    return resource("AWS::Redshift::Cluster", made, **usage)


def test_a_warehouse_pays_for_nodes_data_and_what_few_use() -> None:
    made = warehouse(
        {"ManageMasterPassword": True},
        stored_gb=1_000,
        concurrency_scaling_hours_per_month=10,
        spectrum_scanned_tb_per_month=2,
    )
    assert dollars({"W": made}) == {
        "Nodes (ra3.xlplus)": Decimal("1585.56"),  # 2 × 730 h × $1.086
        "Managed storage": Decimal(24),  # 1,000 GB × $0.024
        "Concurrency scaling (ra3.xlplus)": Decimal("21.72"),  # 2 nodes × 10 h × $1.086
        "Data scanned (Spectrum)": Decimal(10),  # 2 TB × $5
        "Secrets (master password)": Decimal("0.4"),
    }
    assert undeclared({"W": warehouse()}) == ["Managed storage"]


def test_a_second_zone_doubles_the_nodes_and_a_single_node_is_one() -> None:
    assert sum_of({"W": warehouse({"MultiAZ": True})}) == Decimal("3171.12")
    single = {"ClusterType": "single-node", "NodeType": "ra3.large", "NumberOfNodes": None}
    assert sum_of({"W": warehouse(single)}) == Decimal("396.39")  # 730 h × $0.543


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"NodeType": "dc2.large"}, "NodeType is dc2.large"),
        ({"DestinationRegion": "eu-west-1"}, "DestinationRegion"),
        ({"ClusterType": "star"}, "ClusterType is star"),
        ({"NumberOfNodes": None}, "NumberOfNodes is None"),
    ],
)
def test_a_warehouse_of_another_price_is_refused(properties: Properties, word: str) -> None:
    refused({"W": warehouse(properties)}, word)


def test_a_serverless_warehouse_pays_for_queries_and_data_apart() -> None:
    resources = {
        "W": resource("AWS::RedshiftServerless::Workgroup", {"BaseCapacity": 8}, rpu_hours_per_month=100),
        "N": resource("AWS::RedshiftServerless::Namespace", {"ManageAdminPassword": True}, stored_gb=100),
    }
    assert dollars(resources) == {
        "Processing": Decimal("37.5"),  # 100 × $0.375
        "Managed storage": Decimal("2.4"),
        "Secrets (admin password)": Decimal("0.4"),
    }
    assert warnings(resources) == ()
    assert sum_of({"N": resource("AWS::RedshiftServerless::Namespace")}) == 0


def test_the_default_base_capacity_is_pointed_out() -> None:
    # 128 RPU × 60 s ÷ 3,600 × $0.375
    assert "costs $0.80 at least" in warnings({"W": resource("AWS::RedshiftServerless::Workgroup")})[0]


def test_a_namespace_that_copies_snapshots_is_refused() -> None:
    copies = {"SnapshotCopyConfigurations": [{"DestinationRegion": "eu-west-1"}]}
    refused({"N": resource("AWS::RedshiftServerless::Namespace", copies)}, "SnapshotCopyConfigurations")


def airflow(properties: Properties | None = None, **usage: Any) -> Properties:
    return resource("AWS::MWAA::Environment", {"Name": "a", **(properties or {})}, **usage)


@pytest.mark.parametrize(
    ("properties", "running", "paid"),
    [
        ({}, 1, "357.7"),  # 730 h × $0.49, one worker in it
        ({}, 3, "438"),  # and 2 × 730 h × $0.055
        ({"MinWorkers": 2}, 1, "397.85"),
        ({"MaxWorkers": 2}, 9, "397.85"),
        ({}, 99, "719.05"),  # nine more, the most where nothing is said
        ({"EnvironmentClass": "mw1.medium", "MaxWorkers": 1}, None, "540.2"),  # 730 h × $0.74
    ],
)
def test_an_environment_pays_and_each_worker_beyond_the_first(
    properties: Properties, running: int | None, paid: str
) -> None:
    usage: Properties = {} if running is None else {"average_workers": running}
    assert sum_of({"A": airflow(properties, **usage)}) == Decimal(paid)


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"EnvironmentClass": "mw1.micro"}, "mw1.micro"),
        ({"EnvironmentClass": "mw1.medium"}, "known for mw1.small only"),
        ({"Schedulers": 3}, "Schedulers is 3"),
        ({"MinWebservers": 3}, "MinWebservers is 3"),
        ({"MaxWebservers": 3}, "MaxWebservers is 3"),
    ],
)
def test_an_environment_of_another_price_is_refused(properties: Properties, word: str) -> None:
    refused({"A": airflow(properties)}, word)


def test_workers_of_a_fixed_number_depend_on_no_usage() -> None:
    fixed = {"A": airflow({"MinWorkers": 3, "MaxWorkers": 3})}
    assert (sum_of(fixed), undeclared(fixed)) == (Decimal("438"), [])


def replication(properties: Properties | None = None) -> Properties:
    made = {"ReplicationInstanceClass": "dms.t3.micro", "PubliclyAccessible": False, **(properties or {})}
    return resource("AWS::DMS::ReplicationInstance", made)


@pytest.mark.parametrize(
    ("properties", "paid"),
    [
        ({}, "13.578"),  # 730 h × $0.0186
        ({"AllocatedStorage": 50}, "13.578"),
        ({"AllocatedStorage": 60}, "14.728"),  # 10 GB above 50 × $0.115
        ({"AllocatedStorage": 60, "MultiAZ": True}, "29.456"),  # 2 × 730 h; 10 GB × $0.23
        ({"PubliclyAccessible": True}, "17.228"),  # 730 h × $0.005
    ],
)
def test_a_replication_instance_pays_for_hours_and_storage_beyond_what_is_included(
    properties: Properties, paid: str
) -> None:
    assert sum_of({"R": replication(properties)}) == Decimal(paid)


def test_larger_classes_include_a_hundred_gigabytes_and_a_public_address_is_the_default() -> None:
    for gigabytes in (None, 50, 100):
        large = {"ReplicationInstanceClass": "dms.c5.large", "AllocatedStorage": gigabytes}
        assert sum_of({"R": replication(large)}) == Decimal("112.42")  # 730 h × $0.154
    larger = {"ReplicationInstanceClass": "dms.c5.large", "AllocatedStorage": 110}
    assert sum_of({"R": replication(larger)}) == Decimal("113.57")  # 10 GB × $0.115
    assert warnings({"R": replication()}) == ()
    silent = resource("AWS::DMS::ReplicationInstance", {"ReplicationInstanceClass": "dms.t3.micro"})
    assert sum_of({"R": silent}) == Decimal("17.228")
    assert "public address" in warnings({"R": silent})[0]


def serverless_replication(kind: str = "cdc", compute: Properties | None = None, **usage: Any) -> Properties:
    properties = {"ReplicationType": kind, "ComputeConfig": {"MaxCapacityUnits": 8, **(compute or {})}}
    return resource("AWS::DMS::ReplicationConfig", properties, **usage)


def test_a_replication_of_changes_has_a_floor_and_a_full_load_none() -> None:
    changes = {"R": serverless_replication(compute={"MinCapacityUnits": 2}, average_dcus=100)}
    assert sum_of(changes, traffic=0) == Decimal("127.02")  # 2 × 730 h × $0.087
    assert sum_of(changes) == Decimal("508.08")  # 8, the most
    load = {"R": serverless_replication("full-load", average_dcus=1)}
    assert (sum_of(load, traffic=0), sum_of(load)) == (Decimal(0), Decimal("63.51"))
    assert sum_of({"R": serverless_replication()}) == Decimal("63.51")  # 1 DCU, where nothing is said
    refused({"R": serverless_replication(compute={"MultiAZ": True})}, "MultiAZ is on")


# Batch, and tasks that no service runs


def batch(kind: str, properties: Properties | None = None, **usage: Any) -> Properties:
    made = {"Type": kind, "MaxvCpus": 64, **(properties or {})}
    return resource("AWS::Batch::ComputeEnvironment", {"Type": "managed", "ComputeResources": made}, **usage)


HOURS: Properties = {"vcpu_hours_per_month": 1_000, "memory_gb_hours_per_month": 2_000}


def fargate_job(architecture: str, system: str = "LINUX") -> Properties:
    platform = {"CpuArchitecture": architecture, "OperatingSystemFamily": system}
    properties = {"PlatformCapabilities": ["FARGATE"], "ContainerProperties": {"RuntimePlatform": platform}}
    return resource("AWS::Batch::JobDefinition", properties)


def test_jobs_on_fargate_pay_for_vcpus_and_memory_by_their_architecture() -> None:
    intel = Decimal("49.37")  # 1,000 × $0.04048 + 2,000 × $0.004445
    arm = Decimal("39.5")  # 1,000 × $0.03238 + 2,000 × $0.00356
    environment = {"B": batch("FARGATE", **HOURS)}
    assert sum_of(environment) == intel
    assert sum_of({**environment, "J": fargate_job("ARM64")}) == arm
    assert sum_of({**environment, "J": fargate_job("ARM64"), "K": fargate_job("X86_64")}) == intel
    on_instances = resource("AWS::Batch::JobDefinition", {"PlatformCapabilities": ["EC2"]})
    assert sum_of({**environment, "J": fargate_job("ARM64"), "K": on_instances}) == arm
    refused({**environment, "J": fargate_job("X86_64", "WINDOWS_SERVER_2022_CORE")}, "Windows")


def test_spot_is_priced_as_on_demand_and_says_so() -> None:
    assert sum_of({"B": batch("FARGATE_SPOT", **HOURS)}) == Decimal("49.37")
    spot = {"B": batch("SPOT", {"InstanceTypes": ["c7g.large"]}, vcpu_hours_per_month=1_000)}
    on_demand = {"B": batch("EC2", {"InstanceTypes": ["c7g.large"]}, vcpu_hours_per_month=1_000)}
    assert sum_of(spot) == sum_of(on_demand)
    for resources in (spot, {"B": batch("FARGATE_SPOT")}):
        assert any("the price of Spot moves" in each for each in warnings(resources))
    assert warnings(on_demand) == ()


def test_jobs_on_instances_pay_for_their_hours_and_volumes() -> None:
    made = {"B": batch("EC2", {"InstanceTypes": ["m7g.xlarge"], "MinvCpus": 8}, vcpu_hours_per_month=1_460)}
    assert dollars(made) == {
        "Instances (m7g.xlarge)": Decimal("238.272"),  # 8 ÷ 4 vCPU × 730 h × $0.1632
        "Instances (m7g.xlarge, jobs)": Decimal("59.568"),  # 1,460 ÷ 4 vCPU = 365 h × $0.1632
        "Volumes (gp3)": Decimal("4.8"),  # 2 × 30 GB × $0.08
        "Volumes (gp3, jobs)": Decimal("1.2"),  # 365 h ÷ 730 h × 30 GB × $0.08
    }
    assert sum_of(made, traffic=0) == Decimal("243.072")


def test_of_several_types_the_dearest_is_taken_and_a_family_is_its_large_one() -> None:
    several = {"B": batch("EC2", {"InstanceTypes": ["c7g", "m7g.xlarge"]}, vcpu_hours_per_month=1_460)}
    assert dollars(several)["Instances (m7g.xlarge, jobs)"] == Decimal("59.568")
    assert "all hours are priced as m7g.xlarge" in warnings(several)[0]


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (batch("EC2", {"InstanceTypes": ["optimal"]}), "AWS chooses the type"),
        (batch("EC2", {"InstanceTypes": ["default_x86_64"]}), "AWS chooses the type"),
        (batch("EC2"), "InstanceTypes is missing"),
        (batch("EC2", {"InstanceTypes": ["c7g.large"]}, memory_gb_hours_per_month=1), "is declared"),
        (batch("LAMBDA"), "LAMBDA"),
        (resource("AWS::Batch::ComputeEnvironment", {"Type": "UNMANAGED"}, **HOURS), "UNMANAGED"),
    ],
)
def test_an_environment_for_jobs_of_another_price_is_refused(made: Properties, word: str) -> None:
    refused({"B": made}, word)


def test_an_environment_bounds_the_jobs_at_once_and_the_account_their_submission() -> None:
    busy = {"A": batch("FARGATE", peak_vcpus=96, peak_jobs_per_second=40)}
    at_once = limit(busy, "vCPUs of jobs at once")
    assert (at_once.quota, at_once.breaks) == (Decimal(64), True)
    assert at_once.advice == "raise MaxvCpus of A in the template"
    two = {**busy, "B": batch("FARGATE", peak_jobs_per_second=20)}
    submitted = limit(two, "Batch jobs submitted a second")
    assert (submitted.quota, submitted.load) == (Decimal(50), Decimal(60))


def task(properties: Properties | None = None, **usage: Any) -> Properties:
    made = {
        "RequiresCompatibilities": ["FARGATE"],
        "Cpu": "1024",
        "Memory": "2048",
        "RuntimePlatform": {"CpuArchitecture": "ARM64"},
        **(properties or {}),
    }
    return resource("AWS::ECS::TaskDefinition", made, **usage)


def service(definition: str) -> Properties:
    properties = {"LaunchType": "FARGATE", "TaskDefinition": {"Ref": definition}, "DesiredCount": 1}
    return resource("AWS::ECS::Service", properties)


def test_a_task_that_no_service_runs_pays_for_its_hours() -> None:
    made = {"T": task({"EphemeralStorage": {"SizeInGiB": 120}}, task_hours_per_month=100)}
    assert dollars(made) == {
        "Task vCPUs (arm)": Decimal("3.238"),  # 100 h × $0.03238
        "Task memory (arm)": Decimal("0.712"),  # 200 GB-h × $0.00356
        "Task storage (ephemeral)": Decimal("1.11"),  # 100 GB above 20 × 100 h × $0.000111
    }
    assert undeclared({"T": task()}) == ["Task vCPUs (arm)", "Task memory (arm)"]


def test_a_task_of_a_service_is_paid_once() -> None:
    alone = sum_of({"S": service("T"), "T": task()})
    assert alone == Decimal("28.8350")  # 730 h × ($0.03238 + 2 × $0.00356)
    assert undeclared({"S": service("T"), "T": task()}) == []
    # Run by a schedule as well, it says so itself.
    both = {"S": service("T"), "T": task(task_hours_per_month=100)}
    assert sum_of(both) == alone + Decimal("3.95")  # 100 h × ($0.03238 + 2 × $0.00356)


def test_a_task_for_instances_costs_nothing_by_itself_and_windows_is_refused() -> None:
    on_instances = {"T": task({"RequiresCompatibilities": ["EC2"]})}
    assert price(assembly(on_instances)).lines == ()
    windows = {"RuntimePlatform": {"OperatingSystemFamily": "WINDOWS_SERVER_2022_CORE"}}
    refused({"T": task(windows)}, "OperatingSystemFamily")


# Media


def template(properties: Properties | None = None, **usage: Any) -> Properties:
    return resource("AWS::MediaConvert::JobTemplate", properties or {}, **usage)


def queue(properties: Properties | None = None, **usage: Any) -> Properties:
    return resource("AWS::MediaConvert::Queue", properties or {}, **usage)


def test_transcoding_pays_by_tiers_of_the_whole_account() -> None:
    first = {"T": template(normalized_minutes_per_month=100_000)}
    assert sum_of(first) == Decimal(750)  # 100,000 × $0.0075
    more = {**first, "Q": queue(normalized_minutes_per_month=100_000)}
    assert sum_of(more) == Decimal(1_280)  # and 100,000 × $0.0053


def test_other_tiers_are_lines_where_they_are_used() -> None:
    made = {"T": template(professional_minutes_per_month=1_000, audio_minutes_per_month=1_000)}
    assert dollars(made) == {
        "Transcoding (professional)": Decimal(12),  # 1,000 × $0.012
        "Transcoding (audio)": Decimal(3),  # 1,000 × $0.003
    }


def test_a_job_is_counted_on_its_template_or_on_its_queue_but_not_on_both() -> None:
    of_queue = {"Queue": to("Q")}
    on_template = {"T": template(of_queue, normalized_minutes_per_month=1_000), "Q": queue()}
    on_queue = {"T": template(of_queue), "Q": queue(normalized_minutes_per_month=1_000)}
    for resources in (on_template, on_queue):
        assert sum_of(resources) == Decimal("7.5")
        assert undeclared(resources) == []
    assert undeclared({"T": template(of_queue), "Q": queue()}) == ["Transcoding (basic)"]


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (queue({"PricingPlan": "RESERVED"}), "PricingPlan is RESERVED"),
        (template({"AccelerationSettings": {"Mode": "PREFERRED"}}), "Mode is PREFERRED"),
    ],
)
def test_transcoding_of_another_price_is_refused(made: Properties, word: str) -> None:
    refused({"M": made}, word)


def test_a_queue_runs_so_many_jobs_at_once() -> None:
    busy = {"Q": queue(peak_concurrent_jobs=150, peak_jobs_per_second=10)}
    assert limit(busy, "Jobs of the queue at once").headroom == Decimal("0.25")  # 150 of 200
    assert limit(busy, "MediaConvert jobs created a second").breaks  # 10 of 5
    assert limits(assembly({"Q": queue(normalized_minutes_per_month=1)})) == []


@pytest.mark.parametrize("version", ["MediaPackage", "MediaPackageV2"])
def test_live_packaging_pays_for_bytes_in_and_out(version: str) -> None:
    resources = {
        "C": resource(f"AWS::{version}::Channel", ingested_gb_per_month=1_000),
        "E": resource(f"AWS::{version}::OriginEndpoint", originated_gb_per_month=1_000),
    }
    assert sum_of(resources) == Decimal(80)  # 1,000 GB × $0.03 and × $0.05
    # A channel that is live costs the same whether anybody watches or not.
    assert sum_of(resources, traffic=0) == Decimal(30)
    outside = resource(
        f"AWS::{version}::OriginEndpoint", originated_gb_per_month=100, egress_gb_per_month=100
    )
    assert sum_of({"E": outside}) == Decimal(14)  # 100 GB × $0.05 and × $0.09


def test_inserted_ads_are_paid_by_the_thousand() -> None:
    made = resource("AWS::MediaTailor::PlaybackConfiguration", ads_per_month=500_000)
    assert sum_of({"A": made}) == Decimal(375)  # 500 × $0.75


@pytest.mark.parametrize(("tier", "paid"), [(None, "73"), ("BASIC", "73"), ("STANDARD", "255.5")])
def test_an_assembled_channel_pays_by_its_tier(tier: str | None, paid: str) -> None:
    properties = {"Tier": tier} if tier else {}
    assert sum_of({"C": resource("AWS::MediaTailor::Channel", properties)}) == Decimal(paid)


def test_a_flow_pays_for_its_hours_and_the_bytes_that_leave() -> None:
    kind = "AWS::MediaConnect::Flow"
    assert sum_of({"F": resource(kind, egress_gb_per_month=100)}) == Decimal("125.8")  # 730 h × $0.16 + $9
    for properties in (
        {"FlowSize": "LARGE"},
        {"EncodingConfig": {"EncodingProfile": "x"}},
        {"NdiConfig": {"a": 1}},
    ):
        refused({"F": resource(kind, properties)}, next(iter(properties)))


def test_a_live_channel_pays_for_input_and_for_what_is_watched() -> None:
    usage: Properties = {"live_hours_per_month": 10, "viewer_hours_per_month": 1_000}
    standard, basic = (
        resource("AWS::IVS::Channel", {"Type": kind}, **usage) for kind in ("STANDARD", "BASIC")
    )
    assert sum_of({"C": standard}) == Decimal(95)  # 10 h × $2 + 1,000 h × $0.075
    assert sum_of({"C": basic}) == Decimal(77)  # 10 h × $0.20
    assert sum_of({"C": standard}, traffic=2) == Decimal(170)  # twice the viewers, as long on the air
    refused({"C": resource("AWS::IVS::Channel", {"Type": "ADVANCED_HD"})}, "ADVANCED_HD")


# Databases and caches


def test_dax_pays_for_every_node() -> None:
    properties = {"NodeType": "dax.t3.small", "ReplicationFactor": 3}
    assert sum_of({"D": resource("AWS::DAX::Cluster", properties)}) == Decimal("87.6")  # 3 × 730 h × $0.04


def cluster(kind: str, properties: Properties | None = None, **usage: Any) -> Properties:
    return resource(f"AWS::{kind}::DBCluster", properties or {}, **usage)


def member(kind: str, machine: str) -> Properties:
    properties = {"DBClusterIdentifier": {"Ref": "C"}, "DBInstanceClass": machine}
    return resource(f"AWS::{kind}::DBInstance", properties)


STORE: Properties = {"stored_gb": 100, "io_requests_per_month": 10 * MILLION, "backup_gb": 10}


@pytest.mark.parametrize(
    ("kind", "machine", "hours"),
    [
        ("DocDB", "db.r6g.xlarge", "384.199"),  # 730 h × $0.5263
        ("Neptune", "db.r8g.large", "201.48"),  # 730 h × $0.276
    ],
)
def test_a_cluster_pays_for_its_store_and_members_for_hours(kind: str, machine: str, hours: str) -> None:
    assert dollars({"C": cluster(kind, **STORE), "M": member(kind, machine)}) == {
        "Stored data (standard)": Decimal(10),  # 100 GB × $0.10
        "Input and output": Decimal(2),  # 10 M × $0.20/M
        "Backups": Decimal("0.21"),  # 10 GB × $0.021
        f"Instances ({machine})": Decimal(hours),
    }


@pytest.mark.parametrize(
    ("kind", "stored", "machine", "hours"),
    [
        ("DocDB", "30", "db.r6g.large", "211.335"),  # 100 GB × $0.30; 730 h × $0.2895
        ("Neptune", "22.5", "db.r8g.large", "271.998"),  # 100 GB × $0.225; 730 h × $0.3726
    ],
)
def test_io_optimised_clusters_pay_nothing_for_io(kind: str, stored: str, machine: str, hours: str) -> None:
    optimised = cluster(kind, {"StorageType": "iopt1"}, stored_gb=100)
    assert dollars({"C": optimised, "M": member(kind, machine)}) == {
        "Stored data (io-optimized)": Decimal(stored),
        f"Instances ({machine})": Decimal(hours),
    }
    refused({"C": cluster(kind, {"StorageType": "iopt1"}, io_requests_per_month=1)}, "is declared")


@pytest.mark.parametrize(
    ("kind", "setting", "usage", "least", "grown"),
    [
        # 2 members × 1 unit × 730 h, and 3 units more: × $0.0822 and × $0.1608
        ("DocDB", "ServerlessV2ScalingConfiguration", "average_dcus", "120.012", "180.018"),
        ("Neptune", "ServerlessScalingConfiguration", "average_ncus", "234.768", "352.152"),
    ],
)
def test_serverless_members_pay_for_the_least_of_each(
    kind: str, setting: str, usage: str, least: str, grown: str
) -> None:
    scaling = {setting: {"MinCapacity": 1, "MaxCapacity": 8}}
    resources = {
        "C": cluster(kind, scaling, **{usage: 5}),
        "W": member(kind, "db.serverless"),
        "R": member(kind, "db.serverless"),
    }
    assert sum_of(resources, traffic=0) == Decimal(least)
    assert sum_of(resources) == Decimal(least) + Decimal(grown)
    refused({"C": cluster(kind, scaling, **{usage: 5})}, f"no member of it is serverless, and {usage}")


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        ({"C": cluster("DocDB", {"EngineVersion": "3.6.0"})}, "extended support"),
        ({"C": cluster("DocDB", {"GlobalClusterIdentifier": "g"})}, "GlobalClusterIdentifier"),
        ({"C": cluster("Neptune", {"StorageType": "gp3"})}, "StorageType is gp3"),
        ({"M": member("DocDB", "db.r6g.large")}, "its cluster is not in this assembly"),
        (
            {"C": cluster("DocDB"), "M": member("DocDB", "db.serverless")},
            "MinCapacity is None",
        ),
    ],
)
def test_a_document_or_graph_cluster_of_another_price_is_refused(resources: Resources, word: str) -> None:
    refused(resources, word)


def test_the_secret_that_documentdb_makes_is_a_line() -> None:
    found = dollars({"C": cluster("DocDB", {"ManageMasterUserPassword": True})})
    assert found == {"Secrets (master password)": Decimal("0.4")}


def memory(properties: Properties | None = None, **usage: Any) -> Properties:
    made = {"NodeType": "db.r7g.large", "Engine": "valkey", **(properties or {})}
    return resource("AWS::MemoryDB::Cluster", made, **usage)


def test_memorydb_pays_for_nodes_writes_beyond_the_free_ones_and_snapshots() -> None:
    made = memory({"NumShards": 2, "SnapshotRetentionLimit": 3}, written_gb_per_month=20_240, backup_gb=100)
    assert dollars({"M": made}) == {
        # 2 shards × (1 + 1 replica, where nothing is said) × 730 h × $0.2163
        "Nodes (valkey, db.r7g.large)": Decimal("631.596"),
        "Data written (valkey)": Decimal(400),  # 10,000 GB above 10,240 × $0.04
        "Snapshots": Decimal("2.1"),  # 100 GB × $0.021
    }
    redis = memory({"Engine": None, "NumReplicasPerShard": 0}, written_gb_per_month=100)
    redis["Properties"].pop("Engine")
    assert sum_of({"M": redis}) == Decimal("245.57")  # 730 h × $0.309 + 100 GB × $0.20
    assert "Valkey" in warnings({"M": redis})[0]
    assert warnings({"M": made}) == ()
    assert undeclared({"M": memory()}) == ["Data written (valkey)"]


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"DataTiering": "true"}, "DataTiering"),
        ({"MultiRegionClusterName": "m"}, "MultiRegionClusterName"),
        ({"Engine": "memcached"}, "Engine is memcached"),
    ],
)
def test_memorydb_of_another_price_is_refused(properties: Properties, word: str) -> None:
    refused({"M": memory(properties)}, word)


def table(properties: Properties | None = None, **usage: Any) -> Properties:
    return resource("AWS::Cassandra::Table", {"KeyspaceName": {"Ref": "K"}, **(properties or {})}, **usage)


PROVISIONED = {
    "BillingMode": {
        "Mode": "PROVISIONED",
        "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 10},
    }
}
SCALED = {
    **PROVISIONED,
    "AutoScalingSpecifications": {
        "ReadCapacityAutoScaling": {"MinimumUnits": 50, "MaximumUnits": 200},
        "WriteCapacityAutoScaling": {"AutoScalingDisabled": True},
    },
}


def test_keyspaces_on_demand_pays_by_the_request() -> None:
    usage: Properties = {
        "read_requests_per_month": 8 * MILLION,
        "write_requests_per_month": 2 * MILLION,
        "stored_gb": 10,
    }
    # 8 M × $0.125/M + 2 M × $0.625/M + 10 GB × $0.25, and backups 10 GB × $0.20
    assert sum_of({"T": table(**usage)}) == Decimal("4.75")
    assert sum_of({"T": table({"PointInTimeRecoveryEnabled": True}, **usage)}) == Decimal("6.75")


def test_keyspaces_provisioned_pays_by_the_hour_and_scales_from_its_least() -> None:
    # 100 × 730 h × $0.00013 + 10 × 730 h × $0.00065
    assert sum_of({"T": table(PROVISIONED)}) == Decimal("14.235")
    scaled = {"T": table(SCALED, average_read_units=500)}
    assert sum_of(scaled, traffic=0) == Decimal("9.49")  # 50 RCU, and the 10 WCU that don't scale
    assert sum_of(scaled) == Decimal("23.725")  # 200 RCU, the most


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        ({"T": table({"DefaultTimeToLive": 60})}, "DefaultTimeToLive"),
        ({"T": table({"ReplicaSpecifications": [{"Region": "eu-west-1"}]})}, "ReplicaSpecifications"),
        ({"T": table({"WarmThroughput": {"ReadUnitsPerSecond": 1}})}, "WarmThroughput"),
        ({"T": table({"CdcSpecification": {"Status": "ENABLED"}})}, "CdcSpecification"),
        ({"T": table(average_read_units=1)}, "average_read_units is declared"),
        ({"T": table(PROVISIONED, write_requests_per_month=1)}, "write_requests_per_month is declared"),
        ({"T": table(PROVISIONED, average_write_units=1)}, "WriteCapacityAutoScaling is off"),
        (
            {
                "T": table(),
                "K": resource(
                    "AWS::Cassandra::Keyspace",
                    {"ReplicationSpecification": {"ReplicationStrategy": "MULTI_REGION"}},
                ),
            },
            "MULTI_REGION",
        ),
    ],
)
def test_a_keyspaces_table_of_another_price_is_refused(resources: Resources, word: str) -> None:
    refused(resources, word)


def test_timestream_pays_for_each_store_and_for_queries() -> None:
    made = resource(
        "AWS::Timestream::Table",
        written_gb_per_month=10,
        memory_stored_gb=2,
        stored_gb=100,
        query_tcu_hours_per_month=10,
    )
    assert dollars({"T": made}) == {
        "Data written": Decimal(5),  # 10 GB × $0.50
        "Stored data (memory)": Decimal("52.56"),  # 2 GB × 730 h × $0.036
        "Stored data (magnetic)": Decimal(3),  # 100 GB × $0.03
        "Queries": Decimal("5.18"),  # 10 × $0.518
    }
    hourly = resource("AWS::Timestream::ScheduledQuery", query_tcu_hours_per_month=10)
    assert sum_of({"Q": hourly}) == Decimal("5.18")


def influx(properties: Properties | None = None) -> Properties:
    made = {"DbInstanceType": "db.influx.large", "AllocatedStorage": 100, **(properties or {})}
    return resource("AWS::Timestream::InfluxDBInstance", made)


def test_influx_pays_for_hours_and_storage_and_twice_with_a_standby() -> None:
    assert sum_of({"I": influx()}) == Decimal("184.47")  # 730 h × $0.239 + 100 GB × $0.10
    both = {"DeploymentType": "WITH_MULTIAZ_STANDBY"}
    assert sum_of({"I": influx(both)}) == Decimal("368.94")  # 730 h × $0.478 + 2 × 100 GB × $0.10
    assert sum_of({"I": influx({"PubliclyAccessible": True})}) == Decimal("188.12")
    for properties, word in (
        ({"DbStorageType": "InfluxIOIncludedT2"}, "T2"),
        ({"AllocatedStorage": None}, "Alloc"),
    ):
        refused({"I": influx(properties)}, word)


def cache(engine: str, properties: Properties | None = None, **usage: Any) -> Properties:
    made = {"Engine": engine, "CacheNodeType": "cache.t3.micro", "NumCacheNodes": 1, **(properties or {})}
    return resource("AWS::ElastiCache::CacheCluster", made, **usage)


def test_a_cache_cluster_pays_for_its_nodes_and_redis_for_backups() -> None:
    assert sum_of({"C": cache("memcached", {"NumCacheNodes": 3})}) == Decimal("37.23")  # 3 × 730 h × $0.017
    redis = {"C": cache("redis", {"SnapshotRetentionLimit": 1}, backup_gb=10)}
    assert sum_of(redis) == Decimal("13.26")  # 730 h × $0.017 + 10 GB × $0.085
    assert "Valkey" in warnings(redis)[-1]
    [advice] = warnings({"C": cache("memcached", {"CacheNodeType": "cache.m5.large"})})
    assert "cache.m6g.large, on Graviton" in advice
    assert undeclared({"C": cache("redis")}) == []


def test_one_redis_node_holds_three_quarters_of_its_memory() -> None:
    # 536,870,912 bytes × 0.75
    checked = limit({"C": cache("redis", stored_gb=1)}, "Memory")
    assert (checked.quota, checked.breaks) == (Decimal("0.402653184"), True)
    assert [each.limit for each in limits(assembly({"C": cache("memcached")}))] == ["ElastiCache nodes"]


def test_a_cache_cluster_of_another_price_is_refused() -> None:
    refused({"C": cache("redis", {"EngineVersion": "5.0.6"})}, "extended support")
    refused({"C": cache("dragonfly")}, "Engine is dragonfly")


def test_databases_without_servers_pay_by_what_they_do() -> None:
    resources = {
        "G": resource("AWS::RDS::GlobalCluster", replicated_writes_per_month=10 * MILLION),
        "D": resource("AWS::DSQL::Cluster", dpus_per_month=MILLION, stored_gb=100),
    }
    assert dollars(resources) == {
        "Writes replicated (global database)": Decimal(2),  # 10 M × $0.20/M
        "Processing": Decimal(8),  # 1 M × $8/M
        "Stored data": Decimal(33),  # 100 GB × $0.33
    }


# Brokers, streams, files, objects


def broker(
    engine: str, mode: str, machine: str, properties: Properties | None = None, **usage: Any
) -> Properties:
    made = {"EngineType": engine, "DeploymentMode": mode, "HostInstanceType": machine, **(properties or {})}
    return resource("AWS::AmazonMQ::Broker", made, **usage)


@pytest.mark.parametrize(
    ("made", "paid"),
    [
        # 730 h × $0.03 + 10 GB × $0.30
        (broker("ACTIVEMQ", "SINGLE_INSTANCE", "mq.t3.micro", stored_gb=10), "24.9"),
        (broker("ActiveMQ", "SINGLE_INSTANCE", "mq.t3.micro", {"StorageType": "EBS"}, stored_gb=10), "22.9"),
        # 730 h × $1.728 + 3 nodes × 10 GB × $0.10
        (broker("RABBITMQ", "CLUSTER_MULTI_AZ", "mq.m5.xlarge", stored_gb=10), "1264.44"),
    ],
)
def test_a_broker_pays_for_its_hours_and_what_it_holds(made: Properties, paid: str) -> None:
    assert sum_of({"B": made}) == Decimal(paid)


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (broker("RABBITMQ", "ACTIVE_STANDBY_MULTI_AZ", "mq.m5.large"), "ACTIVE_STANDBY_MULTI_AZ"),
        (broker("KAFKA", "SINGLE_INSTANCE", "mq.m5.large"), "EngineType is kafka"),
        (broker("RABBITMQ", "SINGLE_INSTANCE", "mq.m7g.large"), "no price 'mq.rabbitmq.single.mq.m7g.large'"),
        (
            broker("ACTIVEMQ", "SINGLE_INSTANCE", "mq.t3.micro", {"DataReplicationMode": "CRDR"}),
            "DataReplicationMode",
        ),
    ],
)
def test_a_broker_of_another_price_is_refused(made: Properties, word: str) -> None:
    refused({"B": made}, word)


def connector(capacity: Properties, **usage: Any) -> Properties:
    return resource("AWS::KafkaConnect::Connector", {"Capacity": capacity}, **usage)


def test_a_connector_pays_for_the_units_of_its_workers() -> None:
    fixed = connector({"ProvisionedCapacity": {"WorkerCount": 3, "McuCount": 2}})
    assert sum_of({"C": fixed}) == Decimal("481.8")  # 3 × 2 MCU × 730 h × $0.11
    scaling = {"AutoScaling": {"MinWorkerCount": 1, "MaxWorkerCount": 4, "McuCount": 1}}
    scaled = {"C": connector(scaling, average_workers=9)}
    assert (sum_of(scaled, traffic=0), sum_of(scaled)) == (Decimal("80.3"), Decimal("321.2"))
    refused({"C": connector({})}, "neither AutoScaling nor ProvisionedCapacity")


def test_a_replicator_pays_for_hours_bytes_and_the_way_to_another_region() -> None:
    near = resource("AWS::MSK::Replicator", replicated_gb_per_month=100)
    assert sum_of({"R": near}) == Decimal(227)  # 730 h × $0.30 + 100 GB × $0.08
    usage: Properties = {"replicated_gb_per_month": 100, "cross_region_gb_per_month": 100}
    assert sum_of({"R": resource("AWS::MSK::Replicator", **usage)}) == Decimal(229)


def consumer(**usage: Any) -> Properties:
    return resource("AWS::Kinesis::StreamConsumer", {"StreamARN": to("S")}, **usage)


def own(resources: Resources) -> Decimal:
    """What the consumer pays, without its stream."""
    lines = price(assembly(resources)).lines
    return sum((line.monthly_usd for line in lines if line.type.endswith("Consumer")), Decimal(0))


def test_fan_out_pays_for_each_shard_and_byte_and_on_demand_for_bytes() -> None:
    shards = resource("AWS::Kinesis::Stream", {"ShardCount": 4})
    on_demand = resource("AWS::Kinesis::Stream", {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}})
    reader = consumer(read_gb_per_month=100)
    assert own({"S": shards, "C": reader}) == Decimal("45.1")  # 4 × 730 h × $0.015 + 100 GB × $0.013
    assert own({"S": on_demand, "C": reader}) == Decimal(5)  # 100 GB × $0.05
    refused({"C": reader}, "its stream is not in this assembly")


def test_a_consumer_reads_two_megabytes_a_second_of_each_shard() -> None:
    shards = resource("AWS::Kinesis::Stream", {"ShardCount": 4})
    checked = limit({"S": shards, "C": consumer(peak_read_mb_per_second=6)}, "Bytes read a second (fan-out)")
    assert (checked.quota, checked.headroom) == (Decimal(8), Decimal("0.25"))
    on_demand = resource("AWS::Kinesis::Stream", {"StreamModeDetails": {"StreamMode": "ON_DEMAND"}})
    assert limits(assembly({"S": on_demand, "C": consumer(peak_read_mb_per_second=6)})) == []


def files(properties: Properties | None = None) -> Properties:
    made = {"FileSystemType": "LUSTRE", "StorageCapacity": 1_200, **(properties or {})}
    return resource("AWS::FSx::FileSystem", made)


def test_lustre_scratch_pays_for_its_size() -> None:
    assert sum_of({"F": files()}) == Decimal(168)  # 1,200 GB × $0.14


@pytest.mark.parametrize(
    ("properties", "word"),
    [
        ({"FileSystemType": "WINDOWS"}, "WINDOWS"),
        ({"LustreConfiguration": {"DeploymentType": "PERSISTENT_2"}}, "PERSISTENT_2"),
        ({"StorageType": "HDD"}, "HDD"),
    ],
)
def test_file_systems_of_another_price_are_refused(properties: Properties, word: str) -> None:
    refused({"F": files(properties)}, word)


def test_express_buckets_pay_for_requests_and_for_their_bytes() -> None:
    made = resource(
        "AWS::S3Express::DirectoryBucket",
        stored_gb=10,
        put_requests_per_month=MILLION,
        get_requests_per_month=9 * MILLION,
        written_gb_per_month=100,
        read_gb_per_month=1_000,
    )
    # 10 GB × $0.11 + 1 M × $1.13/M + 9 M × $0.03/M + 100 GB × $0.0032 + 1,000 GB × $0.0006
    assert sum_of({"B": made}) == Decimal("3.42")
    local = {"DataRedundancy": "SingleLocalZone"}
    refused({"B": resource("AWS::S3Express::DirectoryBucket", local)}, "SingleLocalZone")
    listed = {"InventoryConfigurations": [{"Id": "x"}]}
    refused({"B": resource("AWS::S3Express::DirectoryBucket", listed)}, "InventoryConfigurations")


def test_tables_and_vectors_pay_for_what_is_known_and_say_what_is_not() -> None:
    lake = resource("AWS::S3Tables::TableBucket", stored_gb=100, put_requests_per_month=MILLION)
    assert sum_of({"L": lake}) == Decimal("7.65")  # 100 GB × $0.0265 + 1 M × $5/M
    assert "not counted" in warnings({"L": lake})[0]
    usage: Properties = {"stored_gb": 100, "written_gb_per_month": 10, "query_requests_per_month": MILLION}
    vectors = resource("AWS::S3Vectors::Index", **usage)
    assert sum_of({"V": vectors}) == Decimal("10.5")  # 100 GB × $0.06 + 10 GB × $0.20 + 1 M × $2.50/M
    assert "not counted" in warnings({"V": vectors})[0]
    for properties, word in (
        ({"StorageClassConfiguration": {"StorageClass": "INTELLIGENT_TIERING"}}, "INTELLIGENT_TIERING"),
        ({"ReplicationConfiguration": {"Role": "r"}}, "ReplicationConfiguration"),
    ):
        refused({"L": resource("AWS::S3Tables::TableBucket", properties)}, word)


def test_snapshots_pay_and_the_policy_that_makes_them_does_not() -> None:
    kind = "AWS::DLM::LifecyclePolicy"
    assert sum_of({"P": resource(kind, stored_gb=200)}) == Decimal(10)  # 200 GB × $0.05
    for rule in ("FastRestoreRule", "ArchiveRule", "CrossRegionCopyRules"):
        details = {"Schedules": [{"Name": "a", rule: {"Count": 1}}]}
        refused({"P": resource(kind, {"PolicyDetails": details})}, rule)
    refused({"P": resource(kind, {"CrossRegionCopyTargets": [{"TargetRegion": "x"}]})}, "another region")
    refused({"P": resource(kind, {"PolicyDetails": {"Actions": [{"Name": "x"}]}})}, "another region")


def test_a_transfer_server_pays_for_each_protocol_all_the_time() -> None:
    made = {
        "T": resource("AWS::Transfer::Server", {"Protocols": ["SFTP", "FTPS"]}, processed_gb_per_month=100)
    }
    assert sum_of(made) == Decimal(442)  # 2 × 730 h × $0.30 + 100 GB × $0.04
    assert sum_of({"T": resource("AWS::Transfer::Server")}) == Decimal(219)  # SFTP, where nothing is said
    refused({"T": resource("AWS::Transfer::Server", {"Protocols": ["AS2"]})}, "Protocols is AS2")


# Services that run programs and models


def runner(properties: Properties | None = None, **usage: Any) -> Properties:
    made = {"SourceConfiguration": {"AutoDeploymentsEnabled": False}, **(properties or {})}
    return resource("AWS::AppRunner::Service", made, **usage)


def test_a_service_keeps_memory_ready_and_pays_for_vcpus_while_it_serves() -> None:
    small = {"S": runner(average_active_instances="0.5")}
    assert dollars(small) == {
        "Memory (instances kept ready)": Decimal("10.22"),  # 1 × 2 GB × 730 h × $0.007
        "vCPUs (instances, while they serve)": Decimal("23.36"),  # 0.5 × 1 vCPU × 730 h × $0.064
    }
    assert sum_of(small, traffic=0) == Decimal("10.22")


def test_a_scaling_configuration_says_how_many_are_ready_and_how_many_there_may_be() -> None:
    properties = {
        "InstanceConfiguration": {"Cpu": "2048", "Memory": "4096"},
        "AutoScalingConfigurationArn": to("A", "AutoScalingConfigurationArn"),
    }
    scaling = resource("AWS::AppRunner::AutoScalingConfiguration", {"MinSize": 2, "MaxSize": 4})
    busy = {"S": runner(properties, average_active_instances=9), "A": scaling}
    assert dollars(busy) == {
        "Memory (instances kept ready)": Decimal("40.88"),  # 2 × 4 GB × 730 h × $0.007
        "Memory (instances kept ready, as load grows)": Decimal("40.88"),
        "vCPUs (instances, while they serve)": Decimal("373.76"),  # 4 × 2 vCPU × 730 h × $0.064
    }
    refused({"S": runner({"AutoScalingConfigurationArn": "arn:elsewhere"})}, "not in this assembly")
    assert "automatic deployments" in warnings({"S": runner({"SourceConfiguration": {}})})[0]
    assert warnings({"S": runner()}) == ()
    endless = runner(average_active_instances=99)
    assert dollars({"S": endless})["vCPUs (instances, while they serve)"] == Decimal(1_168)  # 25, the most


def endpoint(*variants: Properties, **usage: Any) -> Resources:
    properties = {"EndpointConfigName": to("Config", "EndpointConfigName")}
    return {
        "Endpoint": resource("AWS::SageMaker::Endpoint", properties, **usage),
        "Config": resource("AWS::SageMaker::EndpointConfig", {"ProductionVariants": list(variants)}),
    }


def variant(properties: Properties | None = None, name: str = "a") -> Properties:
    return {
        "VariantName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 2,
        **(properties or {}),
    }


SERVERLESS = {"VariantName": "s", "ServerlessConfig": {"MemorySizeInMB": 2_048, "MaxConcurrency": 5}}


def target(name: str = "a") -> Properties:
    where = {"Fn::Join": ["", ["endpoint/", to("Endpoint", "EndpointName"), f"/variant/{name}"]]}
    properties = {
        "ResourceId": where,
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "MinCapacity": 1,
        "MaxCapacity": 4,
    }
    return resource("AWS::ApplicationAutoScaling::ScalableTarget", properties)


def test_an_endpoint_pays_for_its_instances_and_their_volumes() -> None:
    assert dollars(endpoint(variant({"VolumeSizeInGB": 50}))) == {
        "Instances (ml.m5.large)": Decimal("167.9"),  # 2 × 730 h × $0.115
        "Volumes (ml.m5.large)": Decimal(14),  # 2 × 50 GB × $0.14
    }


def test_a_shadow_pays_as_the_others_do() -> None:
    shadowed = endpoint(variant())
    shadowed["Config"]["Properties"]["ShadowProductionVariants"] = [variant({"InitialInstanceCount": 1})]
    assert sum_of(shadowed) == Decimal("251.85")  # 3 × 730 h × $0.115


@pytest.mark.parametrize("by", ["target", "itself"])
def test_an_endpoint_that_scales_pays_for_its_least_and_what_use_adds(by: str) -> None:
    managed = {"ManagedInstanceScaling": {"Status": "ENABLED", "MinInstanceCount": 1, "MaxInstanceCount": 4}}
    resources = endpoint(variant(managed if by == "itself" else {}), average_instances=9)
    if by == "target":
        resources["Target"] = target()
    assert sum_of(resources, traffic=0) == Decimal("83.95")  # 730 h × $0.115
    assert sum_of(resources) == Decimal("335.8")  # 4, the most


def test_scaling_of_another_variant_changes_nothing() -> None:
    assert sum_of({**endpoint(variant()), "Target": target("b")}, traffic=0) == Decimal("167.9")


def test_an_endpoint_without_instances_pays_for_its_calls() -> None:
    usage: Properties = {"invocations_per_month": MILLION, "duration_ms": 100, "processed_gb_per_month": 10}
    # 1 M × 0.1 s × 2 GB × $0.00002 + 10 GB × $0.016
    assert sum_of(endpoint(SERVERLESS, **usage)) == Decimal("4.16")
    assert sum_of(endpoint(SERVERLESS), traffic=0) == 0


@pytest.mark.parametrize(
    ("resources", "word"),
    [
        (
            {"Endpoint": resource("AWS::SageMaker::Endpoint", {"EndpointConfigName": "elsewhere"})},
            "its endpoint configuration is not in this assembly",
        ),
        (endpoint(variant(), duration_ms=1), "duration_ms is declared"),
        (
            endpoint({"ServerlessConfig": {"MemorySizeInMB": 1_024, "ProvisionedConcurrency": 1}}),
            "Provisioned",
        ),
        (endpoint(SERVERLESS, SERVERLESS), "more than one of its variants is serverless"),
        (endpoint(variant({"InstancePools": [{}]})), "InstancePools"),
        (endpoint(variant({"InstanceType": "ml.inf9.large"})), "no price 'sagemaker.instance.ml.inf9.large'"),
        (
            {**endpoint(variant(), variant(name="b")), "Target": target(), "Other": target("b")},
            "more than one of its variants scales",
        ),
    ],
)
def test_an_endpoint_of_another_price_is_refused(resources: Resources, word: str) -> None:
    refused(resources, word)


def test_a_notebook_pays_until_it_is_stopped() -> None:
    kind = "AWS::SageMaker::NotebookInstance"
    made = {"N": resource(kind, {"InstanceType": "ml.t3.medium"})}
    assert sum_of(made) == Decimal("37.2")  # 730 h × $0.05 + 5 GB × $0.14
    assert "until somebody stops it" in warnings(made)[0]
    stopped = resource(kind, {"InstanceType": "ml.t3.medium", "LifecycleConfigName": "stop-when-idle"})
    assert warnings({"N": stopped}) == ()
    accelerated = {"InstanceType": "ml.t3.medium", "AcceleratorTypes": ["ml.eia2.large"]}
    refused({"N": resource(kind, accelerated)}, "AcceleratorTypes")


def test_faces_pay_for_being_held_and_images_by_tiers() -> None:
    made = resource("AWS::Rekognition::Collection", stored_faces=MILLION, images_per_month=2 * MILLION)
    assert sum_of({"F": made}) == Decimal(1_810)  # 1 M × $0.00001 + 1 M × $0.001 + 1 M × $0.0008


# What costs nothing, and what is not priced


@pytest.mark.parametrize(
    ("kind", "is_free"),
    [
        ("AWS::Glue::Table", True),
        ("AWS::Glue::Session", False),
        ("AWS::LakeFormation::Permissions", True),
        ("AWS::LakeFormation::DataCellsFilter", False),
        ("AWS::DataSync::LocationS3", True),
        ("AWS::DataSync::Task", False),
        ("AWS::SageMaker::Model", True),
        ("AWS::SageMaker::Domain", False),
        ("AWS::EMR::Step", True),
        ("AWS::EMR::Cluster", False),
        ("AWS::Batch::JobDefinition", True),
        ("AWS::MediaConnect::FlowOutput", True),
        ("AWS::MediaConnect::Bridge", False),
        ("AWS::ElasticBeanstalk::Application", True),
        ("AWS::ElasticBeanstalk::Environment", False),
        ("AWS::GameLift::Fleet", False),
        ("AWS::Cloud9::EnvironmentEC2", False),
        ("AWS::QLDB::Ledger", False),
    ],
)
def test_a_line_of_its_own_goes_before_that_of_the_service(kind: str, is_free: bool) -> None:
    assert isinstance(class_of(kind), Free if is_free else str)


def test_a_catalogue_whose_connector_aws_makes_is_not_free() -> None:
    kind = "AWS::Athena::DataCatalog"
    assert sum_of({"C": resource(kind, {"Type": "LAMBDA"})}) == 0
    refused({"C": resource(kind, {"Type": "FEDERATED"})}, "unless Type is set")
