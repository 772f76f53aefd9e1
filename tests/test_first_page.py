"""The page that people meet first says what the tools say today."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT, Played
from workbench import catalogue, pages


@pytest.mark.golden
def test_the_first_page_is_current(played: Played, golden: Callable[[Path, str], None]) -> None:
    page = ROOT / "README.md"
    parts = {
        "transcript": pages.transcript(played("url_shortener")),
        "catalogue": pages.catalogue_table(catalogue.every()),
    }
    golden(page, pages.fill(page.read_text(), parts))
