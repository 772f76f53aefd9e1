"""The book of one region as a file: read, renewed entry by entry, and written at once or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from workbench.price_files.offers import Edition
from workbench.price_files.selection import Selected
from workbench.price_files.selectors import OfferFile
from workbench.review.numbers import plain
from workbench.review.prices import Tier

GRADE = "A"  # an extract of an AWS price file
_PRICES = ("price", "tiers")
_OUTLIVED = ("confirmed_as_of", "as_of_approximate")

Entry = dict[str, Any]


@dataclass
class BookFile:
    """A file of prices. `content` is what it holds, with decimals as they are written."""

    path: Path
    content: dict[str, Any]

    @classmethod
    def load(cls, region: str, folder: Path) -> BookFile:
        """The book of `region` in `folder`."""
        path = folder / f"{region}.json"
        return cls(path, json.loads(path.read_text(), parse_float=Decimal))

    @property
    def entries(self) -> list[Entry]:
        """The prices, sorted by key."""
        entries: list[Entry] = self.content["entries"]
        return entries

    def renew(self, selected: Selected, file: OfferFile, edition: Edition) -> None:
        """Write what was `selected` in an edition of a price file into its entry; all else of it is kept."""
        place, old = next(
            (place, entry) for place, entry in enumerate(self.entries) if entry["key"] == selected.key
        )
        new = {
            "source": f"AWS price file {file.offer} {file.place} version {edition.version}, SKU {selected.sku}",
            "as_of": edition.published,
            "grade": GRADE,
        }
        renewed: Entry = {}
        for name, value in old.items():
            if name in _PRICES:
                renewed |= _priced(selected.tiers)
            elif name not in _OUTLIVED:
                renewed[name] = new.get(name, value)
        self.entries[place] = renewed

    def write(self) -> None:
        """Put the file in its place whole: it is written beside it first. Interrupted, the old one stays."""
        with NamedTemporaryFile(
            "w", encoding="utf-8", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False
        ) as beside:
            try:
                beside.write(as_text(self.content))
                beside.flush()
                os.fsync(beside.fileno())
                os.chmod(beside.name, self.path.stat().st_mode)
                os.replace(beside.name, self.path)
            except BaseException:
                Path(beside.name).unlink(missing_ok=True)
                raise


def tiers_of(entry: Entry) -> tuple[Tier, ...]:
    """The tiers of an entry of the file."""
    if "price" in entry:
        return (Tier(None, Decimal(entry["price"])),)
    return tuple(
        Tier(None if tier["up_to"] is None else Decimal(tier["up_to"]), Decimal(tier["price"]))
        for tier in entry["tiers"]
    )


def _priced(tiers: Sequence[Tier]) -> Entry:
    if len(tiers) == 1:
        return {"price": tiers[0].price}
    return {"tiers": [{"up_to": tier.up_to, "price": tier.price} for tier in tiers]}


def as_text(content: Any) -> str:
    """JSON as the books are written: one space a level, decimals in full, so that a renewal changes few lines."""
    return "".join(_pieces(content, 0)) + "\n"


def _pieces(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, Decimal):
        yield plain(value)
    elif value and isinstance(value, dict):
        named = ((f"{json.dumps(name, ensure_ascii=False)}: ", each) for name, each in value.items())
        yield from _block("{}", named, depth)
    elif value and isinstance(value, list):
        yield from _block("[]", (("", each) for each in value), depth)
    else:
        yield json.dumps(value, ensure_ascii=False)


def _block(brackets: str, items: Iterator[tuple[str, Any]], depth: int) -> Iterator[str]:
    yield brackets[0]
    between = ""
    for name, value in items:
        yield f"{between}\n{' ' * (depth + 1)}{name}"
        yield from _pieces(value, depth + 1)
        between = ","
    yield f"\n{' ' * depth}{brackets[1]}"
