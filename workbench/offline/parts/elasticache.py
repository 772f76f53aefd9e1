"""ElastiCache with a real Redis behind each cache: `engines/redis.py`.

MiniStack keeps the records and answers the API; a server is started once the record says all that it needs to know
(encryption, users, zones, settings), and its address goes into the record. All endpoints of a cache are that one
address: primary and reader, and every shard and node. Memcached has no server here: its caches stay records.

Not there: moving a replication group's encryption in transit, `TestFailover`, snapshots, and a limit to the memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, elasticache

from workbench.offline import engines
from workbench.offline.control import command
from workbench.offline.engine_commands import offer_stopping, report
from workbench.offline.engines.redis import Redis, User
from workbench.offline.identity import NotSigned, Presigned, allowed, signer_of
from workbench.offline.parts import Answer
from workbench.offline.surroundings import LOOPBACK, surroundings

Parameters = dict[str, Any]
Record = dict[str, Any]
Key = tuple[str, str, str]  # account, region and id

_caches: dict[Key, Redis] = {}


def extend() -> None:
    """Put a server behind what ElastiCache creates, and keep it as the record says."""
    elasticache._get_docker = lambda: None
    for name, follow in (
        ("_create_cache_cluster", _cluster_made),
        ("_create_replication_group", _group_made),
        ("_create_serverless_cache", _serverless_made),
        ("_modify_replication_group", _users_changed),
        ("_modify_serverless_cache", _users_changed),
        ("_modify_user_group", _users_changed),
        ("_increase_replica_count", _replicas_changed),
        ("_decrease_replica_count", _replicas_changed),
        ("_reboot_cache_cluster", _rebooted),
        ("_create_user", _user_made),
        ("_modify_user", _user_changed),
        ("_delete_cache_cluster", lambda p, answer: _deleted(p, answer, "CacheClusterId")),
        ("_delete_replication_group", lambda p, answer: _deleted(p, answer, "ReplicationGroupId")),
        ("_delete_serverless_cache", lambda p, answer: _deleted(p, answer, "ServerlessCacheName")),
    ):
        setattr(elasticache, name, _followed(getattr(elasticache, name), follow))
    elasticache.reset = _after_ending_all(elasticache.reset)


def _followed(
    function: Callable[[Parameters], Answer], follow: Callable[[Parameters, Answer], Answer]
) -> Callable[[Parameters], Answer]:
    """`function`, and where it succeeds `follow`, which gives the answer; its `ValueError` is a bad request."""

    def both(p: Parameters) -> Answer:
        answer = function(p)
        if answer[0] != 200:
            return answer
        try:
            return follow(p, answer)
        except ValueError as problem:
            return elasticache._error("InvalidParameterValue", str(problem), 400)  # type: ignore[no-any-return]

    return both


def _after_ending_all(reset: Callable[[], None]) -> Callable[[], None]:
    def ending_all() -> None:
        for key in list(_caches):
            _end(key)
        reset()

    return ending_all


def _given(p: Parameters, name: str) -> str:
    return str(elasticache._p(p, name))


def _listed(p: Parameters, name: str) -> list[str]:
    member = name.rstrip("s")
    return list(elasticache._extract_configs(p, name, ("member", member)))


def _key(name: str) -> Key:
    return get_account_id(), get_region(), name


def _cluster_made(p: Parameters, answer: Answer) -> Answer:
    name = _given(p, "CacheClusterId")
    record = elasticache._clusters[name]
    if record["Engine"] == "memcached":
        return answer
    group = record["CacheSubnetGroupName"]
    zones = [_given(p, "PreferredAvailabilityZone") or _zones(group, 1)[0]]
    made = _started(
        name,
        zones=zones,
        users=_token_users(record),
        tls=record["TransitEncryptionEnabled"],
        settings=_settings(record["CacheParameterGroup"]["CacheParameterGroupName"]),
        undo=lambda: elasticache._clusters.pop(name),
    )
    record["PreferredAvailabilityZone"] = zones[0]
    elasticache._publish_endpoint(record, LOOPBACK, made.port)
    return elasticache._xml_cluster_response(  # type: ignore[no-any-return]
        "CreateCacheClusterResponse", "CreateCacheClusterResult", record
    )


def _group_made(p: Parameters, _: Answer) -> Answer:
    name = _given(p, "ReplicationGroupId")
    record = elasticache._replication_groups[name]
    settings = _settings(record["CacheParameterGroupName"])
    record["ClusterEnabled"] |= (
        record["ClusterMode"] == "enabled" or settings.pop("cluster-enabled", "") == "yes"
    )
    members = [each for group in record["NodeGroups"] for each in group["NodeGroupMembers"]]
    wanted = _listed(p, "PreferredCacheClusterAZs")
    zones = wanted or _zones(record["CacheSubnetGroupName"], len(members))
    made = _started(
        name,
        zones=zones,
        users=_group_users(record["UserGroupIds"]) or _token_users(record),
        tls=record["TransitEncryptionEnabled"],
        clustered=record["ClusterEnabled"],
        failover=record["AutomaticFailover"] == "enabled" and record["_replicas_per_node_group"] > 0,
        settings=settings,
        undo=lambda: elasticache._delete_replication_group(p),
    )
    for member, zone in zip(members, zones, strict=False):
        member["PreferredAvailabilityZone"] = zone
    _tell_group(record, made)
    return _group_answer("CreateReplicationGroup", record)


def _serverless_made(p: Parameters, _: Answer) -> Answer:
    name = _given(p, "ServerlessCacheName").lower()
    record = elasticache._serverless_caches[name]
    subnets = [ec2._subnets.get(each) or {} for each in record["SubnetIds"]]
    zones = [each["AvailabilityZone"] for each in subnets if each] or _zones("", 3)
    made = _started(
        name,
        zones=zones,
        users=_group_users([record["UserGroupId"]]) or (User("default"),),
        tls=True,
        clustered=True,
        failover=True,
        undo=lambda: elasticache._serverless_caches.pop(name),
    )
    record["Status"] = "available"
    record["Endpoint"] = {"Address": LOOPBACK, "Port": made.port}
    record["ReaderEndpoint"] = dict(record["Endpoint"])
    inner = f"<ServerlessCache>{elasticache._serverless_cache_xml(record)}</ServerlessCache>"
    return _result("CreateServerlessCache", inner)


def _result(action: str, inner: str) -> Answer:
    return elasticache._xml(200, f"{action}Response", f"<{action}Result>{inner}</{action}Result>")  # type: ignore[no-any-return]


def _group_answer(action: str, record: Record) -> Answer:
    return _result(action, f"<ReplicationGroup>{elasticache._rg_xml(record)}</ReplicationGroup>")


def _started(name: str, *, zones: list[str], undo: Callable[[], Any], **options: Any) -> Redis:
    """A server for the cache `name`, running. When it does not start, `undo` is called and the error passed on."""
    key = _key(name)
    shown = engines.free_name(Redis.kind, name, key[1])
    folder = surroundings().folder / "redis" / shown
    made = Redis(
        shown, folder, tuple(zones), token_is_valid=lambda *login: _token_is_valid(key, *login), **options
    )
    try:
        made.start()
    except (RuntimeError, OSError) as problem:
        made.delete()
        undo()
        raise ValueError(str(problem)) from None
    _caches[key] = engines.RUNNING[f"redis/{shown}"] = made
    return made


def _end(key: Key) -> None:
    if (made := _caches.pop(key, None)) is not None:
        engines.RUNNING.pop(f"redis/{made.name}", None)
        made.delete()


def _deleted(p: Parameters, answer: Answer, parameter: str) -> Answer:
    _end(_key(_given(p, parameter).lower() if parameter == "ServerlessCacheName" else _given(p, parameter)))
    return answer


def _tell_group(record: Record, made: Redis) -> None:
    """Write the server's address to every place of a replication group where a client may look for it."""
    address = {"Address": LOOPBACK, "Port": made.port}
    record["ConfigurationEndpoint"] = dict(address) if record["ClusterEnabled"] else None
    for group in record["NodeGroups"]:
        group["PrimaryEndpoint"], group["ReaderEndpoint"] = dict(address), dict(address)
        for member in group["NodeGroupMembers"]:
            member["ReadEndpoint"] = dict(address)
            if member["CacheClusterId"] in elasticache._clusters:
                cluster = elasticache._clusters[member["CacheClusterId"]]
                cluster["PreferredAvailabilityZone"] = member["PreferredAvailabilityZone"]
                elasticache._publish_endpoint(cluster, LOOPBACK, made.port)


def _replicas_changed(p: Parameters, answer: Answer) -> Answer:
    name = _given(p, "ReplicationGroupId")
    record, made = elasticache._replication_groups[name], _caches[_key(name)]
    members = [each for group in record["NodeGroups"] for each in group["NodeGroupMembers"]]
    made.zones = tuple(_zones(record["CacheSubnetGroupName"], len(members)))
    for member, zone in zip(members, made.zones, strict=True):
        member["PreferredAvailabilityZone"] = zone
    _tell_group(record, made)
    return answer


def _rebooted(p: Parameters, answer: Answer) -> Answer:
    name = _given(p, "CacheClusterId")
    record = elasticache._clusters[name]
    made = _caches.get(_key(record["ReplicationGroupId"] or name))
    if made is not None:
        made.stop()
        made.start()
    return answer


def _zones(subnet_group: str, count: int) -> list[str]:
    """A zone for each of `count` nodes, in turn those of a subnet group."""
    group = elasticache._subnet_groups.get(subnet_group) or {}
    there = [each["SubnetAvailabilityZone"]["Name"] for each in group.get("Subnets", [])]
    there = list(dict.fromkeys(there)) or [f"{get_region()}{each}" for each in "abc"]
    return [there[each % len(there)] for each in range(count)]


def _settings(parameter_group: str) -> dict[str, str]:
    """What a parameter group sets otherwise than its family does."""
    found = elasticache._param_group_params.get(parameter_group) or {}
    clustered = {"cluster-enabled": "yes"} if parameter_group.endswith(".cluster.on") else {}
    return clustered | {
        name: str(each["Value"]) for name, each in found.items() if each.get("Source") == "user"
    }


# Users.


def _token_users(record: Record) -> tuple[User, ...]:
    return (User("default", passwords=tuple(record.get("_auth_tokens") or ())),)


def _group_users(groups: list[str]) -> tuple[User, ...]:
    ids = [user for group in groups if group for user in elasticache._user_groups[group]["UserIds"]]
    return tuple(_user(each) for each in ids)


def _user(user_id: str) -> User:
    record = elasticache._users.get(user_id)
    if record is None:
        if user_id != "default":
            raise ValueError(f"there is no ElastiCache user {user_id}")
        return User("default")  # which every account has
    kind = record["Authentication"]["Type"]
    return User(
        record["UserName"], record["AccessString"], tuple(record.get("_passwords", ())), kind == "iam"
    )


def _user_made(p: Parameters, _: Answer) -> Answer:
    record = elasticache._users[_given(p, "UserId")]
    passwords = _listed(p, "Passwords") or _listed(p, "AuthenticationMode.Passwords")
    kind = _given(p, "AuthenticationMode.Type")
    if not kind and not passwords and _given(p, "NoPasswordRequired").lower() != "true":
        kind = record["Authentication"]["Type"] if record.get("_passwords") else ""
    record["_passwords"] = passwords or record.get("_passwords", [])
    record["Authentication"] = {
        "Type": "iam" if kind == "iam" else "password" if passwords else "no-password",
        "PasswordCount": len(passwords),
    }
    return _result("CreateUser", elasticache._user_xml(record))


def _user_changed(p: Parameters, answer: Answer) -> Answer:
    if any(name.startswith(("Passwords", "AuthenticationMode", "NoPasswordRequired")) for name in p):
        _user_made(p, answer)
    return _users_changed(p, answer)


def _users_changed(_: Parameters, answer: Answer) -> Answer:
    """Let every cache of this account and region know its users as they are now."""
    for (account, region, name), made in list(_caches.items()):
        if (account, region) != _key("")[:2]:
            continue
        group = elasticache._replication_groups.get(name)
        serverless = elasticache._serverless_caches.get(name)
        groups = group["UserGroupIds"] if group else [serverless["UserGroupId"]] if serverless else []
        record = group or serverless or elasticache._clusters[name]
        users = _group_users(groups) or _token_users(record)
        if users != made.users:
            made.change_users(users)
    return answer


def _token_is_valid(key: Key, user: str, token: str) -> bool:
    """Whether `token` is a presigned connect of somebody who may connect to this cache as this user."""
    account, region, name = key
    try:
        request = Presigned.of(f"//{token}")
        says = {"Action": "connect", "User": user}
        who = signer_of(request, service="elasticache", account=account, region=region, says=says)
    except NotSigned:
        return False
    serverless = request.query.get("ResourceType") == "ServerlessCache"
    kind = "serverlesscache" if serverless else "replicationgroup"
    place = f"arn:aws:elasticache:{region}:{account}"
    resources = (f"{place}:{kind}:{name}", f"{place}:user:{user}")
    return request.host == name and all(
        allowed(who, "elasticache:Connect", each, region) for each in resources
    )


# What a dry run may ask for.


@command("redis/list")
def caches() -> dict[str, Any]:
    """Every cache: its port, zones, whether it runs, and the settings that this version of Redis does not know."""
    return {
        each.name: {
            **report(each),
            "port": each.port,
            "zones": list(each.zones),
            "tls": each.tls,
            "ignored_settings": each.ignored,
        }
        for each in _caches.values()
    }


offer_stopping(Redis, "cache")
