"""What the stack tells the handlers, and the names that both sides must agree on.

Four tables, all keys strings:

    links          code                                  index `by_owner`: owner, listed_at
    idempotency    key                                   time to live: expires_at
    clicks         code, day
    click_markers  click_id                              time to live: expires_at

`links` has no time to live, and a deleted link stays as a tombstone: a code that was given out once is never
given out again, so what is printed on paper can never come to point at someone else's page.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambdas.shared.settings import EnvironmentSettings

OWNER_INDEX = "by_owner"
OWNER_INDEX_ATTRIBUTES = ("url", "created_at", "expires_at")  # what the index projects beside the keys


@dataclass(frozen=True)
class Settings(EnvironmentSettings):
    """The environment of all three functions.

    `custom_domain` is the public host of the short links ("go.example.org"), or empty where there is none.
    The address of the distribution itself can't be told: it would need the functions to exist before it, and
    they it.
    """

    links_table: str
    idempotency_table: str
    clicks_table: str
    click_markers_table: str
    click_queue_url: str
    custom_domain: str = ""
