"""What CloudFront gives to signed requests only: whose signature counts, for what, until when, and from where."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.offline import deployed
from workbench.dryrun.emulator import Emulator
from workbench.dryrun.http import Http
from workbench.dryrun.sockets import SocketRefused
from workbench.offline.edge import asks_for_a_part
from workbench.offline.signed_urls import NotSigned, Viewed, check, matches, without_signature

NOW = 1_800_000_000.0
URL = "https://d1.cloudfront.net/media/cat.jpg"


@cache
def _key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _pem(name: str) -> str:
    return _key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _signer(name: str, key_id: str) -> CloudFrontSigner:
    """As a blueprint signs: RSA with SHA-1, by botocore."""
    return CloudFrontSigner(key_id, lambda text: _key(name).sign(text, PKCS1v15(), SHA1()))


def _policy(resource: str | None, until: float, **conditions: Any) -> str:
    condition = {"DateLessThan": {"AWS:EpochTime": int(until)}, **conditions}
    statement = {"Resource": resource, "Condition": condition} if resource else {"Condition": condition}
    return json.dumps({"Statement": [statement]})


# Rules.


def _viewed(url: str, cookies: str = "", address: str = "127.0.0.1") -> Viewed:
    base, _, query = url.partition("?")
    return Viewed(base, query, cookies, address)


def _outcome(request: Viewed, now: float = NOW) -> str:
    """What the rules say of a request where the key "ours" counts: "allowed", or the error's code."""
    try:
        check(request, {"KEY1": _pem("ours")}, now)
    except NotSigned as problem:
        return problem.code
    return "allowed"


def _signed(
    url: str = URL,
    *,
    until: float = NOW + 60,
    policy: str | None = None,
    key: str = "ours",
    key_id: str = "KEY1",
) -> str:
    """The URL, signed with a custom policy or with the canned one."""
    if policy is not None:
        return str(_signer(key, key_id).generate_presigned_url(url, policy=policy))
    ends = datetime.fromtimestamp(until, UTC)
    return str(_signer(key, key_id).generate_presigned_url(url, date_less_than=ends))


CANNED: dict[str, tuple[Callable[[], str], str]] = {
    "nothing": (lambda: URL, "MissingKey"),
    "a query alone": (lambda: f"{URL}?size=1", "MissingKey"),
    "the URL": (lambda: _signed(), "allowed"),
    "the URL with its query": (lambda: _signed(f"{URL}?size=1&colour=a%20b"), "allowed"),
    "at its end": (lambda: _signed(until=NOW), "AccessDenied"),
    "just before its end": (lambda: _signed(until=NOW + 1), "allowed"),
    "another key": (lambda: _signed(key="another's"), "AccessDenied"),
    "a key that is not trusted": (lambda: _signed(key_id="KEY2"), "InvalidKey"),
    "another path": (lambda: _signed().replace("cat.jpg", "dog.jpg"), "AccessDenied"),
    "another scheme": (lambda: _signed().replace("https:", "http:"), "AccessDenied"),
    "another query": (lambda: _signed(f"{URL}?size=1").replace("size=1", "size=2"), "AccessDenied"),
    "another end": (
        lambda: _signed().replace(f"Expires={int(NOW) + 60}", f"Expires={int(NOW) + 61}"),
        "AccessDenied",
    ),
    "an end that is no number": (lambda: _signed().replace("Expires=", "Expires=x"), "AccessDenied"),
    "a signature that is none": (lambda: _signed().replace("Signature=", "Signature=!"), "AccessDenied"),
    "no signature": (lambda: _signed().partition("Signature=")[0] + "Key-Pair-Id=KEY1", "AccessDenied"),
}


@pytest.mark.fast
@pytest.mark.parametrize("what", CANNED)
def test_a_canned_policy_is_for_one_url_until_its_time(what: str) -> None:
    url, outcome = CANNED[what]
    assert _outcome(_viewed(url())) == outcome


CUSTOM: dict[str, tuple[str, str]] = {
    "the URL": (_policy(URL, NOW + 60), "allowed"),
    "a folder": (_policy("https://d1.cloudfront.net/media/*", NOW + 60), "allowed"),
    "any host": (_policy("http*://*/cat.jpg", NOW + 60), "allowed"),
    "one letter": (_policy("https://d1.cloudfront.net/media/?at.jpg", NOW + 60), "allowed"),
    "no resource": (_policy(None, NOW + 60), "allowed"),
    "another folder": (_policy("https://d1.cloudfront.net/other/*", NOW + 60), "AccessDenied"),
    "a prefix without a wildcard": (_policy("https://d1.cloudfront.net/media/", NOW + 60), "AccessDenied"),
    "over": (_policy(URL, NOW), "AccessDenied"),
    "begun": (_policy(URL, NOW + 60, DateGreaterThan={"AWS:EpochTime": int(NOW) - 1}), "allowed"),
    "not begun": (_policy(URL, NOW + 60, DateGreaterThan={"AWS:EpochTime": int(NOW) + 1}), "AccessDenied"),
    "from here": (_policy(URL, NOW + 60, IpAddress={"AWS:SourceIp": "127.0.0.0/8"}), "allowed"),
    "from this host": (_policy(URL, NOW + 60, IpAddress={"AWS:SourceIp": "127.0.0.1"}), "allowed"),
    "from elsewhere": (_policy(URL, NOW + 60, IpAddress={"AWS:SourceIp": "192.0.2.0/24"}), "AccessDenied"),
    "no end": (json.dumps({"Statement": [{"Resource": URL, "Condition": {}}]}), "AccessDenied"),
    "two statements": (
        json.dumps({"Statement": json.loads(_policy(URL, NOW + 60))["Statement"] * 2}),
        "AccessDenied",
    ),
    "no JSON": ("{", "AccessDenied"),
}


@pytest.mark.fast
@pytest.mark.parametrize("what", CUSTOM)
def test_a_custom_policy_says_for_what_when_and_from_where(what: str) -> None:
    policy, outcome = CUSTOM[what]
    assert _outcome(_viewed(_signed(policy=policy))) == outcome


@pytest.mark.fast
def test_a_custom_policy_cannot_be_exchanged() -> None:
    one, other = (_signed(policy=_policy(f"{URL}{end}", NOW + 60)) for end in ("", "*"))
    signature = one.partition("Signature=")[2]
    assert _outcome(_viewed(other.partition("Signature=")[0] + "Signature=" + signature)) == "AccessDenied"


def _cookies(policy: str | None = None, until: float = NOW + 60, key: str = "ours") -> dict[str, str]:
    """Signed cookies, with a custom policy or with the canned one for `URL`."""
    text = policy or _policy(URL, until).replace(" ", "")

    def encoded(value: bytes) -> str:
        return base64.b64encode(value).decode().translate(str.maketrans("+=/", "-_~"))

    signature = encoded(_key(key).sign(text.encode(), PKCS1v15(), SHA1()))
    about = {"Policy": encoded(policy.encode())} if policy else {"Expires": str(int(until))}
    values = {**about, "Signature": signature, "Key-Pair-Id": "KEY1"}
    return {f"CloudFront-{name}": value for name, value in values.items()}


def _header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in {"theme": "dark", **cookies}.items())


COOKIES: dict[str, tuple[Callable[[], Mapping[str, str]], str]] = {
    "none": (dict, "MissingKey"),
    "canned": (lambda: _cookies(), "allowed"),
    "custom": (lambda: _cookies(_policy("https://*/media/*", NOW + 60)), "allowed"),
    "for another folder": (lambda: _cookies(_policy("https://*/other/*", NOW + 60)), "AccessDenied"),
    "over": (lambda: _cookies(until=NOW - 1), "AccessDenied"),
    "another key": (lambda: _cookies(key="another's"), "AccessDenied"),
}


@pytest.mark.fast
@pytest.mark.parametrize("what", COOKIES)
def test_cookies_sign_as_a_query_string_does(what: str) -> None:
    cookies, outcome = COOKIES[what]
    assert _outcome(_viewed(URL, _header(cookies()))) == outcome


@pytest.mark.fast
def test_a_signed_url_is_decided_by_itself_whatever_the_cookies() -> None:
    good, bad = _header(_cookies()), _header(_cookies(key="another's"))
    assert _outcome(_viewed(_signed(), bad)) == "allowed"
    assert _outcome(_viewed(_signed(until=NOW - 1), good)) == "AccessDenied"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", ""),
        ("a=1&Expires=2&b=%20&Signature=x&Key-Pair-Id=K", "a=1&b=%20"),
        ("Policy=p&Signature=x&Key-Pair-Id=K", ""),
        ("expires=1&signature", "expires=1&signature"),
    ],
)
def test_what_signs_a_url_is_taken_out_of_its_query(query: str, left: str) -> None:
    assert without_signature(query) == left


@pytest.mark.fast
def test_only_stars_and_question_marks_are_wildcards() -> None:
    assert matches("https://a.example/*.jpg", "https://a.example/x/y.jpg")
    assert not matches("https://a.example/*.jpg", "https://a-example/x.jpg")
    assert not matches("https://a.example/[ab]", "https://a.example/a")


@pytest.mark.fast
def test_a_part_is_asked_for_by_a_range_or_a_condition() -> None:
    assert asks_for_a_part({"range": "bytes=0-1"})
    assert asks_for_a_part({"if-none-match": '"e"'})
    assert not asks_for_a_part({"accept": "*/*"})


# A distribution.


@dataclass(frozen=True)
class Edge:
    """A distribution that gives `/media/*` of a bucket, and `/api/*`, to whom the key with this id has signed for."""

    http: Http
    domain: str
    key_id: str

    def url(self, path: str) -> str:
        return f"https://{self.domain}{path}"

    def signed(self, path: str, *, key: str = "ours", until: float | None = None, **how: Any) -> str:
        return _signed(self.url(path), key=key, key_id=self.key_id, until=until or time.time() + 60, **how)


@pytest.fixture(scope="module")
def edge(emulator: Emulator, http: Http, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    template = _template(tmp_path_factory.mktemp("edge"))
    with deployed(emulator.endpoint, "edge", template) as outputs:
        bucket = emulator.endpoint.client("s3")
        keys = ("media/cat.jpg", "media/far/away.jpg", "public/page.html")
        for key in keys:
            bucket.put_object(Bucket=outputs["Bucket"], Key=key, Body=f"this is {key}".encode())
        yield Edge(http, outputs["Domain"], outputs["KeyId"])
        for key in keys:
            bucket.delete_object(Bucket=outputs["Bucket"], Key=key)


def test_who_has_signed_gets_what_is_kept_under_the_path(edge: Edge) -> None:
    for path in ("/media/cat.jpg", "/media/far/away.jpg"):
        answer = edge.http.get(edge.signed(path))
        assert (answer.status, answer.text) == (200, f"this is {path[1:]}")
    assert edge.http.get(edge.url("/public/page.html")).text == "this is public/page.html"


def test_who_has_not_is_refused_though_the_edge_keeps_it(edge: Edge) -> None:
    assert edge.http.get(edge.signed("/media/cat.jpg")).status == 200
    again = edge.http.get(edge.signed("/media/cat.jpg", until=time.time() + 120))
    assert (again.status, again.headers["x-cache"]) == (200, "Hit from cloudfront")
    for refused, code in (
        (edge.url("/media/cat.jpg"), "MissingKey"),
        (edge.signed("/media/cat.jpg", key="another's"), "AccessDenied"),
        (edge.signed("/media/cat.jpg", until=time.time() - 1), "AccessDenied"),
        (edge.signed("/media/cat.jpg").replace("cat", "far/away"), "AccessDenied"),
        (replace(edge, key_id="KOTHER").signed("/media/cat.jpg"), "InvalidKey"),
    ):
        answer = edge.http.get(refused)
        assert (answer.status, f"<Code>{code}</Code>" in answer.text) == (403, True), refused


def test_a_custom_policy_opens_a_folder_by_url_and_by_cookies(edge: Edge) -> None:
    policy = _policy(edge.url("/media/*"), time.time() + 60, IpAddress={"AWS:SourceIp": "127.0.0.1"})
    assert edge.http.get(edge.signed("/media/cat.jpg", policy=policy)).status == 200
    cookies = _cookies(policy) | {"CloudFront-Key-Pair-Id": edge.key_id}
    assert edge.http.get(edge.url("/media/far/away.jpg"), headers={"Cookie": _header(cookies)}).status == 200
    elsewhere = _policy(edge.url("/media/*"), time.time() + 60, IpAddress={"AWS:SourceIp": "192.0.2.1"})
    assert edge.http.get(edge.signed("/media/cat.jpg", policy=elsewhere)).status == 403


def test_an_origin_sees_the_query_of_the_application_alone(edge: Edge) -> None:
    assert edge.http.get(edge.signed("/api/?colour=red&size=2")).json() == {"query": "colour=red&size=2"}
    assert edge.http.get(edge.signed("/api/")).json() == {"query": ""}
    assert edge.http.get(edge.url("/api/?colour=red")).status == 403


def test_a_range_is_a_part_and_is_not_kept_as_the_whole(edge: Edge) -> None:
    part = edge.http.get(edge.signed("/media/far/away.jpg"), headers={"Range": "bytes=0-3"})
    assert (part.status, part.text) == (206, "this")
    assert part.headers["content-range"] == "bytes 0-3/26"
    whole = edge.http.get(edge.signed("/media/far/away.jpg"))
    assert (whole.status, len(whole.body)) == (200, 26)
    rest = edge.http.get(edge.signed("/media/far/away.jpg"), headers={"Range": "bytes=22-"})
    assert (rest.status, rest.text) == (206, ".jpg")
    known = edge.http.get(
        edge.signed("/media/far/away.jpg"), headers={"If-None-Match": whole.headers["etag"]}
    )
    assert known.status == 304
    assert edge.http.get(edge.signed("/media/far/away.jpg")).status == 200


def test_a_web_socket_to_a_private_path_must_be_signed_too(edge: Edge) -> None:
    with pytest.raises(SocketRefused) as refused:
        edge.http.sockets.open(edge.url("/api/").replace("https:", "wss:"))
    assert b"<Code>MissingKey</Code>" in refused.value.body
    with pytest.raises(SocketRefused) as refused:
        edge.http.sockets.open(edge.signed("/api/").replace("https:", "wss:"))
    assert b"<Error>" not in refused.value.body  # it was let through; the origin speaks no WebSocket


ECHO = """
def handler(event, context):
    return {"query": event["rawQueryString"]}
"""


def _template(folder: Path) -> dict[str, Any]:
    from aws_cdk import App, BootstraplessSynthesizer, CfnOutput, Fn, RemovalPolicy, Stack
    from aws_cdk import aws_apigatewayv2 as gateway
    from aws_cdk import aws_apigatewayv2_integrations as integrations
    from aws_cdk import aws_cloudfront as cloudfront
    from aws_cdk import aws_cloudfront_origins as origins
    from aws_cdk import aws_lambda as functions
    from aws_cdk import aws_s3 as s3

    app = App(outdir=str(folder))
    stack = Stack(app, "edge", synthesizer=BootstraplessSynthesizer())
    bucket = s3.Bucket(stack, "Media", removal_policy=RemovalPolicy.DESTROY)
    echo = functions.Function(
        stack,
        "Echo",
        runtime=functions.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=functions.Code.from_inline(ECHO),
    )
    integration: Any = integrations.HttpLambdaIntegration("Integration", echo)
    api = gateway.HttpApi(stack, "Api", default_integration=integration)
    key: Any = cloudfront.PublicKey(stack, "Key", encoded_key=_pem("ours"))
    group: Any = cloudfront.KeyGroup(stack, "Keys", items=[key])
    kept: Any = origins.S3BucketOrigin.with_origin_access_control(bucket)
    served: Any = origins.HttpOrigin(Fn.select(2, Fn.split("/", api.api_endpoint)))
    private: dict[str, Any] = {
        "viewer_protocol_policy": cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
        "trusted_key_groups": [group],
    }
    asked: dict[str, Any] = {
        "cache_policy": cloudfront.CachePolicy.CACHING_DISABLED,
        "origin_request_policy": cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
    }
    distribution = cloudfront.Distribution(
        stack,
        "Edge",
        default_behavior=cloudfront.BehaviorOptions(origin=kept),
        additional_behaviors={
            "media/*": cloudfront.BehaviorOptions(origin=kept, **private),
            "api/*": cloudfront.BehaviorOptions(origin=served, **private, **asked),
        },
    )
    for name, value in {
        "Bucket": bucket.bucket_name,
        "Domain": distribution.distribution_domain_name,
        "KeyId": key.public_key_id,
    }.items():
        CfnOutput(stack, name, value=value)
    app.synth()
    written = json.loads((folder / "edge.template.json").read_text())
    assert isinstance(written, dict)
    return written
