"""What the stack writes and what the service reads: two languages, one list."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from lambdas.aws_foundations.settings import TOPIC_PARTITIONS, ServiceSettings
from tests.conftest import ROOT

pytestmark = pytest.mark.fast

READER = (ROOT / "services/aws_foundations/src/settings.js").read_text()


def test_the_service_requires_what_the_stack_tells_it_and_nothing_else() -> None:
    [listed] = re.findall(r"const REQUIRED = \[(.*?)\]", READER, re.DOTALL)
    required = set(re.findall(r"'(\w+)'", listed))
    assert required == {field.name.upper() for field in fields(ServiceSettings)}


def test_both_make_the_topic_of_as_many_partitions() -> None:
    assert f"whole('KAFKA_PARTITIONS', {TOPIC_PARTITIONS}," in READER
