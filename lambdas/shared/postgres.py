"""PostgreSQL on RDS behind RDS Proxy, as functions use it: a login by the function's role, and transactions.

    database = connect(host, port, "directory", "service", region)   # connects when first needed
    with database.transaction() as session:
        rows = session.run("SELECT name FROM accounts WHERE user_id = :user", user=user)
    database.in_transaction(work)     # `work(session)` again, as long as that is safe

    Unavailable (lambdas.shared.errors)
    ├── Contended       the transaction met another one, and was rolled back
    ├── ConnectionLost  the connection broke before COMMIT was asked for: nothing was done
    └── Unanswered      there was no answer in time, which is `ANSWER_S` where nothing else is said
    Violation           a constraint of the database refused it; `constraint` is its name

A process has one connection, made again when it breaks or is `RENEWED_AFTER_S` old. RDS Proxy lends it one of its own
for a transaction at a time, as long as nothing pins it: no SET, no prepared statement, no lock of a session, no
statement over 16 KB ("Avoiding pinning an RDS Proxy", Amazon RDS User Guide). Nothing here does any of these.

The proxy's certificate is one of Amazon's own authority, which the system's trust store has; `SSL_CERT_FILE` names
another one ("Using TLS/SSL with RDS Proxy"). Importing this imports neither the driver nor the SDK.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, TypeVar

from lambdas.shared.errors import Unavailable

# A token opens a connection for 15 minutes, and that then lasts ("IAM database authentication"). So that a role that
# may no longer connect is out as soon, a connection is as old as a token at most.
TOKEN_LIFE_S = 900
RENEWED_AFTER_S = 600.0
ANSWER_S = 5.0  # to connect, and for each answer: far less than the 20 s that the proxy lets a client wait
ATTEMPTS = 4
BACKOFF_S = 0.03

_CONTENDED = frozenset({"40001", "40P01", "55P03"})  # serialization, deadlock, lock not available
_LOST = frozenset(
    {"25006", "57P01", "57P02", "57P03"}
)  # a read-only server after a failover; it stops or starts
_NETWORK = ("network error", "communication error", "connection is closed", "Can't create a connection")
_INTEGRITY = "23"  # the class of SQLSTATE, as those below
_CONNECTION, _RESOURCES, _CANCELLED = "08", "53", "57014"

T = TypeVar("T")
Rows = Sequence[Sequence[Any]]


class Contended(Unavailable):
    pass


class ConnectionLost(Unavailable):
    pass


class Unanswered(Unavailable):
    pass


class Violation(Exception):
    """A constraint refused a change; the transaction is rolled back."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"the constraint {constraint} does not hold")
        self.constraint = constraint


class Session:
    """One transaction. Parameters are named `:so`; a statement without any may be several."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self.failed = self.broken = False

    def run(self, sql: str, **parameters: Any) -> Rows:
        """The rows of a statement. Raises `Violation`, `Unavailable`, and what else the driver raises."""
        try:
            return self._driver.run(sql, **parameters) or ()
        except Exception as error:
            explained = _explained(error)
            self.failed, self.broken = True, isinstance(explained, (ConnectionLost, Unanswered))
            raise explained from error


class Connection:
    """The connection of a process to one database. Not for several threads at once."""

    def __init__(
        self,
        host: str,
        port: int,
        database: str,
        user: str,
        region: str,
        *,
        answer_s: float = ANSWER_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._host, self._port, self._database, self._user, self._region = host, port, database, user, region
        self._answer_s, self._clock, self._sleep = answer_s, clock, sleep
        self._driver: Any = None
        self._made_at = 0.0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A transaction: committed at the end of the block, rolled back when that raises.

        Raises `Contended`, `ConnectionLost`, `Violation`; plain `Unavailable` where the connection broke while it
        was committed, so that nobody knows whether it was.
        """
        session = self._begun()
        try:
            yield session
        except BaseException:
            self._roll_back(session)
            raise
        if session.failed:  # and the block went on: PostgreSQL would answer its COMMIT with a rollback
            self._roll_back(session)
            raise RuntimeError("a statement of the transaction failed")
        try:
            session.run("COMMIT")
        except Exception as error:
            self._roll_back(session)
            if session.broken:
                raise Unavailable("nobody knows whether it was done; try again") from error
            raise

    def in_transaction(self, work: Callable[[Session], T], attempts: int = ATTEMPTS) -> T:
        """What `work` returns, done in a transaction and, as long as nothing came of it, in another one."""
        for attempt in range(1, attempts + 1):
            try:
                with self.transaction() as session:
                    return work(session)
            except (Contended, ConnectionLost):
                if attempt == attempts:
                    raise
                # Chance only spreads those who met; nothing is kept secret by it.
                self._sleep(random.uniform(0.5, 1) * BACKOFF_S * 2**attempt)  # noqa: S311
        raise AssertionError("there is no attempt")

    def close(self) -> None:
        """End the connection; the next transaction makes another one."""
        driver, self._driver = self._driver, None
        if driver is not None:
            with suppress(Exception):  # it may be broken
                driver.close()

    def _begun(self) -> Session:
        """A session in a new transaction. A connection that broke while nobody looked is made again."""
        if self._driver is not None and self._clock() - self._made_at > RENEWED_AFTER_S:
            self.close()
        is_new = self._driver is None
        session = Session(self._connected())
        try:
            session.run("BEGIN")
        except ConnectionLost:
            self.close()
            if is_new:
                raise
            return self._begun()
        except BaseException:
            self.close()
            raise
        return session

    def _connected(self) -> Any:
        if self._driver is None:
            import ssl

            from pg8000.native import Connection as Driver

            try:
                self._driver = Driver(
                    self._user,
                    host=self._host,
                    port=self._port,
                    database=self._database,
                    password=token(self._host, self._port, self._user, self._region),
                    ssl_context=ssl.create_default_context(),
                    timeout=self._answer_s,
                )
            except Exception as error:
                raise _explained(error) from error
            self._made_at = self._clock()
        return self._driver

    def _roll_back(self, session: Session) -> None:
        if not session.broken:
            try:
                self._driver.run("ROLLBACK")
                return
            except Exception:  # noqa: S110 (the server rolls back what a connection leaves open)
                pass
        self.close()


@lru_cache(maxsize=8)
def connect(
    host: str, port: int, database: str, user: str, region: str, answer_s: float = ANSWER_S
) -> Connection:
    """The process's connection to a database; it is made when the first transaction begins."""
    return Connection(host, port, database, user, region, answer_s=answer_s)


def token(host: str, port: int, user: str, region: str) -> str:
    """What `user` logs in with in the place of a password, signed with this process's credentials.

    Signed here, without a call; the SDK's client of RDS would first read all that it knows of that service.
    """
    from botocore.awsrequest import prepare_request_dict
    from botocore.model import ServiceId
    from botocore.session import get_session
    from botocore.signers import RequestSigner

    scheme = "https://"
    session = get_session()
    credentials = session.get_credentials()
    if credentials is None:
        raise RuntimeError("there are no credentials to sign a token with")
    emitter = session.get_component("event_emitter")
    signer = RequestSigner(ServiceId("RDS"), region, "rds-db", "v4", credentials, emitter)
    request: dict[str, Any] = {
        "url_path": "/",
        "query_string": "",
        "headers": {},
        "body": {"Action": "connect", "DBUser": user},
        "method": "GET",
    }
    prepare_request_dict(request, f"{scheme}{host}:{port}")
    signed: str = signer.generate_presigned_url(
        request, operation_name="connect", expires_in=TOKEN_LIFE_S, region_name=region, signing_name="rds-db"
    )
    return signed.removeprefix(scheme)


def _explained(error: Exception) -> Exception:
    """What an error of the driver means; the error itself where that is a fault of the program or the deployment."""
    from ssl import SSLCertVerificationError

    from pg8000.exceptions import DatabaseError, InterfaceError

    if isinstance(error, DatabaseError):
        fields = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        return _of_the_server(str(fields.get("C", "")), str(fields.get("n", ""))) or error
    if isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError):
        return Unanswered("the database does not answer in time; try again")
    if isinstance(error, SSLCertVerificationError):
        return error
    if isinstance(error, OSError) or (isinstance(error, InterfaceError) and str(error).startswith(_NETWORK)):
        return ConnectionLost("the database does not answer; try again")
    return error


def _of_the_server(state: str, constraint: str) -> Exception | None:
    if state.startswith(_INTEGRITY):
        return Violation(constraint)
    if state in _CONTENDED:
        return Contended("too many writers at once; try again")
    if state in _LOST or state.startswith(_CONNECTION):
        return ConnectionLost("the database does not answer; try again")
    if state == _CANCELLED or state.startswith(_RESOURCES):
        return Unavailable("the database is busy; try again")
    return None
