"""RDS Proxy: the front ends of MiniStack's records of proxies, each with the server behind its target.

Source: the RDS User Guide, "Managing connections with Amazon RDS Proxy".
"""

from __future__ import annotations

import json

from ministack.core.responses import request_scope
from ministack.services import rds, secretsmanager

from workbench.offline.database_records import Key, Record
from workbench.offline.databases import CLUSTERS, INSTANCES, Database, authorizer
from workbench.offline.engines.postgres import Postgres
from workbench.offline.engines.postgres_front import further_address
from workbench.offline.engines.postgres_proxy import Login, PoolLimits, Proxy
from workbench.offline.engines.postgres_wire import Refused
from workbench.offline.identity import role_may

_addresses: dict[Key, str] = {}
_proxies: dict[Key, Proxy] = {}


def settle() -> None:
    """Open and close front ends until they are what the records of proxies say."""
    wanted = {
        key: each
        for key, each in rds._db_proxy_endpoints.all_items()
        if _proxy_of(key, each)["EngineFamily"] == "POSTGRESQL"
    }
    for key in [each for each in _proxies if each not in wanted or not _stands(each, wanted[each])]:
        _proxies.pop(key).close()
    for key in [each for each in _addresses if each not in wanted]:
        del _addresses[key]
    for key, endpoint in wanted.items():
        if key not in _addresses:
            _addresses[key] = further_address()
        endpoint["Endpoint"] = _addresses[key]
        if endpoint["IsDefault"]:
            _proxy_of(key, endpoint)["Endpoint"] = _addresses[key]
        if key not in _proxies and (target := _target(key, _proxy_of(key, endpoint))):
            _proxies[key] = _start_proxy(key, endpoint, target)


def _proxy_of(key: Key, endpoint: Record) -> Record:
    proxy: Record = rds._db_proxies.get_scoped(key[0], key[1], endpoint["DBProxyName"])
    return proxy


def _stands(key: Key, endpoint: Record) -> bool:
    """Whether a proxy endpoint's target is the one that its front end was started for."""
    target = _target(key, _proxy_of(key, endpoint))
    return target is not None and target.engine.port == _proxies[key].port


def _target(key: Key, proxy: Record) -> Database | None:
    for target in proxy["Targets"]:  # one at the most
        databases = INSTANCES if target["Type"] == "RDS_INSTANCE" else CLUSTERS
        return databases.get((key[0], key[1], target["RdsResourceId"]))
    return None


def _server_of(key: Key, proxy: Record) -> Postgres | None:
    target = _target(key, proxy)
    return target.engine if target else None


def _start_proxy(key: Key, endpoint: Record, target: Database) -> Proxy:
    proxy = _proxy_of(key, endpoint)
    account, region, _name = key
    started = Proxy(
        _addresses[key],
        target.engine.port,
        target.declared_port,
        server=lambda: _server_of(key, proxy),
        login=lambda user: _proxy_login(key, proxy, user),
        authorize=authorizer(account, region, lambda: proxy["DBProxyArn"].rsplit(":", 1)[-1]),
        limits=lambda: _pool_limits(key, proxy),
        require_tls=lambda: bool(proxy["RequireTLS"]),
        idle_seconds=lambda: float(proxy["IdleClientTimeout"]),
        read_only=endpoint["TargetRole"] == "READ_ONLY",
    )
    started.open()
    return started


def _pool_limits(key: Key, proxy: Record) -> PoolLimits:
    config = proxy["TargetGroup"]["ConnectionPoolConfig"]
    server = _server_of(key, proxy)
    connections = server.max_connections if server else 0
    return PoolLimits(
        most=max(1, connections * config["MaxConnectionsPercent"] // 100),
        most_idle=connections * config["MaxIdleConnectionsPercent"] // 100,
        borrow_seconds=float(config["ConnectionBorrowTimeout"]),
    )


def _proxy_login(key: Key, proxy: Record, user: str) -> Login:
    """The credentials that a proxy has for a user, read in the name of its role."""
    account, region, _name = key
    for entry in proxy["Auth"]:
        arn = entry.get("SecretArn", "")
        if not role_may(proxy["RoleArn"], "rds-proxy", "secretsmanager:GetSecretValue", arn, region):
            continue
        with request_scope(account, region):
            secret = json.loads(secretsmanager.resolve_secret_string(arn) or "{}")
        if secret.get("username") == user:
            return Login(secret.get("password", ""), by_token=entry.get("IAMAuth") == "REQUIRED")
    if proxy.get("DefaultAuthScheme") == "IAM_AUTH":
        return Login("", by_token=True)
    raise Refused(
        "28000",
        f"This RDS proxy has no credentials for the role {user}. Check the credentials for this role and try again.",
    )
