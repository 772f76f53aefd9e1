"""What a million messages cost: messaging_platform with either transport, and a chat that broadcasts by a scan.

The reference is `reference_chat.py`, at the same workload. All are priced by the same review, as production, from a
template synthesized for that size. A message is what a user sends, edits or deletes. The bill of messaging_platform
is the whole: also media, pushes, presence, accounts and what was kept of a year, of which the reference has nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache, partial
from pathlib import Path

from bench import reference_chat
from bench.fresh import Bench
from bench.table import Row, Table, compared
from stacks.messaging_platform.traffic import Traffic
from stacks.messaging_platform.workload import TRANSPORT, WORKLOAD
from workbench import catalogue
from workbench.assembly import Assembly
from workbench.review.cost import price
from workbench.review.curve import Cost, crossings

BLUEPRINT = "messaging_platform"
SIZES = (1_000, 10_000, 100_000, 1_000_000)
REFERENCE = "the reference"
MILLION = 10**6


def run(bench: Bench) -> Table:
    """Dollars a million messages at each size, and the size from which either transport is cheaper."""
    reference = _cost(bench, REFERENCE, reference_chat.assembly)
    ours = {way: _cost(bench, way, partial(_assembly, way)) for way in TRANSPORT.options}
    rows: list[Row] = []
    for users in SIZES:
        rows += at_size(users, {way: cost(users) for way, cost in ours.items()}, reference(users))
    rows += [cheaper_from(way, cost, reference) for way, cost in ours.items()]
    rows.append(Row("users whose connections fill the one page that the reference scans", _one_page(), ""))
    return Table(
        "messaging-cost",
        f"A million messages of {BLUEPRINT}, and of a chat that broadcasts by a scan",
        tuple(rows),
        (
            "Dollars a million messages; list prices of us-east-1, production. The reference is the design of "
            "aws-samples/websocket-chat-application, which tells every connection everything. Where it is cheaper is "
            "found by bisection, to 1 %.",
            "In the mean one user of sixteen is connected. Beyond one page of its scan the reference no longer "
            "reaches everybody; it is priced as if it did.",
        ),
    )


def at_size(users: int, ours: Mapping[str, Decimal], theirs: Decimal) -> list[Row]:
    """A row for each way, and one for the reference, which is compared with the first."""
    (first, least), *others = [(way, each_million(dollars, users)) for way, dollars in ours.items()]
    return [
        Row(f"{users:,} users: {first}", least, "$"),
        *(compared(f"· {way}", dollars, "$", least, first) for way, dollars in others),
        compared(f"· {REFERENCE}", each_million(theirs, users), "$", least, first),
    ]


def each_million(dollars: Decimal, users: int) -> float:
    """Dollars a month, as dollars a million messages of that month."""
    messages = Traffic(WORKLOAD.at(users)).events.per_month
    return float(dollars / messages.value * MILLION)


def cheaper_from(way: str, ours: Cost, theirs: Cost) -> Row:
    """The users from which `ours` costs less, looked for between the smallest and the largest size.

    Raises `ValueError` where there is no such size, or where it is cheaper only for a time.
    """
    found = crossings({REFERENCE: theirs, way: ours}, fewest=SIZES[0], most=SIZES[-1])
    if [each.then for each in found] != [way]:
        raise ValueError(f"{way} and {REFERENCE} do not cross once: {found}")
    return Row(f"users from which {way} costs less", found[0].users, "")


def _one_page() -> int:
    """The users whose connections, in the mean, are as many as one page of the scan holds."""
    held = reference_chat.PAGE_BYTES / Decimal(reference_chat.OWN["connection_bytes"].value)
    return int(held / reference_chat.connected(SIZES[0]).value * SIZES[0])


def _cost(bench: Bench, name: str, assembled: Callable[[int, Path], Assembly]) -> Cost:
    @cache
    def cost(users: int) -> Decimal:
        return price(assembled(users, bench.scratch / f"{name}-{users}")).monthly_usd

    return cost


def _assembly(transport: str, users: int, folder: Path) -> Assembly:
    choices = {TRANSPORT.key: transport}
    blueprint = catalogue.find(BLUEPRINT)
    return Assembly.load(
        catalogue.synthesize(blueprint, folder, users=users, stage="production", choices=choices)
    )
