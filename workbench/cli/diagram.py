"""`blueprint diagram`."""

from __future__ import annotations

from workbench.cli import options


def command(name: options.Name) -> None:
    """(being built)"""
