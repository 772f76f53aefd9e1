"""A system's settings: one frozen dataclass, written by its stack and read by its handlers.

    @dataclass(frozen=True)
    class Settings(EnvironmentSettings):
        links_table: str
        page_size: int = 20

    Settings(links_table="links").as_environment()  # {"LINKS_TABLE": "links", "PAGE_SIZE": "20"}
    Settings.from_environment()                     # the same, read back

The names are derived on both sides, so renaming a field is a type error, never a variable read as nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Self, get_type_hints


class SettingsError(Exception):
    """A variable is missing from the environment, or is not of its field's type."""


@dataclass(frozen=True)
class EnvironmentSettings:
    """The base of every `Settings`. Fields are `str` or `int`; a default makes the variable optional."""

    def as_environment(self) -> dict[str, str]:
        """Variables by name (`links_table` is `LINKS_TABLE`). The CDK's tokens pass as they are."""
        return {field.name.upper(): str(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """The settings that `environment` holds (by default the process's); raises `SettingsError`."""
        source = os.environ if environment is None else environment
        types = get_type_hints(cls)
        values: dict[str, str | int] = {}
        for field in fields(cls):
            variable = field.name.upper()
            if variable in source:
                values[field.name] = _parsed(variable, source[variable], types[field.name])
            elif field.default is MISSING:
                raise SettingsError(f"environment variable {variable} is not set")
        return cls(**values)


def _parsed(variable: str, text: str, kind: type) -> str | int:
    if kind is str:
        return text
    if kind is not int:
        raise SettingsError(f"{variable}: a setting is str or int, not {kind.__name__}")
    try:
        return int(text)
    except ValueError:
        raise SettingsError(f"environment variable {variable} is {text!r}, not a whole number") from None
