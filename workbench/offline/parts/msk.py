"""MSK with a real Kafka protocol behind each cluster (`engines/kafka.py`), and IAM at its doors.

MiniStack keeps the records; here are the brokers, their bootstrap addresses, and who may come in: by IAM with the
tokens that the AWS MSK IAM signers make (SASL/OAUTHBEARER) or those of the Java and Go libraries (AWS_MSK_IAM), by
a password of a secret that is associated with the cluster (SCRAM-SHA-512), or unauthenticated where the template
allows that. Every decision of IAM is written to the log of decisions, once for each connection.

Mutual TLS is not checked: a cluster that asks for client certificates has its TLS listener open to all.

Sources: the MSK Developer Guide, "IAM access control", "Get the bootstrap brokers for an Amazon MSK cluster", "The
default Amazon MSK configuration"; RFC 5802 for SCRAM.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_region, request_scope
from ministack.services import ec2, msk, secretsmanager

from workbench.offline import engines
from workbench.offline.control import Refused, command
from workbench.offline.engine_commands import engine_called
from workbench.offline.engines.kafka import Kafka
from workbench.offline.engines.kafka_front import Door, Login, LoginRefused, Permission
from workbench.offline.engines.kafka_topics import TopicRefused
from workbench.offline.identity import NotSigned, Presigned, Principal, allowed, signer_of
from workbench.offline.parts import Answer

_ITERATIONS = 4096  # of SCRAM's key derivation, as MSK's
_clusters: dict[str, Kafka] = {}  # by ARN


def extend() -> None:
    """Put brokers behind what MSK creates, and answer where they are."""
    create, delete, reset = msk._create_cluster, msk._delete_cluster, msk.reset

    def create_with_brokers(body: bytes) -> Answer:
        answer: Answer = create(body)
        if answer[0] == 200:
            try:
                _start(json.loads(answer[2])["clusterArn"], json.loads(body))
            except ValueError as problem:
                delete(json.loads(answer[2])["clusterArn"])
                return msk._bad_request(str(problem))  # type: ignore[no-any-return]
        return answer

    def delete_with_brokers(arn: str) -> Answer:
        _end(arn)
        return delete(arn)  # type: ignore[no-any-return]

    def reset_with_brokers() -> None:
        for arn in list(_clusters):
            _end(arn)
        reset()

    msk._create_cluster, msk._delete_cluster, msk.reset = (
        create_with_brokers,
        delete_with_brokers,
        reset_with_brokers,
    )
    msk._get_bootstrap_brokers, msk._list_nodes = _bootstrap_brokers, _nodes


def _start(arn: str, request: Mapping[str, Any]) -> None:
    """Start the brokers that a request to create a cluster asks for. Raises `ValueError` when it cannot be met."""
    info = msk._clusters[arn]
    group = request.get("brokerNodeGroupInfo") or {}
    serverless = request.get("clusterType") == "SERVERLESS"
    subnets = group.get("clientSubnets") or []
    count = int(info["NumberOfBrokerNodes"])
    if subnets and not serverless and count % len(subnets):
        raise ValueError(f"{count} brokers do not spread evenly over {len(subnets)} client subnets")
    places = [_place(each, index) for index, each in enumerate(subnets or [""] * 3)]
    zones, racks = zip(*(places[each % len(places)] for each in range(count)), strict=True)
    name = engines.free_name(Kafka.kind, info["ClusterName"], get_region())
    made = Kafka(
        name, arn, zones, racks, settings_of(info, len(set(zones))), _doors(arn, request, serverless)
    )
    made.start()
    _clusters[arn] = engines.RUNNING[f"kafka/{name}"] = made


def _end(arn: str) -> None:
    if (made := _clusters.pop(arn, None)) is not None:
        engines.RUNNING.pop(f"kafka/{made.name}", None)
        made.delete()


def _place(subnet: str, index: int) -> tuple[str, str]:
    """The zone of a subnet by its name and, as brokers call their rack, by its id."""
    found = ec2._subnets.get(subnet) or {}
    zone = found.get("AvailabilityZone") or f"{get_region()}{'abc'[index % 3]}"
    return zone, str(found.get("AvailabilityZoneId") or zone)


def settings_of(info: Mapping[str, Any], zones: int) -> dict[str, str]:
    """The broker properties of a cluster: MSK's defaults for its number of zones, then its configuration's."""
    brokers = int(info["NumberOfBrokerNodes"])
    settings = {
        "auto.create.topics.enable": "false",
        "num.partitions": "1",
        "default.replication.factor": str(min(3 if zones > 2 else 2, brokers)),
        "min.insync.replicas": str(min(2 if zones > 2 else 1, brokers)),
    }
    software = info.get("CurrentBrokerSoftwareInfo") or {}
    for each in msk._config_revisions.get(software.get("ConfigurationArn"), []):
        if each["Revision"] == int(software.get("ConfigurationRevision") or 1):
            lines = base64.b64decode(each["ServerProperties"]).decode().splitlines()
            pairs = (
                line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#")
            )
            settings |= {name.strip(): value.strip() for name, value in pairs}
    return settings


def reconfigure(arn: str) -> None:
    """Let a cluster's brokers go by its configuration as it is now."""
    made = _clusters[arn]
    made.settings = settings_of(msk._clusters[arn], len(set(made.zones)))


def brokers_behind(arn: str) -> Kafka:
    """The brokers of a cluster. Raises `ValueError` when there is none of this ARN."""
    if arn not in _clusters:
        raise ValueError(f"there is no MSK cluster {arn}")
    return _clusters[arn]


def _doors(arn: str, request: Mapping[str, Any], serverless: bool) -> tuple[Door, ...]:
    """The ways in that a cluster offers, as "Get the bootstrap brokers" tells them apart."""
    access = request.get("clientAuthentication") or {}
    sasl = access.get("sasl") or {}
    iam, scram = (bool((sasl.get(each) or {}).get("enabled")) for each in ("iam", "scram"))
    mutual = bool((access.get("tls") or {}).get("enabled"))
    free = bool((access.get("unauthenticated") or {}).get("enabled")) or not (iam or scram or mutual)
    transit = ((request.get("encryptionInfo") or {}).get("encryptionInTransit") or {}).get(
        "clientBroker", "TLS"
    )
    doors = []
    if iam or serverless:
        doors.append(Door("iam", {each: _iam_login(arn, each) for each in ("AWS_MSK_IAM", "OAUTHBEARER")}))
    if scram and not serverless:
        doors.append(Door("scram", {"SCRAM-SHA-512": lambda: _Scram(arn)}))
    if (free or mutual) and transit != "PLAINTEXT" and not serverless:
        doors.append(Door("tls"))
    if free and transit != "TLS" and not serverless:
        doors.append(Door("plaintext"))
    return tuple(doors)


_BOOTSTRAP_NAMES = {
    "plaintext": "BootstrapBrokerString",
    "tls": "BootstrapBrokerStringTls",
    "scram": "BootstrapBrokerStringSaslScram",
    "iam": "BootstrapBrokerStringSaslIam",
}


def _bootstrap_brokers(arn: str) -> Answer:
    if refusal := msk._validate_existing_cluster_arn(arn):
        return refusal  # type: ignore[no-any-return]
    made = brokers_behind(arn)
    return msk._json({_BOOTSTRAP_NAMES[each.name]: made.bootstrap(each.name) for each in made.doors})  # type: ignore[no-any-return]


def _nodes(arn: str) -> Answer:
    if refusal := msk._validate_existing_cluster_arn(arn):
        return refusal  # type: ignore[no-any-return]
    made, info = brokers_behind(arn), msk._clusters[arn]
    group = info["BrokerNodeGroupInfo"]
    subnets = group.get("clientSubnets") or [""]
    nodes = [
        {
            "NodeARN": f"{arn}/{broker}",
            "NodeType": "BROKER",
            "InstanceType": group.get("instanceType", ""),
            "BrokerNodeInfo": {
                "BrokerId": float(broker),
                "ClientSubnet": subnets[(broker - 1) % len(subnets)],
                "CurrentBrokerSoftwareInfo": info["CurrentBrokerSoftwareInfo"],
                "Endpoints": [f"127.0.0.1:{made.port(each.name, broker)}" for each in made.doors],
            },
        }
        for broker in made.brokers
    ]
    return msk._json({"NodeInfoList": nodes})  # type: ignore[no-any-return]


# Who somebody is, and what they may do.


def _iam_login(arn: str, mechanism: str) -> Callable[[], Login]:
    return lambda: _Iam(arn, mechanism)


class _Iam:
    """A log-in by a presigned `kafka-cluster:Connect`, in one step."""

    def __init__(self, arn: str, mechanism: str) -> None:
        self._arn = arn
        self._mechanism = mechanism

    def step(self, message: bytes) -> tuple[bytes, Permission | None]:
        place = parse_arn(self._arn)
        try:
            who = signer_of(
                _presigned(self._mechanism, message),
                service="kafka-cluster",
                account=place.account_id,
                region=place.region,
                says={"Action": "kafka-cluster:Connect"},
            )
        except (ValueError, KeyError, IndexError, binascii.Error):
            raise LoginRefused("the token is not one of the MSK IAM signers") from None
        except NotSigned as problem:
            raise LoginRefused(str(problem)) from None
        may = _permission(who, self._arn, place.region)
        if not may("Connect", "cluster", ""):
            raise LoginRefused(f"{who.arn} is not allowed kafka-cluster:Connect on {self._arn}")
        answer = {"version": "2020_10_22", "request-id": secrets.token_hex(16)}
        return (json.dumps(answer).encode() if self._mechanism == "AWS_MSK_IAM" else b""), may


def _presigned(mechanism: str, message: bytes) -> Presigned:
    """The request in a token. Raises `NotSigned`, `ValueError`, `KeyError` or `IndexError` when there is none."""
    if mechanism == "AWS_MSK_IAM":
        fields = json.loads(message)
        names = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Security-Token", "Signature")
        given = {f"X-Amz-{each}": fields.get(f"x-amz-{each.lower()}") for each in names}
        query = {"Action": fields["action"], **{name: str(value) for name, value in given.items() if value}}
        return Presigned(fields["host"], query)
    token = next((part for part in message.decode().split("\x01") if part.startswith("auth=")), "")
    encoded = token.removeprefix("auth=").split(" ", 1)[1]
    signed = Presigned.of(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode())
    added_later = "User-Agent"  # by signers, when they have signed
    return replace(signed, query={name: each for name, each in signed.query.items() if name != added_later})


def _permission(who: Principal, cluster: str, region: str) -> Permission:
    """What one connection may do; each question is put to IAM once."""

    @cache
    def may(action: str, kind: str, name: str) -> bool:
        resource = cluster if kind == "cluster" else cluster.replace(":cluster/", f":{kind}/", 1) + f"/{name}"
        return allowed(who, f"kafka-cluster:{action}", resource, region)

    return may


class _Scram:
    """A log-in by SCRAM-SHA-512, in two steps, with the users of the secrets that the cluster is associated with."""

    def __init__(self, arn: str) -> None:
        self._arn = arn
        self._first = ""  # what client and server said in the first step
        self._nonce = ""
        self._keys: tuple[bytes, bytes] | None = None

    def step(self, message: bytes) -> tuple[bytes, Permission | None]:
        try:
            words = message.decode()
            return (self._challenge(words), None) if self._keys is None else self._verdict(words, self._keys)
        except (ValueError, KeyError, IndexError, binascii.Error):
            raise LoginRefused("the message is not one of SCRAM") from None

    def _challenge(self, words: str) -> bytes:
        bare = words.split(",", 2)[2]
        said = _attributes(bare)
        password = self._password(said["n"].replace("=2C", ",").replace("=3D", "="))
        salt = secrets.token_bytes(16)
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS)
        self._keys = _mac(salted, b"Client Key"), _mac(salted, b"Server Key")
        self._nonce = said["r"] + secrets.token_hex(12)
        answer = f"r={self._nonce},s={base64.b64encode(salt).decode()},i={_ITERATIONS}"
        self._first = f"{bare},{answer}"
        return answer.encode()

    def _verdict(self, words: str, keys: tuple[bytes, bytes]) -> tuple[bytes, Permission]:
        client_key, server_key = keys
        said = _attributes(words)
        together = f"{self._first},{words.rpartition(',p=')[0]}".encode()
        mask = _mac(hashlib.sha512(client_key).digest(), together)
        proof = bytes(a ^ b for a, b in zip(client_key, mask, strict=True))
        if said["r"] != self._nonce or not hmac.compare_digest(base64.b64decode(said["p"]), proof):
            raise LoginRefused("the password is wrong")
        return b"v=" + base64.b64encode(_mac(server_key, together)), lambda *_: True

    def _password(self, user: str) -> str:
        place = parse_arn(self._arn)
        with request_scope(place.account_id, place.region):
            for secret in msk._scram_secrets.get(self._arn, []):
                content = json.loads(secretsmanager.resolve_secret_string(secret) or "{}")
                if content.get("username") == user:
                    return str(content["password"])
        raise LoginRefused(f"no secret of the cluster is of a user {user}")


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha512")


def _attributes(words: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in words.split(","))
    return {name: value for name, _, value in pairs}


# What a dry run may ask for.


def _broker_of(name: str, broker: int) -> Kafka:
    found = engine_called(Kafka, name, "Kafka cluster")
    if broker not in found.brokers:
        raise Refused(f"{name} has no broker {broker}; it has 1 to {len(found.brokers)}")
    return found


@command("kafka/list")
def clusters() -> dict[str, Any]:
    """Every cluster: its brokers with their zones, which of them are up, and its topics with their leaders."""
    return {
        each.name: {
            "arn": arn,
            "zones": list(each.zones),
            "up": sorted(each.up),
            "topics": {
                name: [partition.leader for partition in topic.partitions]
                for name, topic in list(each.topics.items())
            },
        }
        for arn, each in _clusters.items()
    }


@command("kafka/stop_broker")
def stop_broker(name: str, broker: int) -> dict[str, Any]:
    """Stop one broker, by its number."""
    _broker_of(name, broker).stop_broker(broker)
    return {}


@command("kafka/start_broker")
def start_broker(name: str, broker: int) -> dict[str, Any]:
    """Start one broker again."""
    _broker_of(name, broker).start_broker(broker)
    return {}


@command("kafka/create_topic")
def create_topic(name: str, topic: str, partitions: int = 1, replication: int = -1) -> dict[str, Any]:
    """Create a topic, as an administrator would before the system starts."""
    try:
        engine_called(Kafka, name, "Kafka cluster").create_topic(topic, partitions, replication)
    except TopicRefused as refusal:
        raise Refused(str(refusal)) from None
    return {}
