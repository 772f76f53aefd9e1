"""What is added to MiniStack, one concern a module: each has `extend()`, called once before it serves."""

from __future__ import annotations

import importlib
import pkgutil


def extend_all() -> None:
    """Call `extend()` of every part."""
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}").extend()
