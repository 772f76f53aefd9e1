"""Message brokers of Amazon MQ: the hours of the broker or of the pair or cluster, and messages held.

ActiveMQ keeps messages on EFS unless the template asks for EBS; RabbitMQ on EBS, on each of its three nodes where it
is a cluster. Logs that are on go to log groups that Amazon MQ makes. Facts: https://aws.amazon.com/amazon-mq/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review import by_use, service_logs
from workbench.review.floor import HOURS
from workbench.review.numbers import constant
from workbench.review.room import Context, CostLine, Room, Usage, one_of, refuse, text

_MODES = {
    ("activemq", "SINGLE_INSTANCE"): "single",
    ("activemq", "ACTIVE_STANDBY_MULTI_AZ"): "active_standby",
    ("rabbitmq", "SINGLE_INSTANCE"): "single",
    ("rabbitmq", "CLUSTER_MULTI_AZ"): "cluster",
}
_CLUSTER_NODES = 3


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    properties = resource.properties
    named = str(properties.get("EngineType")).lower()
    engine = one_of(resource, named, "EngineType", ("activemq", "rabbitmq"))
    modes = tuple(mode for known, mode in _MODES if known == engine)
    mode = _MODES[engine, one_of(resource, properties.get("DeploymentMode"), "DeploymentMode", modes)]
    if properties.get("DataReplicationMode", "NONE") != "NONE":
        raise refuse(resource, "DataReplicationMode pays for what goes between regions")
    kind = text(resource, properties.get("HostInstanceType"), "HostInstanceType")
    words = f"{engine}, {mode.replace('_', '/')}, {kind}"
    yield CostLine(f"Brokers ({words})", "broker-hours", HOURS, f"mq.{engine}.{mode}.{kind}")
    default = "EFS" if engine == "activemq" else "EBS"
    storage = str(properties.get("StorageType", default)).upper()
    disks = one_of(resource, storage, "StorageType", ("EFS", "EBS")).lower()
    nodes = _CLUSTER_NODES if mode == "cluster" else 1
    held = context.derive(
        resource,
        "stored_gb",
        by=lambda stored: stored * constant(nodes, f"{nodes} nodes") if nodes > 1 else stored,
    )
    yield CostLine(f"Messages held ({disks})", "GB-months", held, f"mq.storage.{disks}")
    logs = properties.get("Logs") or {}
    if any(by_use.is_true(logs.get(each)) for each in ("General", "Audit")):
        yield from service_logs.lines(resource, context, "Amazon MQ")


ROOM = Room(
    type="AWS::AmazonMQ::Broker",
    classification="mixed",
    usage={
        "stored_gb": Usage("GB", "messages held by one broker, averaged over the month"),
        **service_logs.USAGE,
    },
    lines=_lines,
)
