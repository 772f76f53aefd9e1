"""The truth of the directory: accounts, contacts, blocks and groups in PostgreSQL.

A change and its row of the outbox are one transaction: what was committed is known to have to be applied. Every
method that changes something returns the changes of its aggregate that are still to be applied, its own among them,
in their order; a request that changes nothing returns them too, so that asking again finishes what a crash left.

Each change first locks the row of its account or its group. So those of one aggregate queue, their versions have no
gaps, and what was read before is still so when it is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from lambdas.messaging_platform.directory.records import (
    Account,
    Change,
    Group,
    Member,
    NewGroup,
    Person,
    Receipts,
    UnknownUser,
    group_aggregate,
    user_aggregate,
)
from lambdas.messaging_platform.settings import DirectorySettings
from lambdas.shared.errors import NotFound, Refused
from lambdas.shared.postgres import Connection, Session, Violation, connect

# How long a change is left to the request that made it: longer than that can take.
SETTLED_WITHIN_S = 30
LONGEST_BACKOFF_S = 3_600
KEYS_KEPT_DAYS = 7

T = TypeVar("T")


class Store:
    """The database. One for the life of the process; it connects when first asked."""

    def __init__(self, database: Connection, largest_group: int) -> None:
        self._database = database
        self._largest_group = largest_group

    # Accounts

    def account(self, user: str) -> Account | None:
        """A user's account, or None where they have none."""
        columns = "name, last_seen, read_receipts, quiet_from, quiet_to, utc_offset"
        with self._database.transaction() as session:
            rows = session.run(f"SELECT {columns} FROM accounts WHERE user_id = :user", user=user)  # noqa: S608
        return Account(user, *rows[0]) if rows else None

    def put_account(self, account: Account) -> list[Change]:
        """Make or change an account."""

        def work(session: Session) -> list[Change]:
            values = {
                "name": account.name,
                "last_seen": account.last_seen,
                "read_receipts": account.read_receipts,
                "quiet_from": account.quiet_from,
                "quiet_to": account.quiet_to,
                "utc_offset": account.utc_offset,
            }
            names = ", ".join(values)
            made = session.run(
                f"INSERT INTO accounts (user_id, {names})"  # noqa: S608 (the names are those above)
                f" VALUES (:user, {', '.join(f':{name}' for name in values)})"
                " ON CONFLICT DO NOTHING RETURNING version",
                user=account.user,
                **values,
            )
            before = session.run(
                f"SELECT {names} FROM accounts WHERE user_id = :user FOR NO KEY UPDATE",  # noqa: S608
                user=account.user,
            )[0]
            aggregate = user_aggregate(account.user)
            if not made and tuple(before) == tuple(values.values()):
                return _pending(session, aggregate)
            version = 1
            if not made:
                assignments = ", ".join(f"{name} = :{name}" for name in values)
                [[version]] = session.run(
                    f"UPDATE accounts SET {assignments}, version = version + 1"  # noqa: S608
                    " WHERE user_id = :user RETURNING version",
                    user=account.user,
                    **values,
                )
            changed = not made and before[2] != account.read_receipts
            what = {"kind": "profile", **values, "receipts_changed": changed}
            return _committed(session, aggregate, version, what)

        return self._database.in_transaction(work)

    def receipts(self, users: Sequence[str]) -> Mapping[str, Receipts]:
        """Which of `users` show what they have read, as of which version of their accounts."""
        with self._database.transaction() as session:
            rows = session.run(
                "SELECT user_id, read_receipts, version FROM accounts WHERE user_id = ANY(:users)",
                users=list(users),
            )
        return {user: Receipts(shown, int(version)) for user, shown, version in rows}

    def may_chat(self, user: str, other: str) -> bool:
        """Whether both have an account and neither has blocked the other."""
        with self._database.transaction() as session:
            [[known, blocked]] = session.run(
                "SELECT (SELECT count(*) FROM accounts WHERE user_id = ANY(:both)),"
                " EXISTS (SELECT 1 FROM blocks WHERE owner = ANY(:both) AND other = ANY(:both))",
                both=[user, other],
            )
        return bool(known == 2 and not blocked)

    # Contacts and blocks

    def contacts(self, user: str, after: str, limit: int) -> list[Person]:
        """Up to `limit` contacts, in the order of their ids, after one."""
        return self._listed("contacts", user, after, limit)

    def blocks(self, user: str, after: str, limit: int) -> list[Person]:
        """Up to `limit` of those whom the user has blocked, in the order of their ids, after one."""
        return self._listed("blocks", user, after, limit)

    def put_contact(self, user: str, other: str) -> list[Change]:
        """Have `other` among the user's contacts. Raises `UnknownUser` where either has no account."""
        return self._put("contacts", "contact_added", user, other)

    def delete_contact(self, user: str, other: str) -> list[Change]:
        """Have `other` no longer among the user's contacts."""
        return self._delete("contacts", "contact_removed", user, other)

    def put_block(self, user: str, other: str) -> list[Change]:
        """Block `other`. Raises `UnknownUser` where either has no account."""
        return self._put("blocks", "blocked", user, other)

    def delete_block(self, user: str, other: str) -> list[Change]:
        """Block `other` no longer."""
        return self._delete("blocks", "unblocked", user, other)

    def _listed(self, table: str, user: str, after: str, limit: int) -> list[Person]:
        with self._database.transaction() as session:
            rows = session.run(
                f"SELECT other, name FROM {table} JOIN accounts ON user_id = other"  # noqa: S608 (ours)
                " WHERE owner = :user AND other > :after ORDER BY other LIMIT :most",
                user=user,
                after=after,
                most=limit,
            )
        return [Person(other, name) for other, name in rows]

    def _put(self, table: str, kind: str, user: str, other: str) -> list[Change]:
        def work(session: Session) -> list[Change]:
            _lock_account(session, user)
            done = session.run(
                f"INSERT INTO {table} VALUES (:user, :other) ON CONFLICT DO NOTHING RETURNING other",  # noqa: S608
                user=user,
                other=other,
            )
            return _changed(session, user, kind, other) if done else _pending(session, user_aggregate(user))

        try:
            return self._database.in_transaction(work)
        except Violation as violation:
            if violation.constraint == f"{table}_other":
                raise UnknownUser("there is no such user") from None
            raise

    def _delete(self, table: str, kind: str, user: str, other: str) -> list[Change]:
        def work(session: Session) -> list[Change]:
            _lock_account(session, user)
            done = session.run(
                f"DELETE FROM {table} WHERE owner = :user AND other = :other RETURNING other",  # noqa: S608
                user=user,
                other=other,
            )
            return _changed(session, user, kind, other) if done else _pending(session, user_aggregate(user))

        return self._database.in_transaction(work)

    # Groups

    def make_group(self, wanted: NewGroup) -> tuple[str, list[Change]]:
        """Make a group whose owner is its admin; its chat, which is an earlier one's for the same key.

        Raises `UnknownUser` where somebody has no account, or has blocked the owner; `Refused` where they are too
        many, or the key was used for another group.
        """

        def work(session: Session) -> tuple[str, list[Change]]:
            is_new = session.run(
                "INSERT INTO group_keys (owner, key, fingerprint, chat) VALUES (:owner, :key, :fingerprint, :chat)"
                " ON CONFLICT DO NOTHING RETURNING chat",
                owner=wanted.owner,
                key=wanted.key,
                fingerprint=wanted.fingerprint,
                chat=wanted.chat,
            )
            if not is_new:
                [[fingerprint, chat]] = session.run(
                    "SELECT fingerprint, chat FROM group_keys WHERE owner = :owner AND key = :key",
                    owner=wanted.owner,
                    key=wanted.key,
                )
                if fingerprint != wanted.fingerprint:
                    raise Refused("this Idempotency-Key was used for another group")
                return chat, _pending(session, group_aggregate(chat))
            if session.run(
                "SELECT 1 FROM blocks WHERE owner = ANY(:members) AND other = :owner LIMIT 1",
                members=list(wanted.members),
                owner=wanted.owner,
            ):
                raise UnknownUser(_SOMEBODY_UNKNOWN)
            session.run(
                "INSERT INTO groups (chat, name, largest) VALUES (:chat, :name, :largest)",
                chat=wanted.chat,
                name=wanted.name,
                largest=self._largest_group,
            )
            session.run(
                "INSERT INTO group_members (chat, user_id, role, joined)"
                " SELECT CAST(:chat AS text), joining,"
                " CASE WHEN joining = CAST(:owner AS text) THEN 'admin' ELSE 'member' END, 1"
                " FROM unnest(CAST(:everyone AS text[])) AS joining",
                chat=wanted.chat,
                owner=wanted.owner,
                everyone=[wanted.owner, *wanted.members],
            )
            what = {
                "kind": "group_made",
                "name": wanted.name,
                "owner": wanted.owner,
                "members": [wanted.owner, *wanted.members],
            }
            return wanted.chat, _committed(session, group_aggregate(wanted.chat), 1, what)

        return self._with_members(work)

    def group(self, chat: str, user: str) -> Group:
        """A group that the user is in. Raises `NotFound` for any other."""
        with self._database.transaction() as session:
            _member_of(session, chat, user)
            [[name, version]] = session.run("SELECT name, version FROM groups WHERE chat = :chat", chat=chat)
            rows = session.run(
                "SELECT user_id, name, role FROM group_members JOIN accounts USING (user_id)"
                " WHERE chat = :chat ORDER BY joined, user_id",
                chat=chat,
            )
        return Group(chat, name, int(version), [Member(*row) for row in rows])

    def add_member(self, chat: str, actor: str, user: str) -> list[Change]:
        """Have `user` in the group. Only admins do so.

        Raises `NotFound` for a group that the actor is not in, `UnknownUser`, `Refused`.
        """

        def work(session: Session) -> list[Change]:
            aggregate = group_aggregate(chat)
            roles = _locked_group(session, chat, actor, user)
            if roles[actor] != "admin":
                raise Refused("only an admin adds members")
            if user in roles:
                return _pending(session, aggregate)
            if session.run(
                "SELECT 1 FROM blocks WHERE owner = :user AND other = :actor", user=user, actor=actor
            ):
                raise UnknownUser(_SOMEBODY_UNKNOWN)
            [[version]] = session.run(
                "INSERT INTO group_members (chat, user_id, role, joined)"
                " SELECT chat, :user, 'member', version + 1 FROM groups WHERE chat = :chat RETURNING joined",
                chat=chat,
                user=user,
            )
            return _members_changed(session, chat, version, actor, added=[user])

        return self._with_members(work)

    def remove_member(self, chat: str, actor: str, user: str) -> list[Change]:
        """Have `user` no longer in the group. Admins do so, and everybody for themselves.

        When the last admin goes, the oldest member becomes one. Raises `NotFound` for a group that the actor is not
        in, and `Refused`. Who has left and asks again is told the same as a stranger, when all of it is applied.
        """

        def work(session: Session) -> list[Change]:
            aggregate = group_aggregate(chat)
            try:
                roles = _locked_group(session, chat, actor, user)
            except NotFound:
                pending = _pending(session, aggregate) if actor == user else []
                if any(user in change.what.get("removed", ()) for change in pending):
                    return pending
                raise
            if actor != user and roles[actor] != "admin":
                raise Refused("only an admin removes others")
            if user not in roles:
                return _pending(session, aggregate)
            session.run(
                "DELETE FROM group_members WHERE chat = :chat AND user_id = :user", chat=chat, user=user
            )
            heir = session.run(
                "UPDATE group_members SET role = 'admin' WHERE chat = :chat AND user_id ="
                " (SELECT user_id FROM group_members WHERE chat = :chat ORDER BY joined, user_id LIMIT 1)"
                " AND NOT EXISTS (SELECT 1 FROM group_members WHERE chat = :chat AND role = 'admin')"
                " RETURNING user_id",
                chat=chat,
            )
            [[version]] = session.run("SELECT version + 1 FROM groups WHERE chat = :chat", chat=chat)
            admin = heir[0][0] if heir else None
            return _members_changed(session, chat, version, actor, removed=[user], admin=admin)

        return self._database.in_transaction(work)

    def _with_members(self, work: Callable[[Session], T]) -> T:
        try:
            return self._database.in_transaction(work)
        except Violation as violation:
            if violation.constraint == "group_has_room":
                raise Refused(f"a group has at most {self._largest_group} members") from None
            if violation.constraint == "group_members_account":
                raise UnknownUser(_SOMEBODY_UNKNOWN) from None
            raise

    # The outbox

    def done(self, change: Change) -> None:
        """Note that a change was applied; again is the same."""
        with self._database.transaction() as session:
            session.run(
                "DELETE FROM outbox WHERE aggregate = :aggregate AND version = :version",
                aggregate=change.aggregate,
                version=change.version,
            )

    def claim(self, limit: int) -> list[Change]:
        """Up to `limit` changes that are due, the longest due first; of an aggregate only its oldest.

        They are this caller's for `SETTLED_WITHIN_S`, and for twice as long each time that they come back.
        """
        with self._database.transaction() as session:
            rows = session.run(
                "UPDATE outbox SET attempts = attempts + 1, due_at = now() + make_interval(secs =>"
                # Of too large a power there is none: PostgreSQL raises, and nobody's change would be applied.
                " least(:longest, :lease * power(2, least(attempts, 20))))"
                " WHERE (aggregate, version) IN ("
                "  SELECT aggregate, version FROM outbox AS due WHERE due_at <= now() AND NOT EXISTS ("
                "   SELECT 1 FROM outbox AS before"
                "   WHERE before.aggregate = due.aggregate AND before.version < due.version"
                "  ) ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED"
                " ) RETURNING aggregate, version, change",
                longest=LONGEST_BACKOFF_S,
                lease=SETTLED_WITHIN_S,
                most=limit,
            )
        return [Change(*row) for row in rows]

    def oldest_pending_s(self) -> float:
        """For how many seconds the oldest change has waited to be applied; 0 where none does."""
        with self._database.transaction() as session:
            [[age]] = session.run("SELECT extract(epoch FROM now() - min(made_at)) FROM outbox")
        return float(age or 0)

    def forget_keys(self) -> None:
        """Drop idempotency keys that are older than `KEYS_KEPT_DAYS`."""
        with self._database.transaction() as session:
            session.run(
                "DELETE FROM group_keys WHERE made_at < now() - make_interval(days => :days)",
                days=KEYS_KEPT_DAYS,
            )


_SOMEBODY_UNKNOWN = "there is no such user, or you have no account"


@lru_cache(maxsize=1)
def store() -> Store:
    """The store of this process, as its environment says."""
    settings = DirectorySettings.from_environment()
    database = connect(
        settings.database_host,
        settings.database_port,
        settings.database_name,
        settings.database_user,
        settings.aws_region,
    )
    return Store(database, settings.largest_group)


def _lock_account(session: Session, user: str) -> None:
    if not session.run("SELECT 1 FROM accounts WHERE user_id = :user FOR NO KEY UPDATE", user=user):
        raise UnknownUser("you have no account")


def _changed(session: Session, user: str, kind: str, other: str) -> list[Change]:
    """The next version of an account, which is locked."""
    [[version]] = session.run(
        "UPDATE accounts SET version = version + 1 WHERE user_id = :user RETURNING version", user=user
    )
    return _committed(session, user_aggregate(user), version, {"kind": kind, "other": other})


def _member_of(session: Session, chat: str, user: str, lock: str = "") -> None:
    if not session.run(
        "SELECT 1 FROM groups WHERE chat = :chat AND EXISTS"  # noqa: S608 (the lock is ours)
        " (SELECT 1 FROM group_members WHERE group_members.chat = :chat AND user_id = :user)" + lock,
        chat=chat,
        user=user,
    ):
        raise NotFound("you are in no such group")


def _locked_group(session: Session, chat: str, actor: str, user: str) -> dict[str, str]:
    """Lock a group and return the roles of the two, where they are in it.

    Raises `NotFound` where the actor is not.
    """
    _member_of(session, chat, actor, " FOR NO KEY UPDATE")
    # Read once the lock is there: what another one did before it is seen.
    rows = session.run(
        "SELECT user_id, role FROM group_members WHERE chat = :chat AND user_id = ANY(:both)",
        chat=chat,
        both=[actor, user],
    )
    roles = {name: role for name, role in rows}  # noqa: C416 (rows are lists)
    if actor not in roles:
        raise NotFound("you are in no such group")
    return roles


def _members_changed(
    session: Session,
    chat: str,
    version: int,
    actor: str,
    *,
    added: Sequence[str] = (),
    removed: Sequence[str] = (),
    admin: str | None = None,
) -> list[Change]:
    [[members]] = session.run(
        "UPDATE groups SET version = :version WHERE chat = :chat RETURNING members",
        version=version,
        chat=chat,
    )
    what = {
        "kind": "members_changed",
        "actor": actor,
        "added": list(added),
        "removed": list(removed),
        "admin": admin,
        "members": members,
    }
    return _committed(session, group_aggregate(chat), version, what)


def _committed(session: Session, aggregate: str, version: int, what: Mapping[str, Any]) -> list[Change]:
    """Put a change into the outbox, and return all of its aggregate's."""
    session.run(
        "INSERT INTO outbox (aggregate, version, change, due_at)"
        " VALUES (:aggregate, :version, :change, now() + make_interval(secs => :lease))",
        aggregate=aggregate,
        version=version,
        change=json.dumps(what),
        lease=SETTLED_WITHIN_S,
    )
    return _pending(session, aggregate)


def _pending(session: Session, aggregate: str) -> list[Change]:
    rows = session.run(
        "SELECT version, change FROM outbox WHERE aggregate = :aggregate ORDER BY version",
        aggregate=aggregate,
    )
    return [Change(aggregate, int(version), what) for version, what in rows]
