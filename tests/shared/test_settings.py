"""What the stack writes is what the handler reads."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lambdas.shared.settings import EnvironmentSettings, SettingsError

pytestmark = pytest.mark.fast


@dataclass(frozen=True)
class Settings(EnvironmentSettings):
    links_table: str
    page_size: int = 20


@dataclass(frozen=True)
class Unreadable(EnvironmentSettings):
    ratio: float = 0.5


def test_what_is_written_is_read_back() -> None:
    written = Settings(links_table="links", page_size=5)
    assert written.as_environment() == {"LINKS_TABLE": "links", "PAGE_SIZE": "5"}
    assert Settings.from_environment(written.as_environment()) == written


def test_a_default_makes_a_variable_optional() -> None:
    assert Settings.from_environment({"LINKS_TABLE": "links", "OTHER": "x"}) == Settings("links", 20)


def test_tokens_of_the_cdk_pass_as_they_are() -> None:
    assert Settings("${Token[TOKEN.42]}").as_environment()["LINKS_TABLE"] == "${Token[TOKEN.42]}"


def test_the_environment_of_the_process_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKS_TABLE", "links")
    assert Settings.from_environment().links_table == "links"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="LINKS_TABLE is not set"):
        Settings.from_environment({})


def test_a_number_that_is_none_is_named() -> None:
    with pytest.raises(SettingsError, match="PAGE_SIZE is 'many', not a whole number"):
        Settings.from_environment({"LINKS_TABLE": "links", "PAGE_SIZE": "many"})


def test_a_field_of_another_type_is_an_error_of_the_settings() -> None:
    with pytest.raises(SettingsError, match="str or int, not float"):
        Unreadable.from_environment({"RATIO": "0.5"})
