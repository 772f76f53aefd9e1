"""RDS Proxy, made through MiniStack's own API, and the rotation of secrets.

`parts/rds.py` opens the proxies' endpoints. GetAtt Endpoint is an address of loopback of the proxy's own; it answers
there on the port of its database, and on the one that the template declares (5432), which clients may know instead.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.services import rds, secretsmanager
from ministack.services.cloudformation.provisioners import _ec_query

from workbench.offline.parts.rds import settle
from workbench.offline.stand_ins import Made, Properties, StandIn
from workbench.offline.stand_ins._making import repeating, replacing

_TARGET_GROUP = "default"  # the only one that a proxy has


def _call(action: str, parameters: Properties) -> None:
    """Carry an action of the RDS API out. Raises `ValueError` with its words when it refuses."""
    status, _, body = rds._ACTION_MAP[action](_ec_query(parameters))
    if status >= 300:
        found = re.search(r"<Message>(.*?)</Message>", body.decode(), re.DOTALL)
        raise ValueError(f"{action}: {found.group(1) if found else status}")


# AWS::RDS::DBProxy


def _create_proxy(_logical_id: str, properties: Properties, _stack: str) -> Made:
    _call("CreateDBProxy", properties)
    return _proxy(properties["DBProxyName"])


def _change_proxy(name: str, properties: Properties) -> Made:
    renamed = {"SecurityGroups": properties.get("VpcSecurityGroupIds")}
    _call("ModifyDBProxy", {**properties, **renamed})
    return _proxy(name)


def _delete_proxy(physical_id: str, _properties: Properties) -> None:
    if physical_id in rds._db_proxies:
        _call("DeleteDBProxy", {"DBProxyName": physical_id})


def _proxy(name: str) -> Made:
    record = rds._db_proxies[name]
    return name, {each: record[each] for each in ("DBProxyArn", "Endpoint", "VpcId")}


# AWS::RDS::DBProxyTargetGroup


def _create_target_group(_logical_id: str, properties: Properties, _stack: str) -> Made:
    proxy = properties["DBProxyName"]
    group = {"DBProxyName": proxy, "TargetGroupName": _TARGET_GROUP}
    _call("ModifyDBProxyTargetGroup", {**group, "ConnectionPoolConfig": _pool(properties)})
    targets = {each: properties.get(each) for each in ("DBInstanceIdentifiers", "DBClusterIdentifiers")}
    _call("RegisterDBProxyTargets", {**group, **targets})
    arn = rds._db_proxies[proxy]["TargetGroup"]["TargetGroupArn"]
    return arn, {"TargetGroupArn": arn}


def _delete_target_group(_physical_id: str, properties: Properties) -> None:
    if proxy := rds._db_proxies.get(properties["DBProxyName"]):
        proxy["Targets"].clear()
        settle()


def _pool(properties: Properties) -> Properties:
    """The configuration of the pool, by the names that the API has for it."""
    return dict(properties.get("ConnectionPoolConfigurationInfo") or {})


# AWS::RDS::DBProxyEndpoint


def _create_endpoint(_logical_id: str, properties: Properties, _stack: str) -> Made:
    _call("CreateDBProxyEndpoint", properties)
    name = properties["DBProxyEndpointName"]
    record = rds._db_proxy_endpoints[name]
    shown = {each: record[each] for each in ("DBProxyEndpointArn", "Endpoint", "VpcId")}
    return name, {**shown, "IsDefault": "false"}


def _delete_endpoint(physical_id: str, _properties: Properties) -> None:
    if physical_id in rds._db_proxy_endpoints:
        _call("DeleteDBProxyEndpoint", {"DBProxyEndpointName": physical_id})


# AWS::SecretsManager::RotationSchedule


def _create_schedule(_logical_id: str, properties: Properties, _stack: str) -> Made:
    secret = _secret(properties["SecretId"])
    secret["RotationEnabled"] = True
    secret["RotationRules"] = properties.get("RotationRules") or {}
    secret["RotationLambdaARN"] = properties.get("RotationLambdaARN", "")
    return secret["ARN"], {}


def _delete_schedule(physical_id: str, _properties: Properties) -> None:
    _, secret = secretsmanager._resolve(physical_id)
    if secret:
        secret["RotationEnabled"] = False


def _secret(name: str) -> Any:
    _, secret = secretsmanager._resolve(name)
    if not secret:
        raise ValueError(f"AWS::SecretsManager::RotationSchedule: there is no secret {name}")
    return secret


STAND_INS = (
    StandIn(
        "AWS::RDS::DBProxy",
        by="engine",
        what="a front end of ours authenticates clients, and lends them connections of the real PostgreSQL",
        ref="DBProxyName",
        create=_create_proxy,
        update=replacing(
            _create_proxy, _delete_proxy, _change_proxy, "DBProxyName", "EngineFamily", "VpcSubnetIds"
        ),
        delete=_delete_proxy,
        attributes={
            "DBProxyArn": "its ARN",
            "Endpoint": "its address; the port is its database's, or the declared one",
            "VpcId": "its VPC",
        },
    ),
    StandIn(
        "AWS::RDS::DBProxyTargetGroup",
        by="api",
        what="the proxy's target and its pool are set through the RDS API",
        ref="TargetGroupArn",
        create=_create_target_group,
        update=repeating(_create_target_group, _delete_target_group),
        delete=_delete_target_group,
        attributes={"TargetGroupArn": "its ARN"},
    ),
    StandIn(
        "AWS::RDS::DBProxyEndpoint",
        by="engine",
        what="a further front end of the proxy; READ_ONLY ones give read-only sessions",
        ref="DBProxyEndpointName",
        create=_create_endpoint,
        delete=_delete_endpoint,
        attributes={
            "DBProxyEndpointArn": "its ARN",
            "Endpoint": "its address; the port is its database's, or the declared one",
            "VpcId": "its VPC",
            "IsDefault": "false",
        },
    ),
    StandIn(
        "AWS::SecretsManager::RotationSchedule",
        by="record",
        what="the secret says when and by what it would be rotated; nothing rotates it",
        ref="the secret's ARN",
        create=_create_schedule,
        update=repeating(_create_schedule),
        delete=_delete_schedule,
    ),
)
