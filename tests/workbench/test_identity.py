"""Who signed a request in advance: for every door of an engine that takes a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from workbench.offline import identity
from workbench.offline.identity import NotSigned, Presigned, Principal, session_of, signer_of

pytestmark = pytest.mark.fast

ROLE = "arn:aws:iam::000000000000:role/clerk"
SESSION = "arn:aws:sts::000000000000:assumed-role/clerk/at-work"
REGION = "us-east-1"
URL = "https://db.local:5432/?Action=connect&User=clerk"


def _signed(
    url: str = URL,
    *,
    service: str = "rds-db",
    region: str = REGION,
    seconds: int = 60,
    headers: Mapping[str, str] | None = None,
) -> str:
    keys = session_of(ROLE, "at work")
    credentials = Credentials(
        keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], keys["AWS_SESSION_TOKEN"]
    )
    request = AWSRequest("GET", url, headers=dict(headers or {}))
    SigV4QueryAuth(credentials, service, region, expires=seconds).add_auth(request)
    return str(request.url)


def _signer(request: Presigned, within: timedelta | None = None) -> Principal:
    says = {"Action": "connect", "User": "clerk"}
    return signer_of(
        request, service="rds-db", account="000000000000", region=REGION, says=says, within=within
    )


def _changed(url: str, change: Callable[[dict[str, str]], object]) -> str:
    query = dict(parse_qsl(urlsplit(url).query))
    change(query)
    return f"https://db.local:5432/?{urlencode(query)}"


def test_a_request_names_the_session_that_signed_it() -> None:
    assert _signer(Presigned.of(_signed())).arn == SESSION


def test_a_token_may_come_without_a_scheme_and_its_signer_s_account_be_unknown() -> None:
    request = Presigned.of(_signed().removeprefix("https:"))
    found = signer_of(request, service="rds-db", region=request.region, says={"User": "clerk"})
    assert (found.arn, request.host) == (SESSION, "db.local:5432")


def test_a_header_that_must_be_signed_counts() -> None:
    url = _signed(headers={"x-k8s-aws-id": "shop"})
    assert _signer(Presigned.of(url, {"x-k8s-aws-id": "shop"})).arn == SESSION
    with pytest.raises(NotSigned, match="signature does not match"):
        _signer(Presigned.of(url, {"x-k8s-aws-id": "another"}))
    with pytest.raises(NotSigned, match="not signed for rds-db"):
        _signer(Presigned.of(url))


REFUSED: dict[str, Callable[[], str]] = {
    "not signed for rds-db in us-east-1": lambda: _signed(region="eu-west-1"),
    "not signed for rds-db": lambda: _signed(service="elasticache"),
    "for another User": lambda: _signed(URL.replace("clerk", "admin")),
    "for more than 900 s": lambda: _signed(seconds=901),
    "does not say when": lambda: _changed(_signed(), lambda query: query.pop("X-Amz-Expires")),
    "and for how long": lambda: _changed(_signed(), lambda query: query.update({"X-Amz-Expires": "9" * 14})),
    "has expired": lambda: _changed(
        _signed(), lambda query: query.update({"X-Amz-Date": "20200101T000000Z"})
    ),
    "signature does not match": lambda: _changed(
        _signed(), lambda query: query.update({"X-Amz-Signature": "0"})
    ),
    "not signed for rds-db in": lambda: _changed(_signed(), lambda query: query.pop("X-Amz-Algorithm")),
    "provided token": lambda: _changed(_signed(), lambda query: query.update({"X-Amz-Security-Token": "x"})),
    "says something twice": lambda: f"{_signed()}&User=admin",
    "no signed URL": lambda: "//db.local:5432/?nothing",
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_nobody_rightly_signed_is_refused_with_the_reason(says: str) -> None:
    with pytest.raises(NotSigned, match=says):
        _signer(Presigned.of(REFUSED[says]()))


def test_a_service_may_go_by_another_time_than_the_token_says() -> None:
    assert _signer(Presigned.of(_signed(seconds=901)), within=timedelta(minutes=15)).arn == SESSION


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The IAM log of nobody else."""
    monkeypatch.setenv("BLUEPRINT_IAM_LOG", str(tmp_path / "iam.jsonl"))
    identity._log.cache_clear()
    yield tmp_path / "iam.jsonl"
    identity._log().close()
    identity._log.cache_clear()


def test_a_decision_is_written_down_as_it_was_taken(log: Path) -> None:
    who = _signer(Presigned.of(_signed()))
    assert identity.may(who, "rds-db:connect", "*", REGION) is False
    assert not log.exists()
    assert identity.allowed(who, "rds-db:connect", "*", REGION) is False
    [line] = log.read_text().splitlines()
    wanted = {"principal": SESSION, "action": "rds-db:connect", "resource": "*", "allowed": False}
    assert json.loads(line) == wanted


def test_root_may_everything_and_nothing_of_it_is_written_down(log: Path) -> None:
    root = identity.principal_of("test", "000000000000", REGION)
    assert identity.allowed(root, "rds-db:connect", "*", REGION) is True
    assert not log.exists()
