"""Who may do what at a cluster: bearer tokens of `aws eks get-token`, access entries, access policies, RBAC.

Sources: "Grant IAM users and roles access to Kubernetes APIs", "Associate access policies with access entries"
and "Review access policy permissions", Amazon EKS User Guide; "Using RBAC Authorization", Kubernetes documentation.
The rules of the policies are the table that MiniStack carries.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from ministack.services import eks

from workbench.offline.engines.kubernetes_kinds import Kind
from workbench.offline.engines.kubernetes_objects import Failure, Objects, qualified
from workbench.offline.identity import LONGEST, NotSigned, Presigned, signer_of
from workbench.offline.surroundings import LOOPBACK, surroundings

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
_RBAC = ("rbac.authorization.k8s.io", "v1")
_ROLES = {name: Kind(*_RBAC, name) for name in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")}


@dataclass(frozen=True)
class Action:
    """What a request does: `verb` as access rules say it ("get", "list", "create", "patch", "delete")."""

    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def resource(self) -> str:
        return f"{self.kind.plural}/{self.subresource}" if self.subresource else self.kind.plural


@dataclass(frozen=True)
class Caller:
    """An IAM principal with an access entry: `principal` is the ARN that the entry is for."""

    principal: str
    username: str
    groups: tuple[str, ...]


@dataclass(frozen=True)
class Access:
    """The gate of one cluster: its name, and where it is."""

    cluster: str
    account: str
    region: str
    objects: Objects

    def authenticate(self, authorization: str) -> Caller:
        """Who sends a request with this Authorization header. Raises `Failure` 401."""
        scheme, _, token = authorization.partition(" ")
        arn = self._principal_of(token) if scheme.lower() == "bearer" else None
        entry = arn and eks._access_entry_for_principal(self.cluster, self.account, self.region, arn)
        if not arn or not entry:
            raise Failure(401, "Unauthorized", "Unauthorized")
        groups = ("system:authenticated", *(entry.get("kubernetesGroups") or ()))
        return Caller(entry["principalArn"], entry.get("username") or arn, groups)

    def authorize(self, caller: Caller, action: Action) -> None:
        """Raise `Failure` 403 unless an access policy or a role of `caller` allows `action`."""
        if any(_allows(rule, action) for rule in self._rules(caller, action.namespace)):
            return
        where = f' in the namespace "{action.namespace}"' if action.namespace else " at the cluster scope"
        named = f' "{action.name}"' if action.name else ""
        message = (
            f'{qualified(action.kind)}{named} is forbidden: User "{caller.username}" cannot {action.verb}'
            f' resource "{action.resource}" in API group "{action.kind.group}"{where}'
        )
        raise Failure(
            403, "Forbidden", message, name=action.name, group=action.kind.group, kind=action.kind.plural
        )

    def _principal_of(self, token: str) -> str | None:
        """The ARN of who presigned GetCallerIdentity for this cluster; None where anything is wrong."""
        if not token.startswith(PREFIX):
            return None
        encoded = token.removeprefix(PREFIX)
        try:
            url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            request = Presigned.of(url, {CLUSTER_HEADER: self.cluster})
            region = request.region
            says = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}
            who = signer_of(request, service="sts", region=region, says=says, within=LONGEST)
        except (NotSigned, ValueError):
            return None
        return str(who.arn) if _is_sts(request.host, region) else None

    def _rules(self, caller: Caller, namespace: str) -> Iterator[Mapping[str, Any]]:
        """The rules that hold for `caller` in `namespace`; "" is the cluster as a whole."""
        held = eks._access_policy_associations(self.cluster, self.account, self.region)
        for principal, policy, association in held:
            scope = association["accessScope"]
            inside = any(fnmatchcase(namespace, each) for each in scope["namespaces"]) and namespace
            if principal == caller.principal and (scope["type"] == "cluster" or inside):
                yield from eks._ACCESS_POLICY_RULES[eks._access_policy_name(policy)]
        bindings = self.objects.list(_ROLES["ClusterRoleBinding"])
        if namespace:
            bindings += self.objects.list(_ROLES["RoleBinding"], namespace)
        for binding in bindings:
            if any(_is_subject(each, caller) for each in binding.get("subjects") or ()):
                reference = binding["roleRef"]
                role = self.objects.find(_ROLES[reference["kind"]], namespace, reference["name"])
                yield from (role or {}).get("rules") or ()


def _is_sts(netloc: str, region: str) -> bool:
    """Whether a URL's host is STS: by its AWS names, or where the offline one answers."""
    here = {f"{host}:{surroundings().port}" for host in (LOOPBACK, "localhost")}
    return netloc in here | {"sts.amazonaws.com", f"sts.{region}.amazonaws.com"}


def _is_subject(subject: Mapping[str, Any], caller: Caller) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in caller.groups
    return bool(subject["kind"] == "User" and subject["name"] == caller.username)


def _allows(rule: Mapping[str, Any], action: Action) -> bool:
    return (
        _covers(rule.get("apiGroups"), action.kind.group)
        and _covers(rule.get("resources"), action.resource)
        and _covers(rule.get("verbs"), action.verb)
        and (not rule.get("resourceNames") or action.name in rule["resourceNames"])
    )


def _covers(said: list[str] | None, wanted: str) -> bool:
    return said is not None and ("*" in said or wanted in said)
