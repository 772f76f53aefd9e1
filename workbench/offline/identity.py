"""Who somebody is, and what IAM lets them do: for the doors that are not the AWS API.

MiniStack authenticates and authorizes the calls of the API itself. The engines are entered by requests that somebody
signed in advance (`Presigned`: the tokens of RDS, ElastiCache, MSK and EKS), and AWS acts in the name of roles. Every
decision is written to the IAM log, a line of JSON each: the report of a dry run names refused calls by it, and grants
that nothing used.

Sources: "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)", Amazon S3 API Reference; "Policy
evaluation logic", IAM User Guide.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TextIO, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from ministack.core import iam_evaluator, sigv4
from ministack.core.arn import parse_arn
from ministack.core.responses import _account_from_sts_session, request_scope
from ministack.services import iam, sts

from workbench.offline.surroundings import LOOPBACK

LONGEST = datetime.timedelta(minutes=15)  # that a token may be valid
_SKEW = datetime.timedelta(minutes=5)
_ALGORITHM = "AWS4-HMAC-SHA256"
_SCOPE = 5  # parts of a credential's scope
_EMPTY = hashlib.sha256(b"").hexdigest()
_writing = threading.Lock()

Principal: TypeAlias = iam_evaluator.PrincipalInfo


class NotSigned(Exception):
    """Nobody has rightly signed a request; its text says why, in one line."""


@dataclass(frozen=True)
class Presigned:
    """A GET that somebody signed for another to send. `headers` are those that must be signed besides the host."""

    host: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"

    @classmethod
    def of(cls, url: str, headers: Mapping[str, str] | None = None) -> Presigned:
        """As its URL has it, with or without a scheme ("//host/?Action=…"). Raises `NotSigned` when it is none."""
        try:
            parts = urlsplit(url)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
        except ValueError:
            raise NotSigned("the token is no signed URL") from None
        if len(dict(pairs)) != len(pairs):
            raise NotSigned("the token says something twice")
        return cls(parts.netloc, dict(pairs), headers or {}, parts.path or "/")

    @property
    def scope(self) -> list[str]:
        """The access key, and what its signature is for: date, region, service, "aws4_request"."""
        parts = self.query.get("X-Amz-Credential", "").split("/")
        return parts if len(parts) == _SCOPE else [""] * _SCOPE

    @property
    def region(self) -> str:
        """What it was signed for."""
        return self.scope[2]


def signer_of(
    request: Presigned,
    *,
    service: str,
    region: str,
    account: str | None = None,
    says: Mapping[str, str],
    within: datetime.timedelta | None = None,
) -> Principal:
    """Who signed `request` for `service` in `region`. Raises `NotSigned` when nobody rightly did.

    `says` are parameters that it must have, `account` the one whose keys count (None: the signer's own). It is valid
    for as long as it says, at most `LONGEST`; where the service does not go by that, for `within`.
    """
    key, date, *scope = request.scope
    signed_headers = request.query.get("X-Amz-SignedHeaders", "")
    as_signed = set(signed_headers.split(";")) == {"host", *request.headers}
    as_ours = request.query.get("X-Amz-Algorithm") == _ALGORITHM and as_signed
    if scope != [region, service, "aws4_request"] or not as_ours:
        raise NotSigned(f"the token is not signed for {service} in {region}")
    if wrong := [name for name, value in says.items() if request.query.get(name) != value]:
        raise NotSigned(f"the token is for another {', '.join(wrong)}")
    _check_time(request.query, within)
    account = account or _account_of(key)
    credential = iam_evaluator.resolve_credential(key, account, request.query.get("X-Amz-Security-Token", ""))
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        raise NotSigned(credential.message)
    canonical = sigv4.build_canonical_request(
        "GET",
        request.path,
        {"host": request.host, **request.headers},
        request.query,
        signed_headers,
        payload_hash=_EMPTY,
    )
    signed = sigv4.build_string_to_sign(request.query["X-Amz-Date"], date, region, service, canonical)
    expected = sigv4.calculate_signature(credential.secret_access_key, date, region, service, signed)
    given = request.query.get("X-Amz-Signature", "")
    same_day = request.query["X-Amz-Date"].startswith(date)
    if not same_day or not hmac.compare_digest(expected.encode(), given.encode()):
        raise NotSigned("the token's signature does not match")
    return principal_of(key, credential.account_id, region, credential)


def _check_time(query: Mapping[str, str], within: datetime.timedelta | None) -> None:
    try:
        signed = datetime.datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%S%z")
        lifetime = within or datetime.timedelta(seconds=int(query["X-Amz-Expires"]))
    except (KeyError, ValueError, OverflowError):
        raise NotSigned("the token does not say when it was signed, and for how long") from None
    now = datetime.datetime.now(datetime.UTC)
    if not datetime.timedelta(0) < lifetime <= LONGEST or signed > now + (within or _SKEW):
        raise NotSigned(f"the token is not valid yet, or for more than {LONGEST.seconds} s")
    if now >= signed + lifetime:
        raise NotSigned("the token has expired")


def _account_of(access_key: str) -> str | None:
    """The account of a key; None for those of root, and for one that is nobody's."""
    try:
        account = iam_evaluator.find_iam_access_key_account(access_key)
    except iam_evaluator.AmbiguousAccessKeyError:
        raise NotSigned("the token's key is one of several accounts") from None
    found = account or _account_from_sts_session(access_key)
    return str(found) if found else None


def principal_of(
    access_key: str,
    account: str,
    region: str,
    credential: iam_evaluator.ResolvedCredential | None = None,
) -> Principal:
    """Who has an access key, with the policies that hold. Raises `NotSigned` when nobody does."""
    with request_scope(account, region):
        principal = iam_evaluator.resolve_principal(access_key, account, credential)
    if isinstance(principal, iam_evaluator.AuthError):
        raise NotSigned(principal.message)
    return principal


def may(principal: Principal, action: str, resource: str, region: str) -> bool:
    """Whether IAM lets somebody do `action` on `resource`, which may have a policy of its own. Not written down."""
    if principal.policies is None:  # root
        return True
    context = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=region,
        source_ip=LOOPBACK,
        secure_transport=True,
        principal_keys=principal.keys,
    )
    with request_scope(principal.account, region):
        result = iam_evaluator.evaluate(context, principal.policies, *principal.limits)
        policy = iam_evaluator._resource_policy(action.split(":")[0], resource)
        if policy is not None:
            result = iam_evaluator.combine_resource_policy(result, context, *policy, limits=principal.limits)
    return bool(result.decision == "Allow")


def allowed(principal: Principal, action: str, resource: str, region: str) -> bool:
    """As `may`; the decision is written down, but root's, who may everything."""
    decided = may(principal, action, resource, region)
    if principal.policies is not None:
        write_down(principal.arn, action, resource, allowed=decided)
    return decided


def write_down(principal_arn: str, action: str, resource: str, *, allowed: bool) -> None:
    """Add a decision to the IAM log."""
    decision = {"principal": principal_arn, "action": action, "resource": resource, "allowed": allowed}
    with _writing:
        _log().write(json.dumps(decision) + "\n")


@cache
def _log() -> TextIO:
    return open(os.environ["BLUEPRINT_IAM_LOG"], "a", buffering=1)


def service_may_take(service: str, role: Mapping[str, Any], region: str, source_arn: str) -> bool:
    """Whether a role (MiniStack's record) trusts a service of AWS, which acts for the resource `source_arn`."""
    account = parse_arn(source_arn).account_id
    context = iam_evaluator.EvalContext(
        principal_arn=service,
        principal_type="Service",
        principal_account=account,
        action="sts:AssumeRole",
        resource_arn=role["Arn"],
        region=region,
        service_context={"aws:sourceaccount": account, "aws:sourcearn": source_arn},
    )
    trust = role["AssumeRolePolicyDocument"]
    return bool(iam_evaluator.evaluate_resource_policy(trust, context, service).decision == "Allow")


def session_name(name: str) -> str:
    """What the session of a role is called that `name` has: of what STS allows, 64 characters."""
    return re.sub(r"[^\w+=,.@-]", "-", name)[:64]


def session_of(role_arn: str, name: str) -> dict[str, str]:
    """A session of the role, as STS would have given it to the instance, task or pod; the SDK's variables for it."""
    role = parse_arn(role_arn)
    role_name, session = role.resource.rpartition("/")[2], session_name(name)
    keys = {
        "AWS_ACCESS_KEY_ID": str(iam._gen_session_access_key()),
        "AWS_SECRET_ACCESS_KEY": str(iam._gen_secret()),
        "AWS_SESSION_TOKEN": str(iam._gen_session_token()),
    }
    sts.register_session(
        keys["AWS_ACCESS_KEY_ID"],
        {
            "Arn": f"arn:aws:sts::{role.account_id}:assumed-role/{role_name}/{session}",
            "UserId": f"{role_name}:{session}",
            "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
            "SessionToken": keys["AWS_SESSION_TOKEN"],
        },
    )
    return keys


_in_the_name_of: dict[tuple[str, str], str] = {}  # the access key of each session by role and name


def role_may(role_arn: str, session: str, action: str, resource: str, region: str) -> bool:
    """Whether AWS may do `action` on `resource` in the name of a role. The decision is written down."""
    key = _in_the_name_of.get((role_arn, session), "")
    if key not in sts._sessions:
        key = _in_the_name_of[role_arn, session] = session_of(role_arn, session)["AWS_ACCESS_KEY_ID"]
    with request_scope(parse_arn(role_arn).account_id, region):
        return iam_evaluator.enforce(key, action, action.split(":")[0], region, resource) is None
