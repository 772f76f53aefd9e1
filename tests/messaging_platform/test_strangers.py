"""That the scenario tries every route there is with a stranger's token, and with none."""

from __future__ import annotations

import pytest

from stacks.messaging_platform import routes
from stacks.messaging_platform.clients.observer import OF_ONESELF, OF_OTHERS

pytestmark = pytest.mark.fast


def test_every_route_is_tried_as_somebody_who_is_in_neither_chat() -> None:
    every = routes.DIRECTORY, routes.MESSAGING, routes.MEDIA
    there = {(method.value, path) for each in every for path, methods in each.items() for method in methods}
    assert {*OF_OTHERS, *OF_ONESELF} == there
    assert not set(OF_OTHERS) & set(OF_ONESELF)
