"""The renewal of a book: which files its keys are in, their rows, what changed, and the new book.

A key whose price cannot be selected keeps it and is a finding. A file that cannot be fetched or read ends all: then
nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path

from workbench.errors import Misuse
from workbench.price_files.books import BookFile, tiers_of
from workbench.price_files.offers import Edition, Offer, UnreadablePriceFile
from workbench.price_files.origins import NoSuchPriceFile, Origin
from workbench.price_files.selection import Candidate, Finding, Selected, candidates, choose
from workbench.price_files.selectors import OfferFile, Selectors, Wanted
from workbench.review.prices import Tier

OnProgress = Callable[[str, int, int | None], None]
"""Told the name of the file that is being read, the bytes that have come, and of how many."""


@dataclass(frozen=True)
class Change:
    """A price that is not what it was."""

    key: str
    old: tuple[Tier, ...]
    new: tuple[Tier, ...]

    @property
    def percent(self) -> Decimal | None:
        """By how much the first tier that differs rose; None where it cost nothing, or only borders moved."""
        for old, new in zip(self.old, self.new, strict=False):
            if old.price != new.price:
                return (new.price / old.price - 1) * 100 if old.price else None
        return None


@dataclass
class Report:
    """What a renewal found. `free` are the units of a key that AWS's file gives away before its first price."""

    region: str
    changes: list[Change] = field(default_factory=list)
    confirmed: list[str] = field(default_factory=list)
    unselected: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    editions: dict[OfferFile, Edition] = field(default_factory=dict)
    free: dict[str, Decimal] = field(default_factory=dict)
    is_written: bool = False

    @property
    def has_passed(self) -> bool:
        """Whether every key that has a selector was renewed."""
        return not self.findings

    def add(self, selected: Selected, old: tuple[Tier, ...]) -> None:
        """Take note of a price that was `selected`, beside the `old` one."""
        if selected.tiers == old:
            self.confirmed.append(selected.key)
        else:
            self.changes.append(Change(selected.key, old, selected.tiers))
        if selected.free:
            self.free[selected.key] = selected.free


@dataclass(frozen=True)
class Options:
    """How to renew. `prefixes` are of keys, none for all; `today` is the day that a whole renewal is of."""

    region: str
    books: Path
    today: date
    prefixes: Sequence[str] = ()
    is_dry_run: bool = False


def refresh(
    origin: Origin, options: Options, selectors: Selectors, on_progress: OnProgress = lambda *_: None
) -> Report:
    """Renew the book of a region from price files.

    Raises `Misuse` for prefixes that no key has, and `UnreadablePriceFile`, with nothing written.
    """
    book = BookFile.load(options.region, options.books)
    old = _chosen(book, options.prefixes)
    report = Report(options.region)
    for file, wanted in sorted(_plan(old, selectors, report).items()):
        found = _read(origin, file, wanted, report, on_progress)
        for each in wanted if found else ():
            selected = choose(each, found[each.key], old[each.key])
            if isinstance(selected, Finding):
                report.findings.append(selected)
            else:
                report.add(selected, old[each.key])
                book.renew(selected, file, report.editions[file])
    if not options.is_dry_run and (report.changes or report.confirmed):
        _write(book, options)
        report.is_written = True
    return report


def _chosen(book: BookFile, prefixes: Sequence[str]) -> dict[str, tuple[Tier, ...]]:
    """Key → tiers of today, of the keys that begin with one of `prefixes`."""
    keys = {entry["key"]: tiers_of(entry) for entry in book.entries}
    for prefix in prefixes:
        if not any(key.startswith(prefix) for key in keys):
            near = get_close_matches(prefix, keys, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(near)}?" if near else "`blueprint prices list` shows them all"
            raise Misuse(f"no key of {book.path.name} begins with {prefix!r}; {hint}")
    return {key: tiers for key, tiers in keys.items() if not prefixes or key.startswith(tuple(prefixes))}


def _plan(keys: Iterable[str], selectors: Selectors, report: Report) -> dict[OfferFile, list[Wanted]]:
    """Price file → what is wanted of it. Keys without a selector go into the report."""
    plan: dict[OfferFile, list[Wanted]] = {}
    for key in keys:
        wanted = selectors.wanted(key, report.region)
        if wanted is None:
            report.unselected.append(key)
        else:
            plan.setdefault(wanted.file, []).append(wanted)
    return plan


def _read(
    origin: Origin, file: OfferFile, wanted: Sequence[Wanted], report: Report, on_progress: OnProgress
) -> Mapping[str, list[Candidate]]:
    """Key → the SKUs that fit; empty where there is no such file, a finding. Raises `UnreadablePriceFile`."""
    try:
        with origin.open(file, lambda count, total: on_progress(file.name, count, total)) as lines:
            offer = Offer(lines, origin.name_of(file))
            if offer.edition.offer != file.offer:
                raise UnreadablePriceFile(
                    f"{offer.name} is the price file of {offer.edition.offer}, not of {file.offer}; "
                    "the prices stay as they are"
                )
            report.editions[file] = offer.edition
            return candidates(offer, wanted)
    except NoSuchPriceFile:
        keys = tuple(each.key for each in wanted)
        report.findings.append(Finding(keys, f"there is no price file {origin.name_of(file)}"))
        return {}


def _write(book: BookFile, options: Options) -> None:
    """Write the book; one that was renewed as a whole is of today."""
    if not options.prefixes:
        book.content["compiled_on"] = options.today.isoformat()
    book.write()
