"""What is added to MiniStack, one concern a module: each has `extend()`, called once before it serves."""

from __future__ import annotations

import importlib
import pkgutil

from ministack.services.cloudformation import stacks

Answer = tuple[int, dict[str, str], bytes]  # of MiniStack's functions: status, headers, body


def extend_all() -> None:
    """Call `extend()` of every part."""
    for module in sorted(each.name for each in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}").extend()


def make_in_a_thread(*kinds: str) -> None:
    """Have stacks make these types in a thread: those that wait for a program or a server, or call the API.

    All others are made on the event loop, where the API that they and their programs call would not answer.
    """
    known = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind in kinds or known(kind)
