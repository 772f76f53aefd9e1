"""Who is online, in Valkey. Each change is one script, so that it is told once, however many programs race for it.

    key                      what                                                   leaves
    alive                    sorted set of "<user>#<device>", by expiry             by a script alone
    online:<user>            sorted set of the user's devices, by expiry            by a script alone
    sockets:<user>           hash of the user's devices: the connections noted      by a script alone
    left                     sorted set of devices that went, by when to look       once `settled`
    seen:<user>              when the user was last here                            after `SEEN_S`
    watch:<user>             sorted set of watchers "<user>#<device>", by expiry    with its last watcher
    may:<user>#<device>      hash of users: "1" if the device may see them          after `DECIDED_S`
    typing:<chat>:<device>   there for as long as the device may not tell again     after `TYPING_S`

All times are epoch milliseconds of the server's own clock, which scripts ask themselves. Functions and pods each
have a clock of their own: of two, one would expire what the other has just heard of. (A replica that takes over has
its own again; a device may then expire a moment early or late.) `alive`, `online` and `left` have no expiry of their
own: with one, ElastiCache's default `volatile-lru` could evict them, and nobody would be told.

A user is online as long as `online:<user>` has a device: that is what was told, and it changes in the script that
says so. A device whose time is up is out only once `expire` has taken it. Should the whole cache be lost, everybody
who is there comes online anew, and nobody goes: clients see who is away in the answers to their heartbeats.

Whoever goes, told or because their time is up, is noted in `left` by the same script. What was posted to them as they
went may be lost; fan-out takes them out by leases (`ended`, `settled`), looks what waits for them, and has it pushed.

The cache is one node with replicas, not a cluster in shards: a script names the keys of several users.
Everything here raises `Unavailable` within `lambdas.shared.valkey`'s times, and for `REST_S` after that at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha1
from typing import TYPE_CHECKING, Any, NamedTuple

from lambdas.messaging_platform import keys
from lambdas.shared.errors import Unavailable
from lambdas.shared.sdk import batches
from lambdas.shared.valkey import bounded

if TYPE_CHECKING:
    from valkey import Valkey

SEEN_S = 30 * 86_400
DECIDED_S = (
    300  # how long it may take until somebody who was blocked sees no more in the answers to heartbeats
)
TYPING_S = 3
MOST_WATCHERS = 200
LEASE_S = 60  # of devices that have gone; longer than looking after a hundred of them takes
REST_S = 2.0  # how long a cache that did not answer is left alone
_AT_ONCE = 1_000  # arguments of one call in Lua; it takes some thousands

SERVER_CLOCK = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

# A device is here: 1 if its user came online by it, and which connection of it is noted.
# KEYS: alive, online, sockets. ARGV: device among all, device, how long it is alive, a connection to note or ""
_HEARTBEAT = """
local first = redis.call('ZCARD', KEYS[2]) == 0
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[2], now + ARGV[3], ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[3], ARGV[2], ARGV[4]) end
return {first and 1 or 0, redis.call('HGET', KEYS[3], ARGV[2])}
"""

# A device is out, told or because its time is up: -1 if it was not in, or is another connection's, or is not due;
# 0 if its user is there by another device, else when the user was last here.
# KEYS: alive, online, sockets, seen, left. ARGV: device among all, device, how long it is alive, how long `seen`
# stays, connection ("" is any), whether only if it is due
_LEAVE = """
local due = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '0')
if due == 0 or (ARGV[6] == '1' and due > now) then return -1 end
local connection = redis.call('HGET', KEYS[3], ARGV[2])
if ARGV[5] ~= '' and connection and connection ~= ARGV[5] then return -1 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('ZADD', KEYS[5], now, ARGV[1])
local seen = tonumber(redis.call('GET', KEYS[4]) or '0')
local last = now
if due <= now then last = due - ARGV[3] end
if last > seen then seen = last end
redis.call('SET', KEYS[4], string.format('%.0f', seen), 'PX', ARGV[4])
if redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
return seen
"""

# The devices whose time is up. KEYS: alive. ARGV: how many at most
_DUE = """
return redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[1])
"""

# Devices that have gone, and the lease under which they are the caller's: until its end nobody else has them.
# KEYS: left. ARGV: how many at most, how long the lease is
_ENDED = """
local gone = redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now), 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, device in ipairs(gone) do redis.call('ZADD', KEYS[1], now + ARGV[2], device) end
return {now + ARGV[2], gone}
"""

# Forget devices that were looked after, but for those that went again, or whose lease is another's by now.
# KEYS: left. ARGV: the lease, then each device
_SETTLED = """
for place = 2, #ARGV do
  local lease = redis.call('ZSCORE', KEYS[1], ARGV[place])
  if lease and tonumber(lease) == tonumber(ARGV[1]) then redis.call('ZREM', KEYS[1], ARGV[place]) end
end
return 1
"""

# Which of the devices ARGV are alive. KEYS: alive
_LIVING = """
local found = redis.call('ZMSCORE', KEYS[1], unpack(ARGV))
for place, due in ipairs(found) do found[place] = due and tonumber(due) > now and 1 or 0 end
return found
"""

# What a device that watches users sees of each: whether it may ("1", "0", or false: nobody has decided), whether they
# are online, when they were last seen. Those that it may see, it watches from now on.
# KEYS: may, then online, seen and watch of each. ARGV: device among all, how long it watches, how long devices are
# alive, how many may watch, then each user
_LOOK = """
local answer = {}
for place = 1, #ARGV - 4 do
  local user, online, seen, watch = ARGV[place + 4], KEYS[place * 3 - 1], KEYS[place * 3], KEYS[place * 3 + 1]
  local may = redis.call('HGET', KEYS[1], user)
  local here, last = 0, 0
  if may == '1' then
    redis.call('ZADD', watch, now + ARGV[2], ARGV[1])
    redis.call('ZREMRANGEBYSCORE', watch, '-inf', string.format('%.0f', now))
    redis.call('ZREMRANGEBYRANK', watch, 0, -1 - ARGV[4])
    redis.call('PEXPIRE', watch, ARGV[2])
    last = tonumber(redis.call('GET', seen) or '0')
    local latest = redis.call('ZRANGE', online, -1, -1, 'WITHSCORES')[2]
    if latest and tonumber(latest) > now then here = 1
    elseif latest then last = math.max(last, tonumber(latest) - ARGV[3]) end
  end
  answer[place] = {may, here, last}
end
return answer
"""

# Who may be seen, decided. KEYS: may. ARGV: how long that holds, then user and verdict in turns. It holds from the
# first of them on, so that none outlives it.
_DECIDE = """
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1], 'NX')
return 1
"""

# KEYS: watch. ARGV: watcher, how long it watches, how many may watch
_WATCH = """
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""

# KEYS: watch
_WATCHERS = """
return redis.call('ZRANGE', KEYS[1], string.format('(%.0f', now), '+inf', 'BYSCORE')
"""


class Heard(NamedTuple):
    """What a heartbeat was. `came_online`: it is the first of its user. `moved`: it came by another connection than
    the one that is known to be noted for its device, or none is known, so that somebody should look.
    """

    came_online: bool
    moved: bool


class Lapsed(NamedTuple):
    """A device that has not been heard of in time. `went_offline` is when its user was last seen (epoch ms), None
    where another device of theirs is there.
    """

    user: str
    device: str
    went_offline: int | None


class Ended(NamedTuple):
    """Devices ("<user>#<device>") that have gone, and the lease under which they are the caller's to look after."""

    devices: list[str]
    lease: int


@dataclass(frozen=True)
class State:
    """What is seen of a user. `last_seen` is epoch milliseconds, of one who is not online."""

    online: bool
    last_seen: int | None


HIDDEN = State(online=False, last_seen=None)  # also of one who was never here: the two look the same


class _Script:
    def __init__(self, clock: str, body: str) -> None:
        self.text = clock + body
        self.digest = sha1(self.text.encode()).hexdigest()  # noqa: S324  the name that Valkey gives it


_Call = tuple[str, Sequence[str], Sequence[str | int]]  # script, keys, arguments


class PresenceCache:
    """The cache, for as long as a device is `alive_seconds` after each heartbeat. Threads may share it.

    `clock` is Lua that sets `now`; tests have one of their own.
    """

    def __init__(
        self,
        client: Callable[[], Valkey],
        alive_seconds: int = 45,
        *,
        clock: str = SERVER_CLOCK,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = client
        self._alive_ms = alive_seconds * 1000
        self._clock = clock
        self._monotonic = monotonic
        self._rests_until = float("-inf")
        self._scripts: dict[str, _Script] = {}

    # Devices

    def heartbeat(self, user: str, device: str, connection: str = "", *, is_noted: bool = False) -> Heard:
        """Note that a device is here, by this connection ("" where that is not known).

        `is_noted`: it is the one in the device's row, and is known as that from now on.
        """
        return self.heartbeat_and_look(user, device, connection, (), is_noted=is_noted)[0]

    def heartbeat_and_look(
        self, user: str, device: str, connection: str, users: Sequence[str], *, is_noted: bool = False
    ) -> tuple[Heard, dict[str, State | None]]:
        """`heartbeat` and `look` in one round trip."""
        calls: list[_Call] = [
            (
                _HEARTBEAT,
                ("alive", f"online:{user}", f"sockets:{user}"),
                (keys.inbox(user, device), device, self._alive_ms, connection if is_noted else ""),
            )
        ]
        if users:
            calls.append(self._look(user, device, users))
        (first, noted), *seen = self._run(*calls)
        moved = bool(connection) and noted != connection
        return Heard(bool(first), moved), _states(users, seen[0]) if users else {}

    def gone(self, user: str, device: str, connection: str = "") -> int | None:
        """Take a device out, if it is still there by this connection ("" is any).

        Returns when its user was last seen (epoch ms) if they went offline by it, else None.
        """
        [seen] = self._run(self._leave(user, device, connection, only_due=False))
        return int(seen) if seen > 0 else None

    def expire(self, most: int = 100) -> list[Lapsed]:
        """Take out at most `most` devices whose time is up. Each is answered to one caller, who is to tell it."""
        [due] = self._run((_DUE, ("alive",), (most,)))
        devices = [keys.owner_of(each) for each in due]
        left = self._run(*(self._leave(*each, "", only_due=True) for each in devices))
        return [
            Lapsed(*device, int(seen) if seen > 0 else None)
            for device, seen in zip(devices, left, strict=True)
            if seen >= 0
        ]

    def ended(self, most: int = 100) -> Ended:
        """At most `most` devices that have gone. Each comes again after `LEASE_S`, unless it is `settled`."""
        [(lease, devices)] = self._run((_ENDED, ("left",), (most, LEASE_S * 1000)))
        return Ended(list(devices), int(lease))

    def settled(self, devices: Sequence[str], lease: int) -> None:
        """Forget devices that `ended` answered with this lease; not those that have gone once more since."""
        if devices:
            self._run((_SETTLED, ("left",), (lease, *devices)))

    def is_alive(self, inboxes: Iterable[str]) -> set[str]:
        """Those of the devices ("<user>#<device>", as their inboxes) that were heard of in time."""
        asked = list(inboxes)
        answers = self._run(*((_LIVING, ("alive",), part) for part in batches(asked, _AT_ONCE)))
        living = [alive for answer in answers for alive in answer]
        return {device for device, alive in zip(asked, living, strict=True) if alive}

    # Watching

    def look(self, user: str, device: str, users: Sequence[str]) -> dict[str, State | None]:
        """What a device sees of users, whom it watches from now on; None where nobody has decided what it may."""
        if not users:
            return {}
        [seen] = self._run(self._look(user, device, users))
        return _states(users, seen)

    def decide(self, user: str, device: str, verdicts: dict[str, bool]) -> None:
        """Note whom a device may see, for at most `DECIDED_S`."""
        if verdicts:
            pairs = [word for seen, may in verdicts.items() for word in (seen, "1" if may else "0")]
            self._run((_DECIDE, (f"may:{keys.inbox(user, device)}",), (DECIDED_S * 1000, *pairs)))

    def watch(self, user: str, watcher: str) -> None:
        """Have a device ("<user>#<device>") told when `user` comes and goes; of more than 200 the oldest leaves."""
        self._run((_WATCH, (f"watch:{user}",), (watcher, self._alive_ms, MOST_WATCHERS)))

    def watchers(self, user: str) -> list[str]:
        """The devices ("<user>#<device>") that watch a user now, those that looked longest ago first."""
        [found] = self._run((_WATCHERS, (f"watch:{user}",), ()))
        return list(found)

    def seen(self, user: str) -> int | None:
        """When a user was last here (epoch ms), as it was told when they went; None where that is not known."""
        found = self._ask(lambda client: client.get(f"seen:{user}"))
        return int(found) if found else None

    # Typing

    def may_type(self, user: str, device: str, chat: str) -> bool:
        """Whether a device may tell a chat about its typing: once in `TYPING_S`."""
        key = f"typing:{chat}:{keys.inbox(user, device)}"
        return bool(self._ask(lambda client: client.set(key, 1, nx=True, px=TYPING_S * 1000)))

    # The server

    def _leave(self, user: str, device: str, connection: str, *, only_due: bool) -> _Call:
        return (
            _LEAVE,
            ("alive", f"online:{user}", f"sockets:{user}", f"seen:{user}", "left"),
            (
                keys.inbox(user, device),
                device,
                self._alive_ms,
                SEEN_S * 1000,
                connection,
                "1" if only_due else "0",
            ),
        )

    def _look(self, user: str, device: str, users: Sequence[str]) -> _Call:
        watcher = keys.inbox(user, device)
        of_each = [f"{what}:{each}" for each in users for what in ("online", "seen", "watch")]
        return (
            _LOOK,
            (f"may:{watcher}", *of_each),
            (watcher, self._alive_ms, self._alive_ms, MOST_WATCHERS, *users),
        )

    def _run(self, *calls: _Call) -> list[Any]:
        """The answers of scripts, in one round trip; in two where the server does not know one of them yet."""
        if not calls:
            return []
        return list(self._ask(lambda client: self._answers(client, calls)))

    def _answers(self, client: Any, calls: Sequence[_Call]) -> list[Any]:
        from valkey.exceptions import NoScriptError

        answers = self._sent(client, calls, "EVALSHA")
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            again = self._sent(client, [calls[place] for place in unknown], "EVAL")
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _sent(self, client: Any, calls: Sequence[_Call], command: str) -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        for body, names, arguments in calls:
            script = self._script(body)
            called = script.digest if command == "EVALSHA" else script.text
            pipeline.execute_command(command, called, len(names), *names, *arguments)
        return list(pipeline.execute(raise_on_error=False))

    def _script(self, body: str) -> _Script:
        if body not in self._scripts:
            self._scripts[body] = _Script(self._clock, body)
        return self._scripts[body]

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        """What the server answers. After it did not, nobody is made to wait for it for a while."""
        if self._monotonic() < self._rests_until:
            raise Unavailable("the cache did not answer a moment ago; try again")
        try:
            with bounded(self._client):
                return question(self._client)
        except Unavailable:
            self._rests_until = self._monotonic() + REST_S
            raise

    @cached_property
    def _client(self) -> Valkey:
        return self._connect()


def _states(users: Sequence[str], seen: Sequence[Any]) -> dict[str, State | None]:
    found: dict[str, State | None] = {}
    for user, (may, here, last) in zip(users, seen, strict=True):
        if may is None:
            found[user] = None
        elif may == "0":
            found[user] = HIDDEN
        else:
            found[user] = State(bool(here), None if here else int(last) or None)
    return found
