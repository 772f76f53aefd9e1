"""What CloudFormation is told, whatever happens: it waits for an answer for as long as an hour."""

from __future__ import annotations

import json
import urllib.request
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.shared import custom_resource

pytestmark = pytest.mark.fast

CONTEXT = SimpleNamespace(log_stream_name="2026/11/20/[$LATEST]1")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was sent to CloudFormation."""
    sent: list[dict[str, Any]] = []

    class Answered:
        def __enter__(self) -> None: ...
        def __exit__(self, *_: object) -> None: ...

    def urlopen(request: urllib.request.Request, timeout: float) -> Answered:
        assert request.get_method() == "PUT"
        assert timeout > 0
        assert isinstance(request.data, bytes)
        sent.append(json.loads(request.data))
        return Answered()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return sent


def _event(request_type: str = "Create", **more: Any) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Step",
        "ResponseURL": "https://cloudformation.example/answer",
        "ResourceProperties": {"Bucket": "some"},
        **more,
    }


def test_what_was_done_is_told_with_its_attributes(told: list[dict[str, Any]]) -> None:
    asked: list[Any] = []

    def act(request_type: str, properties: Any, old: Any) -> dict[str, str]:
        asked.append((request_type, properties["Bucket"], old))
        return {"Host": "h"}

    custom_resource.answer(_event(), CONTEXT, act)
    assert asked == [("Create", "some", {})]
    assert told == [
        {
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Step",
            "PhysicalResourceId": "Step",
            "Status": "SUCCESS",
            "Data": {"Host": "h"},
        }
    ]


def test_the_physical_id_never_changes(told: list[dict[str, Any]]) -> None:
    custom_resource.answer(_event("Update", PhysicalResourceId="first"), CONTEXT, lambda *_: {})
    assert told[0]["PhysicalResourceId"] == "first"


def test_an_update_sees_what_the_properties_were(told: list[dict[str, Any]]) -> None:
    event = _event("Update", OldResourceProperties={"Bucket": "other"})
    custom_resource.answer(event, CONTEXT, lambda _, now, old: {"now": now, "old": old})
    assert told[0]["Data"] == {"now": {"Bucket": "some"}, "old": {"Bucket": "other"}}


def test_a_failure_is_told_with_its_reason_and_where_to_look(told: list[dict[str, Any]]) -> None:
    def act(*_: object) -> dict[str, str]:
        raise RuntimeError("x" * 5_000)

    custom_resource.answer(_event(), CONTEXT, act)
    assert told[0]["Status"] == "FAILED"
    assert told[0]["Reason"].startswith("RuntimeError: xxx")
    assert "2026/11/20" in told[0]["Reason"]
    assert len(told[0]["Reason"]) < 1_000  # CloudFormation takes an answer of 4 KB


def test_it_answers_by_tls_only(told: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="not https"):
        custom_resource.answer(_event(ResponseURL="file:///etc/passwd"), CONTEXT, lambda *_: {})
    assert told == []
