"""Whether a viewer may have what a CloudFront behavior gives to signed requests only. Pure.

A signature is over a policy: a canned one, made of the request's own URL and `Expires`, or a custom one that comes
with the request. It is in the query string or in cookies; a request that has one in its query string is decided by
that alone. Keys are RSA; a signature is RSASSA-PKCS1-v1_5 over SHA-1, in base64 with `-`, `_` and `~` for `+`, `=`
and `/`. A signed cookie is passed on and counts for the cache like any other, where the behavior's policies say so.

Sources, all in the CloudFront Developer Guide: "Use signed URLs", "Create a signed URL using a canned policy",
"Create a signed URL using a custom policy", "Use signed cookies", "Decide to use signed URLs or signed cookies". What
an unsigned request is told is what CloudFront is seen to answer.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote_plus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import load_pem_public_key

RESERVED = ("Expires", "Policy", "Signature", "Key-Pair-Id")  # the parameters of a signed URL
COOKIE_PREFIX = "CloudFront-"
_FROM_URL_SAFE = str.maketrans("-_~", "+=/")


class NotSigned(Exception):
    """A request without a valid signature: `code` and text are those of CloudFront's error."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


_DENIED = ("AccessDenied", "Access denied")


@dataclass(frozen=True)
class Viewed:
    """A request as the viewer sent it: `url` with its scheme and no query, `query` and `cookies` as they came."""

    url: str
    query: str
    cookies: str
    address: str

    @property
    def resource(self) -> str:
        """What a policy is about: the URL without what signs it."""
        query = without_signature(self.query)
        return f"{self.url}?{query}" if query else self.url

    def signature(self) -> dict[str, str]:
        """The values that sign it, by the names that they have in a query string."""
        found = {name: value for name, value in _pairs(self.query) if name in RESERVED}
        if found.keys() - {"Expires"}:
            return found
        cookies: SimpleCookie = SimpleCookie(self.cookies)
        return {
            name.removeprefix(COOKIE_PREFIX): morsel.value
            for name, morsel in cookies.items()
            if name.startswith(COOKIE_PREFIX)
        }


def check(request: Viewed, keys: Mapping[str, str], now: float) -> None:
    """Return if the request is rightly signed by one of the `keys` (PEM, by id). Raises `NotSigned`."""
    given = request.signature()
    if "Key-Pair-Id" not in given:
        raise NotSigned("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
    key = keys.get(given["Key-Pair-Id"])
    if key is None:
        raise NotSigned("InvalidKey", "Unknown Key")
    text = _policy(request, given)
    if not _is_signed(text, given.get("Signature", ""), key):
        raise NotSigned(*_DENIED)
    if not _holds(text, request, now):
        raise NotSigned(*_DENIED)


def without_signature(query: str) -> str:
    """A query string without the parameters of a signed URL: what an origin is sent, and what a cache goes by."""
    return "&".join(part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in RESERVED)


def matches(pattern: str, resource: str) -> bool:
    """Whether a URL is what a policy names: `*` is any number of characters, `?` one."""
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.fullmatch("".join(parts), resource, re.DOTALL) is not None


def _pairs(query: str) -> list[tuple[str, str]]:
    parts = (part.partition("=") for part in query.split("&"))
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in parts]


def _policy(request: Viewed, given: Mapping[str, str]) -> bytes:
    """The text of the policy that is signed: the custom one, or the canned one for the request."""
    if "Policy" in given:
        return _decoded(given["Policy"])
    if not re.fullmatch(r"\d{1,12}", given.get("Expires", "")):
        raise NotSigned(*_DENIED)
    condition = {"DateLessThan": {"AWS:EpochTime": int(given["Expires"])}}
    statement = {"Resource": request.resource, "Condition": condition}
    return json.dumps({"Statement": [statement]}, separators=(",", ":")).encode()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value.translate(_FROM_URL_SAFE), validate=True)
    except binascii.Error:
        raise NotSigned(*_DENIED) from None


def _is_signed(text: bytes, signature: str, key: str) -> bool:
    try:
        public = load_pem_public_key(key.encode())
    except ValueError:
        return False
    if not isinstance(public, RSAPublicKey):
        return False
    try:
        public.verify(_decoded(signature), text, PKCS1v15(), SHA1())  # noqa: S303 (CloudFront's algorithm)
    except InvalidSignature:
        return False
    return True


def _holds(text: bytes, request: Viewed, now: float) -> bool:
    """Whether the one statement of a policy is about this request, now and from there."""
    try:
        [statement] = json.loads(text)["Statement"]
        condition: dict[str, Any] = statement["Condition"]
        until = float(condition["DateLessThan"]["AWS:EpochTime"])
        since = float(condition.get("DateGreaterThan", {}).get("AWS:EpochTime", 0))
        network = condition.get("IpAddress", {}).get("AWS:SourceIp", "0.0.0.0/0")
        inside = ipaddress.ip_address(request.address) in ipaddress.ip_network(network, strict=False)
        about = matches(str(statement.get("Resource", "*")), request.resource)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return about and inside and since < now < until
