"""Price files in the shape of AWS's, made here: five lines that say what the file is, the columns, a line a price.

The shape: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/reading-service-price-list-file-for-services.html
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workbench.price_files.books import BookFile, tiers_of
from workbench.price_files.selectors import OfferFile, Selectors, Wanted
from workbench.review.numbers import plain

PUBLISHED = "2026-12-01"
VERSION = "20261201101530"
COLUMNS = (
    "SKU",
    "OfferTermCode",
    "RateCode",
    "TermType",
    "PriceDescription",
    "EffectiveDate",
    "StartingRange",
    "EndingRange",
    "Unit",
    "PricePerUnit",
    "Currency",
    "LeaseContractLength",
    "PurchaseOption",
    "Product Family",
    "serviceCode",
    "Location",
    "Volume Type",
    "Group",
    "Transfer Type",
    "Database Engine",
    "Access Type",
    "usageType",
    "operation",
    "Region Code",
)


@dataclass(frozen=True)
class Line:
    """One price of a file: one tier of one SKU under one term."""

    sku: str
    usage_type: str
    price: str
    unit: str = "Hrs"
    operation: str = ""
    start: str = "0"
    end: str = "Inf"
    term: str = "OnDemand"
    currency: str = "USD"
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> Mapping[str, str]:
        """Column → cell; the columns that are not here are empty, as most are in AWS's files."""
        return {
            "SKU": self.sku,
            "TermType": self.term,
            "StartingRange": self.start,
            "EndingRange": self.end,
            "Unit": self.unit,
            "PricePerUnit": self.price,
            "Currency": self.currency,
            "usageType": self.usage_type,
            "operation": self.operation,
            **self.others,
        }


def price_file(offer: str, lines: Iterable[Line], published: str = f"{PUBLISHED}T10:15:30Z") -> str:
    """The text of a price file, every cell in quotes."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows(
        [
            ["FormatVersion", "v1.0"],
            ["Disclaimer", "A sample, made for a test; nothing is sold at these prices, here or elsewhere."],
            ["Publication Date", published],
            ["Version", VERSION],
            ["OfferCode", offer],
            list(COLUMNS),
        ]
    )
    writer.writerows([line.cells.get(column, "") for column in COLUMNS] for line in lines)
    return text.getvalue()


def save(folder: Path, file: OfferFile, lines: Iterable[Line]) -> Path:
    """Save a price file where `--from` looks for it."""
    path = folder / f"{file.name}.csv"
    path.write_text(price_file(file.offer, lines))
    return path


def save_all_of(book: BookFile, region: str, selectors: Selectors, folder: Path) -> set[str]:
    """Save files in which every price that has a selector is what it is in `book`; the keys of those prices."""
    by_file: dict[OfferFile, dict[tuple[str, str, str], list[Line]]] = {}
    keys = set()
    for entry in book.entries:
        wanted = selectors.wanted(entry["key"], region)
        if wanted is not None:
            keys.add(wanted.key)
            of_file = by_file.setdefault(wanted.file, {})
            same = (wanted.usage_types[0], wanted.operation or "", str(sorted(wanted.where.items())))
            of_file.setdefault(same, list(_lines(f"SKU{len(of_file):05}", wanted, entry)))
    for file, skus in by_file.items():
        save(folder, file, (line for lines in skus.values() for line in lines))
    return keys


def _lines(sku: str, wanted: Wanted, entry: dict[str, object]) -> Iterable[Line]:
    start = "0"
    for tier in tiers_of(entry):
        end = "Inf" if tier.up_to is None else plain(tier.up_to / wanted.per)
        yield Line(
            sku=sku,
            usage_type=wanted.usage_types[0],
            price=f"{tier.price * wanted.per:.10f}",
            unit=min(wanted.units),
            operation=wanted.operation or "",
            start=start,
            end=end,
            others=wanted.where,
        )
        start = end
