"""The process of a Kafka cluster: librdkafka's mock cluster, out of the library that `confluent-kafka` brings.

    python -m workbench.offline.engines.kafka_broker RACK [RACK ...]

starts a broker for each rack, in that order, numbered from 1. It prints a line of JSON with the port of each, and
then answers each line of JSON on its standard input with one on its standard output: `{}`, or `{"error": ...}`.
The commands, each an array:

    ["down", broker]   ["up", broker]   ["topic", name, partitions]   ["delete", name]
    ["leader", topic, partition, broker or -1]   ["coordinator", transaction, broker]

It ends with its standard input, and all records with it: they are in its memory.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PRODUCER = 0
_pointer, _text, _number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int

# Result and arguments of each function, from librdkafka's rdkafka_mock.h.
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "rd_kafka_conf_new": (_pointer, ()),
    "rd_kafka_conf_set": (_number, (_pointer, _text, _text, _text, ctypes.c_size_t)),
    "rd_kafka_new": (_pointer, (_number, _pointer, _text, ctypes.c_size_t)),
    "rd_kafka_err2str": (_text, (_number,)),
    "rd_kafka_mock_cluster_new": (_pointer, (_pointer, _number)),
    "rd_kafka_mock_cluster_bootstraps": (_text, (_pointer,)),
    "rd_kafka_mock_broker_set_rack": (_number, (_pointer, ctypes.c_int32, _text)),
    "rd_kafka_mock_broker_set_down": (_number, (_pointer, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_up": (_number, (_pointer, ctypes.c_int32)),
    "rd_kafka_mock_topic_create": (_number, (_pointer, _text, _number, _number)),
    "rd_kafka_mock_topic_delete": (_number, (_pointer, _text)),
    "rd_kafka_mock_partition_set_leader": (_number, (_pointer, _text, ctypes.c_int32, ctypes.c_int32)),
    "rd_kafka_mock_coordinator_set": (_number, (_pointer, _text, _text, ctypes.c_int32)),
}


def _library() -> ctypes.CDLL:
    package = importlib.util.find_spec("confluent_kafka")
    if package is None or package.origin is None:
        raise RuntimeError("librdkafka is missing; install the project's requirements")
    inside = Path(package.origin).parent
    beside = inside.with_name("confluent_kafka.libs")  # on Linux; on macOS the wheel keeps it in .dylibs
    found = [each for folder in (beside, inside / ".dylibs") for each in sorted(folder.glob("librdkafka*"))]
    if not found:
        raise RuntimeError(f"no librdkafka in {beside}")
    library = ctypes.CDLL(str(found[0]))
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Cluster:
    """The brokers of one cluster. Every method raises `ValueError` with librdkafka's words when it refuses."""

    def __init__(self, racks: list[str]) -> None:
        self._library = _library()
        words = ctypes.create_string_buffer(256)
        settings = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(settings, b"log_level", b"0", words, len(words))
        client = self._library.rd_kafka_new(_PRODUCER, settings, words, len(words))
        self._cluster = client and self._library.rd_kafka_mock_cluster_new(client, len(racks))
        if not self._cluster:
            raise ValueError(f"librdkafka made no cluster: {words.value.decode()}")
        for broker, rack in enumerate(racks, 1):
            self._call("broker_set_rack", broker, rack.encode())

    def ports(self) -> list[int]:
        """Where each broker listens, in plaintext."""
        addresses = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode().split(",")
        return [int(each.rpartition(":")[2]) for each in addresses]

    def commands(self) -> dict[str, Callable[..., None]]:
        """What the lines of the standard input may ask for."""
        return {
            "down": lambda broker: self._call("broker_set_down", broker),
            "up": lambda broker: self._call("broker_set_up", broker),
            "topic": lambda name, partitions: self._call("topic_create", name.encode(), partitions, 1),
            "delete": lambda name: self._call("topic_delete", name.encode()),
            "leader": lambda topic, *place: self._call("partition_set_leader", topic.encode(), *place),
            "coordinator": lambda transaction, broker: self._call(
                "coordinator_set", b"transaction", transaction.encode(), broker
            ),
        }

    def _call(self, name: str, *arguments: Any) -> None:
        error = getattr(self._library, f"rd_kafka_mock_{name}")(self._cluster, *arguments)
        if error:
            raise ValueError(f"{name}: {self._library.rd_kafka_err2str(error).decode()}")


def _say(document: object) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the standard input ends."""
    cluster = Cluster(sys.argv[1:])
    commands = cluster.commands()
    _say(cluster.ports())
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            commands[name](*arguments)
            _say({})
        except (ValueError, KeyError, TypeError) as problem:
            _say({"error": str(problem)})


if __name__ == "__main__":
    main()
