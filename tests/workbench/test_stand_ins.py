"""The one table of stand-ins: what it says is on its page, and it stands in for nothing that is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from workbench import pages
from workbench.offline.stand_ins import StandIn, table

PAGE = ROOT / "docs" / "offline-aws.md"


@pytest.fixture(scope="module")
def stand_ins() -> Iterator[dict[str, StandIn]]:
    """The table, read outside of the offline AWS: it needs the surroundings' names, and uses none."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TMPDIR", "AWS_CA_BUNDLE", "MINISTACK_SSL_CERT"):
            patch.setenv(name, str(ROOT))
        patch.setenv("GATEWAY_PORT", "1")
        yield table()


def test_none_stands_in_for_what_the_emulator_provisions_itself(stand_ins: dict[str, StandIn]) -> None:
    from ministack.services.cloudformation.provisioners import _RESOURCE_HANDLERS

    assert stand_ins
    assert stand_ins.keys() & _RESOURCE_HANDLERS.keys() == set()


def test_each_says_what_it_is_and_what_it_answers(stand_ins: dict[str, StandIn]) -> None:
    for kind, each in stand_ins.items():
        assert each.what.strip(), kind
        assert each.ref.strip(), kind
        assert all(words.strip() for words in each.attributes.values()), kind


@pytest.mark.golden
def test_its_page_is_current(stand_ins: dict[str, StandIn], golden: Callable[[Path, str], None]) -> None:
    rows = ["| type | by | what stands in | `Ref` | `Fn::GetAtt` |", "|---|---|---|---|---|"]
    for kind, each in sorted(stand_ins.items()):
        attributes = "; ".join(f"`{name}`: {_words(words)}" for name, words in each.attributes.items())
        rows.append(f"| {kind} | {each.by} | {each.what} | {_words(each.ref)} | {attributes or '—'} |")
    golden(PAGE, pages.fill(PAGE.read_text(), {"stand-ins": "\n".join(rows)}))


def _words(text: str) -> str:
    """What a table of ours says in short, for people."""
    text = re.sub(r"^= of (\w+)$", r"as `\1` answers", text)
    text = re.sub(r"^([\w.]+) of (\w+)$", r"`\1` of what `\2` answers", text)
    return (
        text.replace("{account}", "the account's number")
        .replace("{0}", "the same as `Ref`")
        .replace("|", "\\|")
    )
