"""One price file of AWS as CSV, read row by row: a file of 300 MB takes no more memory than one of three rows.

Five lines say what the file is, the sixth names the columns, and each further line is one price: one tier of one SKU
under one term. The columns: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from workbench.errors import Misuse

FORMAT = "v1.0"
ON_DEMAND = "OnDemand"
COLUMNS = (
    "SKU",
    "TermType",
    "StartingRange",
    "EndingRange",
    "Unit",
    "PricePerUnit",
    "Currency",
    "usageType",
    "operation",
)
_FIRST_LINES = ("FormatVersion", "Disclaimer", "Publication Date", "Version", "OfferCode")


class UnreadablePriceFile(Misuse):
    """A price file is not one, was cut short, or could not be fetched; the prices stay as they are."""


@dataclass(frozen=True)
class Edition:
    """What the first lines say: the offer code, AWS's version number, and the day of publication."""

    offer: str
    version: str
    published: str


Row = list[str]
"""The cells of one price, in the order of the file's columns, whose places `Offer` knows."""


class Offer:
    """A price file that is being read: `edition` at once, `rows` one after the other, once."""

    def __init__(self, lines: Iterable[str], name: str) -> None:
        """Raises `UnreadablePriceFile` where the first six lines are not those of a price file."""
        self.name = name
        self._reader = csv.reader(lines, strict=True)
        self.edition = self._read_edition()
        self._header = self._next() or []
        self._places = {column: place for place, column in enumerate(self._header)}
        missing = [column for column in COLUMNS if column not in self._places]
        if missing:
            raise self.unreadable(f"its sixth line has no column {', '.join(missing)}")

    def cell(self, row: Row, column: str) -> str:
        """The cell of `row` under `column`; empty where the file has no such column."""
        place = self._places.get(column)
        return "" if place is None else row[place]

    def rows(self) -> Iterator[Row]:
        """The rows that are priced on demand. Raises `UnreadablePriceFile` at one that is cut short."""
        term = self._places["TermType"]
        while (cells := self._next()) is not None:
            if not cells:
                continue
            if len(cells) != len(self._header):
                raise self.unreadable(f"{len(cells)} cells where the header has {len(self._header)}")
            if cells[term] == ON_DEMAND:
                yield cells

    def _read_edition(self) -> Edition:
        said = {}
        for name in _FIRST_LINES:
            cells = self._next()
            if cells is None or len(cells) < 2 or cells[0] != name:
                raise self.unreadable(f"it should say {name}, as a price file of AWS does")
            said[name] = cells[1]
        if said["FormatVersion"] != FORMAT:
            raise self.unreadable(f"its format is {said['FormatVersion']}, and only {FORMAT} is known")
        published = said["Publication Date"][:10]
        try:
            date.fromisoformat(published)
        except ValueError:
            raise self.unreadable(f"its publication date is {said['Publication Date']!r}") from None
        return Edition(said["OfferCode"], said["Version"], published)

    def _next(self) -> list[str] | None:
        """The cells of the next line; None at the end."""
        try:
            return next(self._reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            raise self.unreadable(str(error)) from None

    def unreadable(self, why: str) -> UnreadablePriceFile:
        """The error for the line that is being read."""
        return UnreadablePriceFile(
            f"{self.name}, line {self._reader.line_num}: {why}; fetch the file again, the prices stay as they are"
        )
