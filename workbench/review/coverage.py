"""What the review covers: the resources of an assembly, the types of CloudFormation, the prices of each region.

    for each in coverage(assembly):
        each.resource, each.state, each.why

`docs/prices.md` is made of `page_parts`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from workbench.assembly import Assembly, Resource
from workbench.errors import NotPriced
from workbench.review import conditions, registry
from workbench.review.free import Free
from workbench.review.numbers import plain
from workbench.review.prices import GRADES, HOME, MEMORY, Price, PriceBook, known_regions
from workbench.review.room import NOT_DECLARED, Context, CostLine, Room, is_declared, undeclared_keys
from workbench.review.unpriced import UNPRICED, macro_type, why_unpriced

State = Literal[
    "priced", "free", "usage zero", "usage undeclared", "not priced", "refused", "unknown", "left out"
]
TypeClass = Literal[
    "free", "pays by existing", "pays by use", "pays by both", "not priced", "a macro", "unknown"
]

_BY_ROOM: Mapping[str, TypeClass] = {
    "free": "free",
    "baseline": "pays by existing",
    "usage": "pays by use",
    "mixed": "pays by both",
}
CLASSES: tuple[TypeClass, ...] = (*_BY_ROOM.values(), "not priced", "a macro", "unknown")
_MOST_NAMED = 5


@dataclass(frozen=True)
class Covered:
    """One resource and what a bill makes of it.

    `why` is the reason of what is free, not priced, refused or unknown; otherwise what is counted, and which usage
    nobody declared. `refused` and `unknown` stop a bill; the others don't. What is `left out` has a condition that is
    false with the values that the template gives.
    """

    resource: str
    type: str
    state: State
    why: str


def coverage(assembly: Assembly, region: str | None = None) -> tuple[Covered, ...]:
    """The state of every resource of `assembly`, in the order of its templates.

    `region` looks at every stack as if it stood there. Raises `MalformedAssembly`, and `NotPriced` for a region
    without prices.
    """
    context = Context(assembly, registry.rooms(), Decimal(1))
    book = None if region is None else PriceBook.load(region)
    counted = (_covered(resource, context, book) for resource in assembly.resources)
    return *counted, *(_left_out(each, context) for each in conditions.left_out(assembly))


def _left_out(resource: Resource, context: Context) -> Covered:
    why = f"its condition {resource.condition} is false, with the values that the template gives"
    return Covered(context.name_of(resource), resource.type, "left out", why)


def _covered(resource: Resource, context: Context, book: PriceBook | None) -> Covered:
    try:
        state, why = _state(resource, context, book)
    except NotPriced as problem:
        state, why = "refused", str(problem)
    if conditions.is_uncertain(resource):
        why += f"; only deployment knows whether it is there (condition {resource.condition})"
    return Covered(context.name_of(resource), resource.type, state, why)


def _state(resource: Resource, context: Context, book: PriceBook | None) -> tuple[State, str]:
    known = registry.class_of(resource.type)
    if known is None:
        advice = macro_type(resource.type)
        return ("refused", advice) if advice else ("unknown", "neither a room nor a list has the type")
    registry.check_resource(resource)
    if isinstance(known, Room):
        lines = registry.ask(resource, known.lines, context)
        return _of_lines(lines, book or PriceBook.load(resource.stack.region))
    why = why_unpriced(resource)
    if why is not None or not isinstance(known, Free):
        return "not priced", why or str(known)
    return "free", known.reason


def _of_lines(lines: list[CostLine], book: PriceBook) -> tuple[State, str]:
    """The state of a resource that has a room, by its lines. Raises `NotPriced` where the home book lacks a price."""
    if book.region == HOME:
        for line in lines:
            book[line.price_key]
    here = [line for line in lines if line.price_key in book.prices]
    undeclared = [line for line in here if not is_declared(line.quantity)]
    said = [
        *_without_usage(undeclared),
        *(f"no price of {line.price_key} in {book.region}" for line in lines if line not in here),
    ]
    counted = [line.component for line in here if line.quantity.value]
    if counted:
        return "priced", "; ".join([", ".join(counted), *said])
    if undeclared:
        return "usage undeclared", "; ".join(said)
    if said:
        return "not priced", "; ".join(said)
    if here:
        return "usage zero", ", ".join(line.component for line in here)
    return "free", "nothing of it pays, as it is set"


def _without_usage(undeclared: list[CostLine]) -> Iterator[str]:
    """`no usage declared: requests_per_month, duration_ms`, each key once."""
    keys = [key for line in undeclared for key in undeclared_keys(line.quantity)]
    if keys:
        yield f"{NOT_DECLARED}{', '.join(dict.fromkeys(keys))}"


def type_class(resource_type: str) -> TypeClass:
    """The class of a resource type, whatever its properties."""
    known = registry.class_of(resource_type)
    if known is None:
        return "a macro" if macro_type(resource_type) else "unknown"
    if isinstance(known, Room):
        return _BY_ROOM[known.classification]
    return "free" if isinstance(known, Free) else "not priced"


def page_parts(types: Collection[str], used: Mapping[str, Collection[str]]) -> dict[str, str]:
    """The generated parts of docs/prices.md.

    `types` are those of CloudFormation's registry; `used` is which price keys the room of a type is seen to use.
    """
    return {
        "books": _books(),
        "memory": _memory(used),
        "unpriced": _unpriced(),
        "classes": _classes(types),
        "services": _services(types),
        "regions": _regions(used),
    }


def _table(headings: str, rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; a heading that ends in `#` is of numbers."""
    names = headings.split("|")
    rule = "|".join("--:" if name.endswith("#") else "---" for name in names)
    head = " | ".join(name.removesuffix("#") for name in names)
    body = [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]
    return "\n".join([f"| {head} |", f"|{rule}|", *body])


def _books() -> str:
    """A row a region: how many prices of each grade, and the one that was seen last the longest ago."""
    rows = []
    for region in known_regions():
        book = PriceBook.load(region)
        own = [each for each in book.values() if region == HOME or not each.is_global]
        grades = Counter(each.grade for each in own)
        oldest = min(own, key=_seen)
        rows.append(
            [
                region,
                len(own),
                *(grades[grade] for grade in GRADES),
                f"{_seen(oldest)} (`{oldest.key}`)",
            ]
        )
    grades_said = "|".join(f"{grade}: {meaning}#" for grade, meaning in GRADES.items())
    return _table(f"region|prices#|{grades_said}|the oldest", rows)


def _seen(price: Price) -> str:
    """The last day on which the price was seen."""
    return max(price.as_of, price.confirmed_as_of)


def _memory(used: Mapping[str, Collection[str]]) -> str:
    rows = []
    for price in PriceBook.load().values():
        if price.grade == MEMORY:
            users = sorted(kind for kind, keys in used.items() if price.key in keys)
            rows.append([f"`{price.key}`", _first(price), price.unit, ", ".join(users) or "—"])
    return _table("price|$#|for a|types", rows)


def _first(price: Price) -> str:
    first = plain(price.tiers[0].price)
    return first if len(price.tiers) == 1 else f"{first} at first"


def _unpriced() -> str:
    """A row a reason, with all types that have it."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for name, why in UNPRICED.items():
        reasons[why].append(name)
    rows = sorted([", ".join(f"`{each}`" for each in sorted(names)), why] for why, names in reasons.items())
    return _table("types|why they are not priced", rows)


def _classes(types: Collection[str]) -> str:
    counted = Counter(type_class(each) for each in types)
    return _table("class|types#", [*([name, counted[name]] for name in CLASSES), ["all", len(types)]])


def _services(types: Collection[str]) -> str:
    """A row a service that has a room, and the others in one paragraph."""
    services: dict[str, Counter[TypeClass]] = defaultdict(Counter)
    for each in types:
        services["::".join(each.split("::")[:2]).removeprefix("AWS::")][type_class(each)] += 1
    paid = [name for name in _BY_ROOM.values() if name != "free"]
    rows, others = [], []
    for service, counted in sorted(services.items()):
        if any(counted[name] for name in paid):
            rows.append([service, *(counted[name] or "" for name in CLASSES)])
        else:
            parts = [f"{counted[name]} {name}" for name in CLASSES if counted[name]]
            others.append(f"{service} ({', '.join(parts)})")
    table = _table("service|" + "|".join(f"{name}#" for name in CLASSES), rows)
    return f"{table}\n\nServices of which nothing is priced: {', '.join(others)}."


def _regions(used: Mapping[str, Collection[str]]) -> str:
    """A row a kind of price that some other region lacks, of those that rooms are seen to use."""
    keys = sorted({key for each in used.values() for key in each})
    others = [region for region in known_regions() if region != HOME]
    kinds: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        kinds[key.split(".")[0]].append(key)
    rows = []
    for kind, of_kind in kinds.items():
        lacking = [[key for key in of_kind if key not in PriceBook.load(region).prices] for region in others]
        if any(lacking):
            cells = [_named(kind, each, len(of_kind)) for each in lacking]
            rows.append([kind, len(of_kind), *cells])
    return _table("prices|used#|" + "|".join(f"lacking in {region}" for region in others), rows)


def _named(kind: str, lacking: list[str], of: int) -> str:
    """`all`, the names without their kind, or of many how many."""
    if len(lacking) == of:
        return "all"
    if len(lacking) > _MOST_NAMED:
        return f"{len(lacking)}"
    return ", ".join(f"`{each.removeprefix(f'{kind}.')}`" for each in lacking)
