"""A cluster of MSK for the tests of one file, and who may do what there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from botocore.credentials import Credentials

from tests.offline import create_role, session_keys
from tests.templates import Statement, allow, ref, resource
from workbench.dryrun.emulator import Endpoint


def cluster_resources(
    name: str, zones: str, topics: Mapping[str, int], **properties: Any
) -> dict[str, dict[str, Any]]:
    """A network with a subnet in each of `zones` ("ab"), a cluster with a broker in each, and its topics.

    `topics` are their numbers of partitions, each on every broker. Resources: `Network`, `SubnetA`, …, `Cluster`, and
    each topic by its name. IAM is at the door unless `properties` say otherwise.
    """
    subnets = {
        f"Subnet{zone.upper()}": resource(
            "EC2::Subnet",
            VpcId=ref("Network"),
            CidrBlock=f"10.0.{number}.0/24",
            AvailabilityZone=f"us-east-1{zone}",
        )
        for number, zone in enumerate(zones)
    }
    cluster = {
        "ClusterName": name,
        "KafkaVersion": "3.9.x",
        "NumberOfBrokerNodes": len(zones),
        "BrokerNodeGroupInfo": {"InstanceType": "kafka.m7g.large", "ClientSubnets": list(map(ref, subnets))},
        "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
    }
    return {
        "Network": resource("EC2::VPC", CidrBlock="10.0.0.0/16"),
        **subnets,
        "Cluster": resource("MSK::Cluster", **(cluster | properties)),
        **{
            topic.capitalize(): resource(
                "MSK::Topic",
                ClusterArn=ref("Cluster"),
                TopicName=topic,
                PartitionCount=partitions,
                ReplicationFactor=len(zones),
            )
            for topic, partitions in topics.items()
        },
    }


def session_of_a_role(
    endpoint: Endpoint, name: str, actions: Sequence[str], cluster: str, *more: Statement
) -> Credentials:
    """The keys of a session of a new role that may do `actions` on a cluster, its topics and its groups."""
    resources = [cluster, *(cluster.replace(":cluster/", f":{kind}/") + "/*" for kind in ("topic", "group"))]
    granted = [allow([f"kafka-cluster:{each}" for each in actions], Resource=resources)] if actions else []
    return session_keys(endpoint, create_role(endpoint, name, *granted, *more))
