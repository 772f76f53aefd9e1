"""What MiniStack's records of RDS say of a database: its members and writer, its size, its parameters.

Source: the RDS User Guide, "Quotas and constraints for Amazon RDS" (max_connections).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ministack.services import rds

Record = dict[str, Any]
Key = tuple[str, str, str]  # account, region, identifier

_BYTES_A_CONNECTION = 9_531_392  # of RDS's default, LEAST({DBInstanceClassMemory/9531392}, 5000)
_MOST_CONNECTIONS = 5_000


def of_cluster(record: Record) -> bool:
    return bool(record.get("DBClusterIdentifier"))


def status_of(record: Record) -> str:
    """The name of the field that holds the status of an instance or a cluster."""
    return "DBInstanceStatus" if "DBInstanceStatus" in record else "Status"


def members_of(key: Key, record: Record) -> dict[str, Record]:
    """The instances of a cluster, by identifier."""
    names = [each["DBInstanceIdentifier"] for each in record["DBClusterMembers"]]
    found = {name: rds._instances.get_scoped(key[0], key[1], name) for name in names}
    return {name: each for name, each in found.items() if each is not None}


def writer_of(record: Record) -> str:
    """The member that writes: the first that is called so (CloudFormation's are all), or the next in line."""
    members = record["DBClusterMembers"]
    called = [each for each in members if each.get("IsClusterWriter")]
    heir = (called or sorted(members, key=lambda each: each.get("PromotionTier", 1)))[0]
    name_the_writer(record, heir["DBInstanceIdentifier"])
    return str(heir["DBInstanceIdentifier"])


def name_the_writer(record: Record, name: str) -> None:
    for each in record["DBClusterMembers"]:
        each["IsClusterWriter"] = each["DBInstanceIdentifier"] == name


def parameters_of(group: Record | None) -> dict[str, str]:
    found = (group or {}).get("Parameters", {})
    return {name: str(each.get("ParameterValue", "")) for name, each in found.items()}


def max_connections(parameters: dict[str, str], instance_class: str) -> int:
    """As the parameter group says, or what RDS allows a class of that memory."""
    if (chosen := parameters.get("max_connections", "")).isdigit():
        return int(chosen)
    return min(_memory_gib(instance_class) * 2**30 // _BYTES_A_CONNECTION, _MOST_CONNECTIONS)


def _memory_gib(instance_class: str) -> int:
    """The memory of an instance class, by its family and size; 2 GiB where neither tells."""
    _db, _, rest = instance_class.partition(".")
    family, _, size = rest.partition(".")
    small = {"micro": 1, "small": 2, "medium": 4}
    if size in small:
        return small[size]
    times = {"large": 1, "xlarge": 2}.get(size) or 2 * int(re.match(r"(\d*)", size).group(1) or 0)  # type: ignore[union-attr]
    return times * {"c": 4, "r": 16, "x": 32}.get(family[:1], 8) or 2


def require_tls_by(record: Record, parameters: dict[str, str], default_from: int) -> Callable[[], bool]:
    """rds.force_ssl: as its parameter group says, else by the major version, from which on it is the default."""
    chosen = parameters.get("rds.force_ssl")
    major = int(str(record["EngineVersion"]).split(".")[0])
    forced = chosen == "1" if chosen in ("0", "1") else major >= default_from
    return lambda: forced


def is_true(value: Any) -> bool:
    return str(value).lower() == "true"
