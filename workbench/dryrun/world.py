"""What a scenario may touch: the outputs of the deployed stack, clients, HTTP, WebSockets, and faults. Nothing else.

def play(world: World) -> None:
    with world.step("a new link redirects"):
        answer = world.http.get(world.outputs["Url"] + "/abc")
        assert answer.status == 302
"""

from __future__ import annotations

import ast
import linecache
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

from workbench.dryrun.control import Control
from workbench.dryrun.faults import Faults, FaultUnavailable
from workbench.dryrun.http import Http
from workbench.dryrun.sockets import Socket

T = TypeVar("T")


@dataclass
class Step:
    """One step of a scenario, as it went."""

    name: str
    passed: bool = False
    seconds: float = 0.0
    error: str | None = None
    not_played: str | None = None  # why it could not be played here; it has then neither passed nor failed
    began: float = field(default_factory=time.time)  # epoch, to find its log lines

    @property
    def failed(self) -> bool:
        """Whether it was played and did not pass."""
        return not self.passed and self.not_played is None


class StepFailed(Exception):
    """A step failed; the steps after it are not played."""


class PlayStopped(Exception):
    """Whoever plays has seen enough."""


@dataclass(frozen=True)
class Refusal:
    """A call that the scenario says IAM will refuse."""

    action: str
    resource: str


class World:
    """A deployed system, as a client sees it."""

    def __init__(
        self,
        outputs: dict[str, str],
        client: Callable[[str], Any],
        http: Http,
        on_step: Callable[[Step], None] | None = None,
        control: Control | None = None,
        stop_when: Callable[[], bool] = lambda: False,  # asked at both ends of a step, and while it waits
    ) -> None:
        self.outputs = outputs
        self.client = client
        self.http = http
        self.sockets = http.sockets  # whoever closes the HTTP client closes what is left open of them
        self.run_id = uuid.uuid4().hex[:8]  # for names that two plays must not share
        self.faults = Faults(client, control, self._expect)
        self._control = control
        self.steps: list[Step] = []
        self.expected_refusals: list[Refusal] = []
        self._on_step = on_step or (lambda _: None)
        self._stop_when = stop_when

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """One step of the story. What fails inside is recorded, and ends the play.

        A fault that cannot be made here ends the step alone: it is noted as not played, and the play goes on.
        """
        step = Step(name)
        self.steps.append(step)
        started = time.monotonic()
        try:
            self._stop_if_told()
            yield
            self._stop_if_told()
            step.passed = True
        except FaultUnavailable as reason:
            step.not_played = str(reason)
        except Exception as problem:
            step.error = explain(problem)
            raise StepFailed(name) from problem
        finally:
            step.seconds = time.monotonic() - started
            self._on_step(step)

    def eventually(self, check: Callable[[], T], *, within: float = 15.0, what: str = "") -> T:
        """Call `check` until it returns something true, for at most `within` seconds; return that.

        An `AssertionError` inside counts as "not yet". Raises `AssertionError` with the last reason.
        """
        until = time.monotonic() + within
        pause, last = 0.02, "it never became true"
        while True:
            self._stop_if_told()
            try:
                if found := check():
                    return found
            except AssertionError as problem:
                last = explain(problem)
            if time.monotonic() >= until:
                raise AssertionError(f"{what or 'nothing'} within {within:.0f} s: {last}")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def only_offline(self, why: str) -> None:
        """Begin a step that is not for a deployment on AWS: there it is noted as not played, and `why`."""
        if self._control is None:
            raise FaultUnavailable(why)

    def socket(self, url: str, headers: Mapping[str, str] | None = None) -> Socket:
        """Connect to the WebSocket at `url` ("wss://…"), with `headers` in the handshake.

        Raises `SocketRefused` with the status when the handshake is refused. It is closed when the play ends.
        """
        return self.sockets.open(url, headers)

    def address(self, host: str, port: int) -> tuple[str, int]:
        """Where a TCP client connects to reach `port` of a network load balancer; offline, that is on loopback."""
        if self._control is None:
            return host, port
        found = self._control.call("balancers/address", host=host, port=port)
        return str(found["host"]), int(found["port"])

    def sign_in(self, user_pool_id: str, client_id: str, name: str = "reader") -> str:
        """Make a Cognito user of this run called `name`, sign in, and return the ID token.

        The user pool's client must allow the ADMIN_USER_PASSWORD_AUTH flow.
        """
        cognito = self.client("cognito-idp")
        user, password = f"{name}-{self.run_id}@example.com", f"Aa1!{uuid.uuid4().hex}"
        cognito.admin_create_user(UserPoolId=user_pool_id, Username=user, MessageAction="SUPPRESS")
        cognito.admin_set_user_password(
            UserPoolId=user_pool_id, Username=user, Password=password, Permanent=True
        )
        answer = cognito.admin_initiate_auth(
            UserPoolId=user_pool_id,
            ClientId=client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": user, "PASSWORD": password},
        )
        return str(answer["AuthenticationResult"]["IdToken"])

    def _stop_if_told(self) -> None:
        if self._stop_when():
            raise PlayStopped

    def _expect(self, action: str, resource: str) -> None:
        self.expected_refusals.append(Refusal(action, resource))


def explain(problem: BaseException) -> str:
    """An exception in one line: where, what, and for a bare assert the values that it compared."""
    frames = list(traceback.walk_tb(problem.__traceback__))
    where = _innermost_scenario_frame(problem.__traceback__)
    text = str(problem).strip()
    if isinstance(problem, AssertionError) and not text and frames:
        frame, line = frames[-1]
        source = linecache.getline(frame.f_code.co_filename, line).strip()
        text = f"{source}   {_values(source, frame.f_locals, frame.f_globals)}"
    kind = "" if isinstance(problem, AssertionError) else f"{type(problem).__name__}: "
    return " ".join(f"{where}{kind}{text}".split())


def _innermost_scenario_frame(trace: TracebackType | None) -> str:
    found = ""
    for frame, line in traceback.walk_tb(trace):
        name = frame.f_code.co_filename
        if name.endswith("scenario.py"):
            found = f"scenario.py:{line}: "
    return found


def _values(source: str, local_names: dict[str, Any], global_names: dict[str, Any]) -> str:
    """`name = value` for the names and attributes that the asserted line reads; nothing is called."""
    try:
        tree = ast.parse(source.rstrip(":"))
    except SyntaxError:
        return ""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    shown: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in called:
            try:
                value = _read(node, local_names, global_names)
            except (KeyError, AttributeError, TypeError):
                continue
            if not callable(value) and not isinstance(value, type(sys)):
                shown[ast.unparse(node)] = repr(value)[:160]
    return "where " + ", ".join(f"{name} = {value}" for name, value in shown.items()) if shown else ""


def _read(node: ast.expr, local_names: dict[str, Any], global_names: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return local_names[node.id] if node.id in local_names else global_names[node.id]
    if isinstance(node, ast.Attribute):
        return getattr(_read(node.value, local_names, global_names), node.attr)
    raise TypeError(type(node).__name__)
