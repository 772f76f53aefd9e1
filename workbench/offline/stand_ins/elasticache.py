"""The type of ElastiCache that MiniStack's CloudFormation lacks: serverless caches, made through MiniStack's own API.

Not here: limits of their use, snapshots, and changes of what only a new cache can have.
"""

from __future__ import annotations

from typing import Any

from ministack.services import elasticache
from ministack.services.cloudformation.provisioners import _ec_call, _ec_query, _physical_name

from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import refuse_changes

_SERVERLESS = "AWS::ElastiCache::ServerlessCache"
_FIXED = ("KmsKeyId", "SnapshotArnsToRestore", "SubnetIds", "NetworkType")


def _create_serverless(logical_id: str, properties: Properties, stack: str) -> Made:
    name = properties.get("ServerlessCacheName") or _physical_name(
        stack, logical_id, lowercase=True, max_len=40
    )
    asked = _ec_query({**properties, "ServerlessCacheName": name})
    _ec_call(elasticache._create_serverless_cache, asked, _SERVERLESS, "create")
    return name.lower(), _attributes(name.lower())


def _update_serverless(name: str, old: Properties, new: Properties, _stack: str) -> Made:
    refuse_changes("a serverless cache", old, new, of=_FIXED)
    changed: dict[str, Any] = {key: value for key, value in new.items() if value != old.get(key)}
    changed.pop("Tags", None)
    if old.get("UserGroupId") and not new.get("UserGroupId"):
        changed["RemoveUserGroup"] = True
    if changed:
        asked = _ec_query({**changed, "ServerlessCacheName": name})
        _ec_call(elasticache._modify_serverless_cache, asked, _SERVERLESS, "update")
    return name, _attributes(name)


def _delete_serverless(name: str, _properties: Properties) -> None:
    elasticache._delete_serverless_cache({"ServerlessCacheName": name})


def _attributes(name: str) -> dict[str, Any]:
    record = elasticache._serverless_caches[name]
    endpoints = {
        f"{endpoint}.{part}": str(record[endpoint][part])
        for endpoint in ("Endpoint", "ReaderEndpoint")
        for part in ("Address", "Port")
    }
    return endpoints | {
        "ARN": record["ARN"],
        "CreateTime": str(record["CreateTime"]),
        "FullEngineVersion": record["FullEngineVersion"],
        "Status": record["Status"],
    }


STAND_INS = (
    StandIn(
        _SERVERLESS,
        by="engine",
        what="a Valkey server behind TLS that also speaks to clients in cluster mode",
        ref="its name",
        attributes={
            "ARN": "its ARN",
            "Endpoint.Address": "loopback",
            "Endpoint.Port": "the server's port",
            "ReaderEndpoint.Address": "loopback",
            "ReaderEndpoint.Port": "the server's port",
        },
        create=_create_serverless,
        update=_update_serverless,
        delete=_delete_serverless,
    ),
)
