"""How long CloudFront would keep a response, and the cache that keeps it: the emulator itself has none.

Sources, read 2026-11-20: "Manage how long content stays in the cache (expiration)", "Control how long
CloudFront caches errors" and "How CloudFront processes HTTP 4xx and 5xx status codes from your origin", all
in the CloudFront Developer Guide.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

CACHED_METHODS = ("GET", "HEAD")
ALWAYS_CACHED_ERRORS = frozenset({404, 405, 414, 500, 501, 502, 503, 504})
ERRORS_CACHED_WHEN_TOLD = frozenset({400, 403, 412, 415})
DEFAULT_ERROR_SECONDS = 10.0


@dataclass(frozen=True)
class CachePolicy:
    """The three times of a cache policy, in seconds."""

    minimum: float
    default: float
    maximum: float


def seconds_kept(
    status: int, headers: Mapping[str, str], policy: CachePolicy, error_seconds: Mapping[int, float]
) -> float:
    """For how many seconds the edge keeps this response of the origin; 0 when it does not.

    `headers` are lower-cased. `error_seconds` holds the distribution's error caching minimum by status code.
    """
    directives = _directives(headers.get("cache-control", ""))
    told = _max_age(directives)
    if status >= 400:
        if status in ALWAYS_CACHED_ERRORS:
            floor = error_seconds.get(status, DEFAULT_ERROR_SECONDS)
            return max(floor, min(told or 0.0, policy.maximum))
        if status in ERRORS_CACHED_WHEN_TOLD and told:
            return max(error_seconds.get(status, DEFAULT_ERROR_SECONDS), min(told, policy.maximum))
        return 0.0
    if policy.maximum == 0:
        return 0.0
    if {"no-store", "no-cache", "private"} & directives.keys():
        return policy.minimum
    if told is None:
        return max(policy.minimum, policy.default)
    return min(max(told, policy.minimum), policy.maximum)


def _directives(header: str) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in header.lower().split(",") if part.strip())
    return {name: value.strip('"') for name, _, value in pairs}


def _max_age(directives: Mapping[str, str]) -> float | None:
    for name in ("s-maxage", "max-age"):
        if re.fullmatch(r"\d+", directives.get(name, "")):
            return float(directives[name])
    return None


@dataclass
class EdgeCache:
    """Responses by cache key, each until its time. Not safe across threads: one event loop owns it."""

    clock: Callable[[], float] = time.monotonic
    _kept: dict[object, tuple[float, float, Any]] = field(default_factory=dict)

    def get(self, key: object) -> tuple[Any, int] | None:
        """The response kept under `key` and its age in whole seconds, or None."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        since, until, response = entry
        now = self.clock()
        if now >= until:
            del self._kept[key]
            return None
        return response, int(now - since)

    def put(self, key: object, response: object, seconds: float) -> None:
        """Keep `response` for `seconds`; nothing happens for 0."""
        if seconds > 0:
            now = self.clock()
            self._kept[key] = (now, now + seconds, response)


def asks_for_a_part(headers: Mapping[str, Any]) -> bool:
    """Whether a request (lower-cased names) is for a range, or for what has changed: the origin answers these here.

    CloudFront would answer them of what it keeps; what must not be is that their answers are kept as the whole.
    """
    return "range" in headers or any(name.startswith("if-") for name in headers)


def varying(config: dict[str, Any], raw_query: str, headers: dict[str, Any]) -> object:
    """What besides the path makes two requests different objects, by the policy's key settings."""
    parameters = config.get("Parameters") or config.get("ParametersInCacheKeyAndForwardedToOrigin") or {}
    text = json.dumps(parameters, sort_keys=True, default=str).lower()
    cookies_count = '"cookiebehavior"' in text and '"cookiebehavior": "none"' not in text
    named = sorted(
        (name, str(value))
        for name, value in headers.items()
        if f'"{name.lower()}"' in text or (cookies_count and name.lower() == "cookie")
    )
    queries_count = '"querystringbehavior": "none"' not in text
    return (raw_query if queries_count else "", tuple(named))
