"""Real Redis behind ElastiCache in the offline AWS: what a template asks for is what its clients meet."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import redis
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from redis.backoff import ConstantBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from tests.offline import (
    create_role,
    create_stack,
    delete_stack,
    is_open,
    session_keys,
)
from tests.templates import allow
from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator
from workbench.offline.engines.redis import Redis, User

TOKEN = "a-token-of-sixteen"
STACK = "caches"
TEMPLATE = {
    "Resources": {
        "Group": {
            "Type": "AWS::ElastiCache::ReplicationGroup",
            "Properties": {
                "ReplicationGroupId": "group",
                "ReplicationGroupDescription": "sessions",
                "CacheNodeType": "cache.t4g.micro",
                "NumCacheClusters": 2,
                "AutomaticFailoverEnabled": True,
                "MultiAZEnabled": True,
                "TransitEncryptionEnabled": True,
                "AuthToken": TOKEN,
                "CacheParameterGroupName": {"Ref": "Settings"},
            },
        },
        "Settings": {
            "Type": "AWS::ElastiCache::ParameterGroup",
            "Properties": {
                "CacheParameterGroupFamily": "redis7",
                "Description": "tells of keys that expire",
                "Properties": {"maxmemory-policy": "allkeys-lfu"},
            },
        },
        "Single": {
            "Type": "AWS::ElastiCache::CacheCluster",
            "Properties": {
                "ClusterName": "single",
                "Engine": "redis",
                "CacheNodeType": "cache.t4g.micro",
                "NumCacheNodes": 1,
                "PreferredAvailabilityZone": "us-east-1b",
            },
        },
        "Reader": {
            "Type": "AWS::ElastiCache::User",
            "Properties": {
                "UserId": "reader",
                "UserName": "reader",
                "Engine": "redis",
                "AccessString": "on ~open:* +get",
                "AuthenticationMode": {"Type": "password", "Passwords": ["a-password-of-reader"]},
            },
        },
        "Signer": {
            "Type": "AWS::ElastiCache::User",
            "Properties": {
                "UserId": "signer",
                "UserName": "signer",
                "Engine": "redis",
                "AccessString": "on ~* +@all",
                "AuthenticationMode": {"Type": "iam"},
            },
        },
        "Users": {
            "Type": "AWS::ElastiCache::UserGroup",
            "DependsOn": ["Reader", "Signer"],
            "Properties": {"UserGroupId": "users", "Engine": "redis", "UserIds": ["reader", "signer"]},
        },
        "Serverless": {
            "Type": "AWS::ElastiCache::ServerlessCache",
            "DependsOn": "Users",
            "Properties": {"ServerlessCacheName": "serverless", "Engine": "valkey", "UserGroupId": "users"},
        },
    },
    "Outputs": {
        "GroupHost": {"Value": {"Fn::GetAtt": ["Group", "PrimaryEndPoint.Address"]}},
        "GroupPort": {"Value": {"Fn::GetAtt": ["Group", "PrimaryEndPoint.Port"]}},
        "GroupReaderPort": {"Value": {"Fn::GetAtt": ["Group", "ReaderEndPoint.Port"]}},
        "SingleHost": {"Value": {"Fn::GetAtt": ["Single", "RedisEndpoint.Address"]}},
        "SinglePort": {"Value": {"Fn::GetAtt": ["Single", "RedisEndpoint.Port"]}},
        "ServerlessHost": {"Value": {"Fn::GetAtt": ["Serverless", "Endpoint.Address"]}},
        "ServerlessPort": {"Value": {"Fn::GetAtt": ["Serverless", "Endpoint.Port"]}},
    },
}


@pytest.fixture(scope="module")
def outputs(emulator: Emulator) -> dict[str, str]:
    return create_stack(emulator.endpoint, STACK, TEMPLATE)


def client(emulator: Emulator, outputs: dict[str, str], name: str, **options: Any) -> redis.Redis:
    encrypted: dict[str, Any] = {
        "ssl": True,
        "ssl_ca_certs": emulator.endpoint.ca_bundle,
        "ssl_check_hostname": True,
    }
    if name == "Single" or options.get("ssl") is False:
        encrypted = {}
    made: redis.Redis = redis.Redis(
        host=outputs[f"{name}Host"],
        port=int(outputs[f"{name}Port"]),
        decode_responses=True,
        socket_timeout=5,
        retry=Retry(ConstantBackoff(0), 0),
        **(encrypted | options),
    )
    return made


def test_a_group_with_a_token_speaks_tls_to_those_who_have_it(
    emulator: Emulator, outputs: dict[str, str]
) -> None:
    with client(emulator, outputs, "Group", password=TOKEN) as cache:
        cache.set("greeting", "hello")
        assert cache.get("greeting") == "hello"


def test_a_wrong_token_and_a_client_without_tls_are_refused(
    emulator: Emulator, outputs: dict[str, str]
) -> None:
    wrong = client(emulator, outputs, "Group", password="wrong")
    with wrong, pytest.raises(redis.exceptions.AuthenticationError):
        wrong.get("greeting")
    plain = client(emulator, outputs, "Group", password=TOKEN, ssl=False)
    with plain, pytest.raises(redis.exceptions.ConnectionError):
        plain.get("greeting")


def test_commands_that_elasticache_keeps_to_itself_are_refused(
    emulator: Emulator, outputs: dict[str, str]
) -> None:
    cache = client(emulator, outputs, "Group", password=TOKEN)
    with cache, pytest.raises(redis.exceptions.NoPermissionError):
        cache.config_get("maxmemory-policy")


def test_the_parameter_group_reaches_the_server(
    emulator: Emulator, control: Control, outputs: dict[str, str]
) -> None:
    with client(emulator, outputs, "Group", password=TOKEN) as cache:
        assert cache.info("memory")["maxmemory_policy"] == "allkeys-lfu"
    assert control.call("redis/list")["group"]["ignored_settings"] == []


def test_a_group_with_failover_keeps_its_data_over_a_crash_and_a_single_node_does_not(
    emulator: Emulator, control: Control, outputs: dict[str, str]
) -> None:
    with (
        client(emulator, outputs, "Group", password=TOKEN) as group,
        client(emulator, outputs, "Single") as node,
    ):
        group.set("kept", 1)
        node.set("lost", 1)
        for name in ("group", "single"):
            control.call("redis/stop", name=name)
        with pytest.raises(redis.exceptions.ConnectionError):
            group.get("kept")
        assert not is_open(outputs["SinglePort"])
        for name in ("group", "single"):
            control.call("redis/start", name=name)
        assert group.get("kept") == "1"
        assert node.get("lost") is None


def test_a_user_with_a_password_may_do_what_its_access_string_says(
    emulator: Emulator, outputs: dict[str, str]
) -> None:
    login = {"username": "reader", "password": "a-password-of-reader"}
    with client(emulator, outputs, "Serverless", **login) as cache:
        assert cache.get("open:door") is None
        with pytest.raises(redis.exceptions.NoPermissionError):
            cache.get("shut:door")
        with pytest.raises(redis.exceptions.NoPermissionError):
            cache.set("open:door", 1)
    with (
        client(emulator, outputs, "Serverless") as nobody,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        nobody.get("open:door")


def test_a_token_that_iam_allows_is_the_password_of_an_iam_user_also_in_cluster_mode(
    emulator: Emulator, outputs: dict[str, str]
) -> None:
    signer = session_of_a_role(emulator, "connects", "elasticache:Connect")
    cluster: RedisCluster = RedisCluster(
        host=outputs["ServerlessHost"],
        port=int(outputs["ServerlessPort"]),
        username="signer",
        password=token(signer),
        ssl=True,
        ssl_ca_certs=emulator.endpoint.ca_bundle,
        decode_responses=True,
    )
    with cluster:
        cluster.set("{a}1", "x")
        cluster.set("{b}1", "y")
        assert [cluster.get("{a}1"), cluster.get("{b}1")] == ["x", "y"]
    decisions = {
        each["resource"].rpartition(":")[2]: each["allowed"]
        for each in emulator.decisions()
        if each["action"] == "elasticache:Connect"
    }
    assert decisions == {"serverless": True, "signer": True}


def test_a_role_without_connect_is_refused_and_so_is_a_forged_token(
    emulator: Emulator, outputs: dict[str, str]
) -> None:
    refused = session_of_a_role(emulator, "stays-out", "s3:ListAllMyBuckets")
    forged = Credentials(refused.access_key, "made up", refused.token)
    for each in (refused, forged):
        cache = client(emulator, outputs, "Serverless", username="signer", password=token(each))
        with cache, pytest.raises(redis.exceptions.AuthenticationError):
            cache.get("{a}1")


def session_of_a_role(emulator: Emulator, name: str, action: str) -> Credentials:
    """The keys of a session of a new role that may do `action`."""
    role = create_role(emulator.endpoint, name, allow(action, Resource="*"))
    return session_keys(emulator.endpoint, role)


def token(keys: Credentials) -> str:
    """As "Authenticating with IAM" in the ElastiCache User Guide has clients make it."""
    query = "Action=connect&User=signer&ResourceType=ServerlessCache"
    request = AWSRequest("GET", f"http://serverless/?{query}")
    SigV4QueryAuth(keys, "elasticache", "us-east-1", expires=900).add_auth(request)
    return str(request.url).removeprefix("http://")


def test_a_zone_takes_a_single_node_down_and_a_group_with_failover_goes_on(tmp_path: Path) -> None:
    single = Redis("node", tmp_path / "node", zones=("a",))
    group = Redis("group", tmp_path / "group", zones=("a", "b"), failover=True)
    try:
        for each in (single, group):
            each.start()
        assert single.lose_zone("b") == []
        assert single.lose_zone("a") == ["node"]
        assert group.lose_zone("a") == ["a node of group, which goes on in b"]
        assert (is_open(single.port), is_open(group.port)) == (False, True)
        assert group.lose_zone("b") == ["group"]
        assert not is_open(group.port)
        assert (single.restore_zone("a"), group.restore_zone("a")) == (["node"], ["group"])
        assert is_open(single.port)
        assert is_open(group.port)
    finally:
        for each in (single, group):
            each.delete()


def test_users_that_the_server_refuses_leave_those_that_there_were(tmp_path: Path) -> None:
    cache = Redis("node", tmp_path / "node", zones=("a",))
    cache.start()
    try:
        with pytest.raises(ValueError, match="nonsense"):
            cache.change_users((User("default", access="on ~* +@nonsense"),))
        cache.stop()
        cache.start()
        assert redis.Redis(port=cache.port).ping()
    finally:
        cache.delete()


def test_a_server_that_died_starts_again(tmp_path: Path) -> None:
    cache = Redis("node", tmp_path / "node", zones=("a",))
    cache.start()
    try:
        [pid] = cache.pids
        os.kill(pid, signal.SIGKILL)
        os.waitid(
            os.P_PID, pid, os.WEXITED | os.WNOWAIT
        )  # with all its threads; whoever started it is to notice
        cache.start()
        assert redis.Redis(port=cache.port).ping()
    finally:
        cache.delete()


def test_a_cache_made_while_its_zone_is_lost_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.offline.engines.redis.LOST_ZONES", {"a"})
    cache = Redis("node", tmp_path / "node", zones=("a",))
    try:
        cache.change_users((User("default"),))
        cache.start()
        assert not is_open(cache.port)
        assert cache.restore_zone("a") == ["node"]
        assert is_open(cache.port)
    finally:
        cache.delete()


def test_deleting_the_stack_ends_the_servers_and_removes_their_files(
    emulator: Emulator, control: Control, outputs: dict[str, str]
) -> None:
    assert is_open(outputs["GroupPort"])
    delete_stack(emulator.endpoint, STACK)
    assert control.call("redis/list") == {}
    assert not any(is_open(outputs[f"{name}Port"]) for name in ("Group", "Single", "Serverless"))
    assert list((emulator.folder / "redis").iterdir()) == []
