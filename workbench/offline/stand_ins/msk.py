"""MSK by CloudFormation: clusters with brokers behind them, and what belongs to a cluster.

Clusters, configurations and secrets go through MiniStack's own API, so that what it answers at runtime is the same.
Not here: changes of the number and size of brokers, policies of clusters, connections between networks.
"""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import msk
from ministack.services.cloudformation.provisioners import _tag_map

from workbench.offline.engines.kafka_topics import TopicRefused
from workbench.offline.parts.msk import brokers_behind, reconfigure
from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import (
    answered,
    joined,
    leave,
    physical_name,
    recorded,
    refuse_changes,
    repeating,
)

_SERVERLESS_BROKERS = 3
_VERSION = "K3AEGXETSR30VB"  # of everything: MiniStack's clusters do not change theirs either


def _new_cluster(name: str, request: dict[str, Any], tags: Any) -> Made:
    body = json.dumps({"clusterName": name, **request}).encode()
    arn = answered(msk._create_cluster(body), "CreateCluster")["clusterArn"]
    msk._tags[arn] = _tag_map(tags)
    return arn, {"Arn": arn, "CurrentVersion": _VERSION}


def _create_cluster(logical_id: str, properties: Properties, stack: str) -> Made:
    request = {**msk._camelize(properties), "tags": {}}
    name = request.pop("clusterName", None) or physical_name(stack, logical_id)
    return _new_cluster(name, request, properties.get("Tags"))


_CHANGEABLE = (
    "ConfigurationInfo",
    "Tags",
    "EnhancedMonitoring",
    "LoggingInfo",
    "OpenMonitoring",
    "KafkaVersion",
)


def _update_cluster(arn: str, old: Properties, new: Properties, _stack: str) -> Made:
    refuse_changes("an MSK cluster", old, new, but=_CHANGEABLE)
    info, used = msk._clusters[arn], new.get("ConfigurationInfo") or {}
    info["CurrentBrokerSoftwareInfo"] |= {
        "ConfigurationArn": used.get("Arn"),
        "ConfigurationRevision": used.get("Revision"),
    }
    msk._tags[arn] = _tag_map(new.get("Tags"))
    reconfigure(arn)
    return arn, {"Arn": arn, "CurrentVersion": _VERSION}


def _retag_serverless(arn: str, old: Properties, new: Properties, _stack: str) -> Made:
    refuse_changes("a serverless MSK cluster", old, new, but=("Tags",))
    msk._tags[arn] = _tag_map(new.get("Tags"))
    return arn, {"Arn": arn, "CurrentVersion": _VERSION}


def _keep_topic(topic: str, old: Properties, new: Properties, _stack: str) -> Made:
    refuse_changes("an MSK topic", old, new)
    return topic, {"TopicArn": topic}


def _delete_cluster(arn: str, _properties: Properties) -> None:
    msk._delete_cluster(arn)


def _create_serverless(_logical_id: str, properties: Properties, _stack: str) -> Made:
    networks = properties.get("VpcConfigs") or []
    request = {
        "clusterType": "SERVERLESS",
        "numberOfBrokerNodes": _SERVERLESS_BROKERS,
        "brokerNodeGroupInfo": {
            "clientSubnets": [each for network in networks for each in network["SubnetIds"]]
        },
        "clientAuthentication": msk._camelize(properties["ClientAuthentication"]),
    }
    return _new_cluster(properties["ClusterName"], request, properties.get("Tags"))


def _create_configuration(_logical_id: str, properties: Properties, _stack: str) -> Made:
    request = {
        "name": properties["Name"],
        "description": properties.get("Description", ""),
        "kafkaVersions": properties.get("KafkaVersionsList", []),
        "serverProperties": base64.b64encode(properties["ServerProperties"].encode()).decode(),
    }
    body = json.dumps(request).encode()
    arn = answered(msk._create_configuration(body), "CreateConfiguration")["arn"]
    return arn, _configuration(arn)


def _update_configuration(arn: str, _old: Properties, new: Properties, _stack: str) -> Made:
    """A further revision, as MSK's UpdateConfiguration, which MiniStack lacks, makes one."""
    revisions = msk._config_revisions[arn]
    content = {
        "Revision": len(revisions) + 1,
        "CreationTime": msk._now_iso(),
        "Description": new.get("Description", ""),
    }
    encoded = base64.b64encode(new["ServerProperties"].encode()).decode()
    msk._config_revisions[arn] = [*revisions, {**content, "ServerProperties": encoded}]
    msk._configurations[arn] |= {"LatestRevision": content}
    return arn, _configuration(arn)


def _configuration(arn: str) -> dict[str, Any]:
    latest = msk._configurations[arn]["LatestRevision"]
    return {"Arn": arn, **{f"LatestRevision.{name}": value for name, value in latest.items()}}


def _delete_configuration(arn: str, _properties: Properties) -> None:
    msk._configurations.pop(arn, None)
    msk._config_revisions.pop(arn, None)


def _associate(_logical_id: str, properties: Properties, _stack: str) -> Made:
    arn = properties["ClusterArn"]
    _set_secrets(arn, properties.get("SecretArnList") or [])
    return arn, {}


def _dissociate(arn: str, _properties: Properties) -> None:
    if arn in msk._clusters:
        _set_secrets(arn, [])


def _set_secrets(arn: str, wanted: list[str]) -> None:
    there = msk._scram_secrets.get(arn, [])
    for change, secrets in (
        (msk._batch_disassociate_scram, [each for each in there if each not in wanted]),
        (msk._batch_associate_scram, [each for each in wanted if each not in there]),
    ):
        answered(change(arn, json.dumps({"secretArnList": secrets}).encode()), "the secrets of a cluster")


def _create_topic(_logical_id: str, properties: Properties, _stack: str) -> Made:
    arn, name = properties["ClusterArn"], properties["TopicName"]
    # JSON, as those who have tried it on AWS send it; its own page says Base64 alone.
    settings = json.loads(base64.b64decode(properties.get("Configs") or "") or "{}")
    count, copies = int(properties["PartitionCount"]), int(properties["ReplicationFactor"])
    try:
        brokers_behind(arn).create_topic(name, count, copies, settings)
    except TopicRefused as refusal:
        raise ValueError(str(refusal)) from None
    topic = f"{arn.replace(':cluster/', ':topic/', 1)}/{name}"
    return topic, {"TopicArn": topic}


def _delete_topic(_topic: str, properties: Properties) -> None:
    if properties["ClusterArn"] in msk._clusters:
        brokers_behind(properties["ClusterArn"]).delete_topic(properties["TopicName"])


def _note_connection(logical_id: str, _properties: Properties, stack: str) -> Made:
    place = f"arn:aws:kafka:{get_region()}:{get_account_id()}:vpc-connection/{get_account_id()}"
    arn = f"{place}/{physical_name(stack, logical_id, most=128)}/{uuid.uuid4()}"
    return arn, {"Arn": arn}


_CLUSTER_ATTRIBUTES = {"Arn": "its ARN", "CurrentVersion": "a fixed version"}

STAND_INS = (
    StandIn(
        "AWS::MSK::Cluster",
        by="engine",
        what="brokers that speak Kafka's protocol, with the listeners and zones that the template asks for",
        ref="its ARN",
        attributes=_CLUSTER_ATTRIBUTES,
        create=_create_cluster,
        update=_update_cluster,
        delete=_delete_cluster,
    ),
    StandIn(
        "AWS::MSK::ServerlessCluster",
        by="engine",
        what="three brokers that speak Kafka's protocol, behind TLS and IAM",
        ref="its ARN",
        attributes=_CLUSTER_ATTRIBUTES,
        create=_create_serverless,
        update=_retag_serverless,
        delete=_delete_cluster,
    ),
    StandIn(
        "AWS::MSK::Configuration",
        by="api",
        what="a configuration; of its properties auto.create.topics.enable, num.partitions, "
        "default.replication.factor and min.insync.replicas are kept to",
        ref="its ARN",
        attributes={"Arn": "its ARN", "LatestRevision.Revision": "the number of its latest revision"},
        create=_create_configuration,
        update=_update_configuration,
        delete=_delete_configuration,
    ),
    StandIn(
        "AWS::MSK::BatchScramSecret",
        by="api",
        what="the secrets' users may log in by SCRAM",
        ref="the ARN of the cluster",
        create=_associate,
        update=repeating(_associate),
        delete=_dissociate,
    ),
    StandIn(
        "AWS::MSK::Topic",
        by="engine",
        what="a topic with its partitions",
        ref="its ARN",
        attributes={"TopicArn": "its ARN"},
        create=_create_topic,
        update=_keep_topic,
        delete=_delete_topic,
    ),
    recorded(
        "AWS::MSK::ClusterPolicy",
        what="a name: policies of clusters are for other accounts, and there are none",
        ref="the ARN of the cluster",
        physical=joined("ClusterArn"),
        CurrentVersion=_VERSION,
    ),
    StandIn(
        "AWS::MSK::VpcConnection",
        by="record",
        what="a name: all networks here are one",
        ref="its ARN",
        attributes={"Arn": "its ARN"},
        create=_note_connection,
        delete=leave,
    ),
)
