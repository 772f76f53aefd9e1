"""Which SKU of AWS's price files is the price of a key: `workbench/data/prices/selectors.json`.

A selector names the price file (AWS's offer code), the usage type, and the operation. Its key may be a pattern,
`ec2.linux.{type}`, whose parts go into the usage type, `{plain}BoxUsage:{type}`; so one line covers a family.

A usage type begins with the code of its region, which AWS spells in more than one way: us-east-1 has none for what
is old (`BoxUsage:t4g.small`) and `USE1-` for what is new, eu-west-1 has `EU-` or `EUW1-`. `{plain}`, `{coded}`,
`{either}` and `{named}` stand for the spellings that the file's `prefixes` lists. All of them are looked for, and
together they have to be one SKU.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache, cached_property
from itertools import product
from pathlib import Path
from typing import Any

from workbench.errors import Misuse
from workbench.review.prices import FOLDER

PATH = FOLDER / "selectors.json"
_PART = re.compile(r"\{(\w+)\}")
_ELSEWHERE = "*"


@dataclass(frozen=True, order=True)
class OfferFile:
    """One price file: the offer code of a service, and its region, or `aws-other` for what has none."""

    offer: str
    place: str

    @property
    def name(self) -> str:
        """`AmazonEC2-us-east-1`, which is also the name of a saved copy."""
        return f"{self.offer}-{self.place}"


@dataclass(frozen=True)
class Wanted:
    """What to look for as the price of `key`.

    `operation` None is any, the empty text is AWS's own empty cell. `where` are further columns with their value.
    One unit of AWS's is `per` of the book's.
    """

    key: str
    file: OfferFile
    usage_types: tuple[str, ...]
    operation: str | None
    where: Mapping[str, str]
    unit: str
    units: frozenset[str]
    per: Decimal

    def __str__(self) -> str:
        said = [f"usage type {' or '.join(self.usage_types)}"]
        if self.operation is not None:
            said.append(f"operation {self.operation or 'empty'}")
        said += [f"{column} {value}" for column, value in self.where.items()]
        return f"{', '.join(said)} in {self.file.name}"


@dataclass(frozen=True)
class Selector:
    """One line of the file. `usage_types` are by region, with `*` for all others."""

    key: str
    offer: str
    usage_types: Mapping[str, str]
    unit: str
    operation: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    per: Decimal = Decimal(1)
    place: str = ""
    source: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The keys that it is for."""
        texts = enumerate(_PART.split(self.key))
        return re.compile(
            "".join(f"(?P<{text}>.+)" if index % 2 else re.escape(text) for index, text in texts)
        )


@dataclass(frozen=True)
class Selectors:
    """All of them, with what they share.

    `prefixes` are by placeholder and region, `spellings` by part of a key and its value, `abbreviations` what AWS
    shortens now and then (`2xlarge` to `2xl`), `units` the words that AWS uses for one unit.
    """

    all: tuple[Selector, ...]
    prefixes: Mapping[str, Mapping[str, tuple[str, ...]]]
    spellings: Mapping[str, Mapping[str, str]]
    abbreviations: Mapping[str, str]
    units: Mapping[str, frozenset[str]]
    sources: Mapping[str, str]

    @classmethod
    def load(cls, path: Path = PATH) -> Selectors:
        """The selectors of the project, which are read once."""
        return _load(path)

    def matching(self, key: str) -> list[Selector]:
        """The selectors whose key fits; a test holds that there is at most one."""
        return [each for each in self.all if self._spelled(each, key) is not None]

    def wanted(self, key: str, region: str) -> Wanted | None:
        """What to look for as the price of `key` in `region`; None where no selector says. Raises `Misuse`."""
        for selector in self.matching(key):
            template = selector.usage_types.get(region) or selector.usage_types.get(_ELSEWHERE)
            if template is not None:
                parts = self._spelled(selector, key) or {}
                return Wanted(
                    key=key,
                    file=OfferFile(selector.offer, selector.place or region),
                    usage_types=tuple(self._usage_types(template, parts, region)),
                    operation=selector.operation,
                    where=selector.where,
                    unit=selector.unit,
                    units=self.units[selector.unit],
                    per=selector.per,
                )
        return None

    def source_of(self, key: str) -> str:
        """Where the usage type of `key` was read; empty where no selector fits."""
        return "; ".join(
            self.sources[name] for selector in self.matching(key) for name in selector.source.split()
        )

    def _spelled(self, selector: Selector, key: str) -> dict[str, str] | None:
        """The parts of `key` in AWS's words; None where the pattern doesn't fit or AWS has no word."""
        fits = selector.pattern.fullmatch(key)
        if fits is None:
            return None
        parts = fits.groupdict()
        spelled = {name: self.spellings.get(name, {value: value}).get(value) for name, value in parts.items()}
        known = {name: value for name, value in spelled.items() if value is not None}
        return known if len(known) == len(parts) else None

    def _usage_types(self, template: str, parts: Mapping[str, str], region: str) -> Iterator[str]:
        choices = [
            self._choices(text, parts, region) if index % 2 else (text,)
            for index, text in enumerate(_PART.split(template))
        ]
        yield from dict.fromkeys("".join(words) for words in product(*choices))

    def _choices(self, name: str, parts: Mapping[str, str], region: str) -> tuple[str, ...]:
        if name in parts:
            short = parts[name]
            for word, abbreviated in self.abbreviations.items():
                short = short.replace(word, abbreviated)
            return (parts[name], short)
        try:
            return self.prefixes[name][region]
        except KeyError:
            raise Misuse(
                f"there is no prefix of usage types of the region {region!r}; "
                f"add it to prefixes.{name} in workbench/data/prices/{PATH.name}"
            ) from None


@cache
def _load(path: Path) -> Selectors:
    content = json.loads(path.read_text(), parse_float=Decimal)
    return Selectors(
        all=tuple(_selector(entry) for entry in content["selectors"]),
        prefixes={
            name: {region: tuple(words) for region, words in by_region.items()}
            for name, by_region in content["prefixes"].items()
        },
        spellings=content["spellings"],
        abbreviations=content["abbreviations"],
        units={unit: frozenset(map(str.casefold, words)) for unit, words in content["units"].items()},
        sources=content["sources"],
    )


def _selector(entry: Mapping[str, Any]) -> Selector:
    usage_type = entry["usage_type"]
    return Selector(
        key=entry["key"],
        offer=entry["offer"],
        usage_types={_ELSEWHERE: usage_type} if isinstance(usage_type, str) else usage_type,
        unit=entry["unit"],
        operation=entry.get("operation"),
        where=entry.get("where", {}),
        per=Decimal(entry.get("per", 1)),
        place=entry.get("file", ""),
        source=entry["source"],
    )
