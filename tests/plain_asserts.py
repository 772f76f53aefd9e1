"""Asserts as a scenario has them: pytest rewrites those of test modules, and of those alone."""

from __future__ import annotations

from typing import Any


def answers_302(answer: Any) -> None:
    assert answer.status == 302


def is_two(seen: int) -> bool:
    assert seen == 2
    return True
