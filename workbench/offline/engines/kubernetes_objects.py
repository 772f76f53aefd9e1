"""The objects of a cluster: what its API server keeps, with server-side apply.

Source: "Server-Side Apply", "Labels and Selectors" and "Kubernetes API Concepts", Kubernetes documentation.
Lists are owned as a whole (on Kubernetes some are merged by key), and `metadata.managedFields` is not shown.
"""

from __future__ import annotations

import copy
import itertools
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.offline.engines.kubernetes_kinds import Invalid, Kind, validate
from workbench.offline.engines.kubernetes_rules import check, fill_in

Object = dict[str, Any]
Path = tuple[str, ...]

NAMESPACE = Kind("", "v1", "Namespace")


class Failure(Exception):
    """A request that the API server refuses; `status()` is the Status object that says why."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code, self.reason, self.details = code, reason, details

    def status(self) -> Object:
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


@dataclass(frozen=True)
class Key:
    """Where an object is kept: a kind is one, in whichever version it is asked for."""

    group: str
    plural: str
    namespace: str
    name: str

    @classmethod
    def of(cls, kind: Kind, namespace: str, name: str) -> Key:
        return cls(kind.group, kind.plural, namespace if kind.namespaced else "", name)


@dataclass
class Objects:
    """`version` is the cluster's. `changed` is set with every write, for whoever acts on it."""

    version: str
    changed: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _kept: dict[Key, Object] = field(default_factory=dict)
    _applied: dict[Key, dict[str, Object]] = field(default_factory=dict)
    _revisions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """A copy of the object. Raises `Failure` 404."""
        with self.lock:
            found = self._kept.get(Key.of(kind, namespace, name))
            if found is None:
                raise not_found(kind, name)
            return copy.deepcopy(found)

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """A copy of the object, or None."""
        with self.lock:
            return copy.deepcopy(self._kept.get(Key.of(kind, namespace, name)))

    def list(self, kind: Kind, namespace: str | None = None) -> list[Object]:
        """Copies of all objects of a kind, by namespace and name; of one namespace, or of all."""
        with self.lock:
            keys = [
                key
                for key in self._kept
                if (key.group, key.plural) == (kind.group, kind.plural) and namespace in (None, key.namespace)
            ]
            return [
                copy.deepcopy(self._kept[key])
                for key in sorted(keys, key=lambda key: (key.namespace, key.name))
            ]

    def create(self, kind: Kind, namespace: str, manifest: Object, manager: str) -> Object:
        """Keep a new object. Raises `Failure` 404 (namespace), 409 (it exists), 422 (manifest)."""
        with self.lock:
            name = manifest.get("metadata", {}).get("name") or _generated(manifest)
            manifest = manifest | {"metadata": {**manifest.get("metadata", {}), "name": name}}
            if Key.of(kind, namespace, name) in self._kept:
                message = f'{qualified(kind)} "{name}" already exists'
                raise Failure(409, "AlreadyExists", message, name=name, group=kind.group, kind=kind.plural)
            return self.apply(kind, namespace, name, manifest, manager, force=True)

    def apply(
        self, kind: Kind, namespace: str, name: str, manifest: Object, manager: str, *, force: bool
    ) -> Object:
        """Make the fields of `manifest` so, and take away those that `manager` applied before and left out.

        Raises `Failure` 404 where the namespace is missing, 409 where another manager holds a field with
        another value (unless `force`), 422 where the result is not a valid object.
        """
        with self.lock:
            if kind.namespaced and Key.of(NAMESPACE, "", namespace) not in self._kept:
                raise not_found(NAMESPACE, namespace)
            key = Key.of(kind, namespace, name)
            intent = _intent(kind, namespace, manifest)
            others = self._others(key, manager, intent, name, force)
            merged = copy.deepcopy(self._kept.get(key, {}))
            before = _leaves(self._applied.get(key, {}).get(manager, {}))
            kept = set(_leaves(intent)).union(*(_leaves(other) for other in others.values()))
            for path in before:
                if path not in kept:
                    _remove(merged, path)
            _merge(merged, intent)
            self._validated(kind, merged, name)
            self._applied[key] = {**others, manager: intent}
            return copy.deepcopy(self._keep(key, merged))

    def write(self, kind: Kind, namespace: str, name: str, change: Callable[[Object], None]) -> None:
        """Let a controller change an object in place, unless it is gone: its status, or its scale."""
        with self.lock:
            key = Key.of(kind, namespace, name)
            live = self._kept.get(key)
            if live is None:
                return
            changed = copy.deepcopy(live)
            change(changed)
            if changed != live:
                self._keep(key, changed)

    def put(self, kind: Kind, namespace: str, name: str, manifest: Object) -> None:
        """Keep what a controller makes, such as a pod; nobody else owns a field of it."""
        with self.lock:
            key = Key.of(kind, namespace, name)
            ours = {"name": name} | ({"namespace": namespace} if kind.namespaced else {})
            held = self._kept.get(key, {}).get("metadata", {})
            metadata = held | manifest.get("metadata", {}) | ours
            self._keep(
                key, {"apiVersion": kind.api_version, "kind": kind.name, **manifest, "metadata": metadata}
            )

    def disown(self, kind: Kind, namespace: str, name: str, path: Path) -> None:
        """Nobody holds this field any more: a controller writes it now."""
        with self.lock:
            for intent in self._applied.get(Key.of(kind, namespace, name), {}).values():
                _remove(intent, path)

    def delete(self, kind: Kind, namespace: str, name: str) -> Object:
        """Take an object away; with a namespace, all that is in it. Raises `Failure` 404."""
        with self.lock:
            key = Key.of(kind, namespace, name)
            if key not in self._kept:
                raise not_found(kind, name)
            gone = [key]
            if kind == NAMESPACE:
                gone += [each for each in self._kept if each.namespace == name]
            removed = [self._kept.pop(each) for each in gone]
            for each in gone:
                self._applied.pop(each, None)
            next(self._revisions)
            self.changed.set()
            return removed[0]

    def _others(self, key: Key, manager: str, intent: Object, name: str, force: bool) -> dict[str, Object]:
        """What the other managers hold afterwards: without the fields that `force` takes from them."""
        ours = _leaves(intent)
        others = {
            each: copy.deepcopy(held) for each, held in self._applied.get(key, {}).items() if each != manager
        }
        for other, held in others.items():
            theirs = _leaves(held)
            taken = [path for path in theirs if path in ours and ours[path] != theirs[path]]
            if taken and not force:
                fields = ", ".join("." + ".".join(path) for path in taken)
                message = f'Apply failed with {len(taken)} conflict(s): "{other}" holds {fields}'
                raise Failure(409, "Conflict", message, name=name, group=key.group, kind=key.plural)
            for path in taken:
                _remove(held, path)
        return others

    def _validated(self, kind: Kind, manifest: Object, name: str) -> None:
        live = self._kept.get(Key.of(kind, manifest["metadata"].get("namespace", ""), name))
        try:
            validate({key: value for key, value in manifest.items() if key != "status"}, kind, self.version)
            check(kind, manifest, live)
        except Invalid as error:
            message = f'{kind.name} "{name}" is invalid: {error}'
            causes = [{"reason": "FieldValueInvalid", "message": str(error), "field": error.field}]
            raise Failure(
                422, "Invalid", message, name=name, group=kind.group, kind=kind.name, causes=causes
            ) from None
        fill_in(kind, manifest)

    def _keep(self, key: Key, manifest: Object) -> Object:
        live = self._kept.get(key)
        metadata = manifest["metadata"]
        metadata.setdefault("uid", str(uuid.uuid4()))
        metadata.setdefault("creationTimestamp", now())
        if "spec" in manifest and (live is None or live.get("spec") != manifest["spec"]):
            metadata["generation"] = metadata.get("generation", 0) + 1
        if live != manifest:
            metadata["resourceVersion"] = str(next(self._revisions))
            self._kept[key] = manifest
            self.changed.set()
        return manifest


def now() -> str:
    """This moment, as Kubernetes writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def not_found(kind: Kind, name: str) -> Failure:
    """404, in the API server's words."""
    message = f'{qualified(kind)} "{name}" not found'
    return Failure(404, "NotFound", message, name=name, group=kind.group, kind=kind.plural)


def qualified(kind: Kind) -> str:
    """`deployments.apps`: how messages call a kind."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def matches(labels: Mapping[str, str], selector: Mapping[str, Any]) -> bool:
    """Whether `labels` are what a LabelSelector (matchLabels, matchExpressions) selects; an empty one, all."""
    if any(labels.get(name) != value for name, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_expression_holds(labels, each) for each in selector.get("matchExpressions", []))


def _expression_holds(labels: Mapping[str, str], expression: Mapping[str, Any]) -> bool:
    name, operator, values = (
        expression["key"],
        str(expression["operator"]),
        list(expression.get("values", [])),
    )
    if operator in ("Exists", "DoesNotExist"):
        return (name in labels) == (operator == "Exists")
    return (labels.get(name) in values) == (operator == "In")


def parse_selector(text: str) -> dict[str, Any]:
    """The `labelSelector` of a URL as a LabelSelector. Raises `Failure` 400."""
    expressions = []
    for term in filter(None, (part.strip() for part in re.split(r",(?![^(]*\))", text))):
        if found := re.fullmatch(r"(!?)\s*([\w./-]+)", term):
            operator, values = ("DoesNotExist" if found[1] else "Exists"), []
            key = found[2]
        elif found := re.fullmatch(r"([\w./-]+)\s*(==|=|!=)\s*([\w.-]*)", term):
            key, operator, values = found[1], ("NotIn" if found[2] == "!=" else "In"), [found[3]]
        elif found := re.fullmatch(r"([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)", term):
            key, operator = found[1], ("In" if found[2] == "in" else "NotIn")
            values = [value.strip() for value in found[3].split(",")]
        else:
            raise Failure(400, "BadRequest", f"unable to parse requirement: {term}")
        expressions.append({"key": key, "operator": operator, "values": values})
    return {"matchExpressions": expressions}


def _generated(manifest: Object) -> str:
    prefix = manifest.get("metadata", {}).get("generateName")
    if not prefix:
        raise Failure(422, "Invalid", "metadata.name: name or generateName is required")
    return f"{prefix}{uuid.uuid4().hex[:5]}"


def _intent(kind: Kind, namespace: str, manifest: Object) -> Object:
    """What the manifest says, apart from what only the server may."""
    intent = copy.deepcopy({key: value for key, value in manifest.items() if key != "status"})
    metadata = intent.setdefault("metadata", {})
    for name in ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"):
        metadata.pop(name, None)
    if kind.namespaced:
        metadata["namespace"] = namespace
    return intent


def _leaves(value: Object, at: Path = ()) -> dict[Path, Any]:
    found: dict[Path, Any] = {}
    for name, each in value.items():
        found |= _leaves(each, (*at, name)) if isinstance(each, dict) and each else {(*at, name): each}
    return found


def _merge(into: Object, changes: Object) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = copy.deepcopy(value)


def _remove(value: Object, path: Path) -> None:
    """Take the field at `path` away, and whatever holds nothing afterwards."""
    *outer, last = path
    holders = [value]
    for name in outer:
        inner = holders[-1].get(name)
        if not isinstance(inner, dict):
            return
        holders.append(inner)
    holders[-1].pop(last, None)
    for holder, name in reversed(list(zip(holders, outer, strict=False))):
        if not holder[name]:
            del holder[name]
