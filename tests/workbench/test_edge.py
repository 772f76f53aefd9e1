"""The offline CloudFront keeps what the real one would, for as long; the rules are those of its developer guide."""

from __future__ import annotations

import pytest

from workbench.offline.edge import CachePolicy, EdgeCache, seconds_kept, varying

pytestmark = pytest.mark.fast

ANY = CachePolicy(minimum=0, default=86_400, maximum=31_536_000)
AS_TOLD = CachePolicy(minimum=0, default=0, maximum=86_400)
AT_LEAST_A_MINUTE = CachePolicy(minimum=60, default=300, maximum=600)
OFF = CachePolicy(minimum=0, default=0, maximum=0)


@pytest.mark.parametrize(
    ("status", "cache_control", "policy", "kept"),
    [
        (200, "", ANY, 86_400),
        (200, "", AS_TOLD, 0),
        (200, "max-age=30", AS_TOLD, 30),
        (200, "max-age=999999999", AS_TOLD, 86_400),
        (200, "max-age=5, s-maxage=50", AS_TOLD, 50),
        (302, "no-store", ANY, 0),
        (302, "no-store", AT_LEAST_A_MINUTE, 60),
        (200, "private, max-age=500", ANY, 0),
        (200, "max-age=5", AT_LEAST_A_MINUTE, 60),
        (200, "max-age=5000", AT_LEAST_A_MINUTE, 600),
        (200, "max-age=500", OFF, 0),
        (404, "no-store", AS_TOLD, 10),
        (404, "max-age=60", AS_TOLD, 60),
        (503, "", OFF, 10),
        (403, "", ANY, 0),
        (403, "max-age=60", ANY, 60),
        (410, "public, max-age=86400", AS_TOLD, 0),
    ],
)
def test_a_response_is_kept_as_long_as_cloudfront_keeps_it(
    status: int, cache_control: str, policy: CachePolicy, kept: float
) -> None:
    assert seconds_kept(status, {"cache-control": cache_control}, policy, {}) == kept


def test_the_distribution_can_tell_the_edge_not_to_keep_errors() -> None:
    assert seconds_kept(404, {"cache-control": "no-store"}, AS_TOLD, {404: 0.0}) == 0
    assert seconds_kept(404, {}, AS_TOLD, {404: 300.0}) == 300


@pytest.mark.parametrize(("behaviour", "told_apart"), [("all", True), ("whitelist", True), ("none", False)])
def test_cookies_tell_responses_apart_where_the_policy_says_so(behaviour: str, told_apart: bool) -> None:
    policy = {"Parameters": {"CookiesConfig": {"CookieBehavior": behaviour}}}
    one, other = (varying(policy, "", {"cookie": f"session={name}"}) for name in ("alice", "bob"))
    assert (one != other) is told_apart


def test_what_is_kept_is_given_until_its_time_and_then_forgotten() -> None:
    now = [0.0]
    cache = EdgeCache(clock=lambda: now[0])
    cache.put("key", "response", 10)
    cache.put("never", "response", 0)
    now[0] = 9.5
    assert cache.get("key") == ("response", 9)
    assert cache.get("never") is None
    now[0] = 10.0
    assert cache.get("key") is None
