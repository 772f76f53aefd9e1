"""Instance types: processors, memory, and the Graviton type that does the same for less.

The sizes follow a rule that holds for the families of the price book (A, C, D, I, M, R and T):
https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html Databases, caches and brokers use the
same names behind a prefix: `db.t4g.micro`, `cache.r7g.large`, `kafka.m7g.large`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from workbench.assembly import Resource
from workbench.review.numbers import constant, dollars, plain, shown
from workbench.review.prices import PriceBook
from workbench.review.room import Context, refuse
from workbench.workload import HOURS_PER_MONTH, Figure

_TYPE = re.compile(r"(?P<letter>[a-z]+)(?P<generation>\d+)(?P<rest>[a-z-]*)\.(?P<size>[a-z0-9-]+)")
_BURSTABLE_CPUS = {"nano": 2, "micro": 2, "small": 2, "medium": 2, "large": 2, "xlarge": 4, "2xlarge": 8}
_BURSTABLE_GIB = {"nano": "0.5", "micro": "1", "small": "2", "medium": "4", "large": "8"}
_GIB_PER_CPU = {"t": 4, "c": 2, "m": 4, "r": 8}
_STANDARD = ("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z")
# Letters of other families → whose vCPUs are counted together, in quotas of their own.
_FAMILIES = {
    "g": "g",
    "gr": "g",
    "vt": "g",
    "p": "p",
    "inf": "inf",
    "trn": "trn",
    "x": "x",
    "f": "f",
    "dl": "dl",
    "hpc": "hpc",
    "u": "high_memory",
}


def _parts(resource: Resource, machine: str) -> dict[str, str]:
    found = _TYPE.fullmatch(re.sub(r"^(db|cache|kafka|express)\.", "", str(machine)))
    if found is None:
        raise refuse(resource, f"{machine} is no instance type that it can size")
    return found.groupdict()


def processors(resource: Resource, machine: str) -> int:
    """The vCPUs of one `machine`. Raises `NotPriced` for a size that the rule doesn't know, such as `metal`."""
    parts = _parts(resource, machine)
    size = parts["size"]
    if parts["letter"] == "t" and size in _BURSTABLE_CPUS:
        return _BURSTABLE_CPUS[size]
    if size in ("medium", "large", "xlarge"):
        return {"medium": 1, "large": 2, "xlarge": 4}[size]
    if re.fullmatch(r"\d+xlarge", size):
        return 4 * int(size.removesuffix("xlarge"))
    raise refuse(resource, f"{machine} is of a size whose vCPUs it doesn't know")


def memory_gib(resource: Resource, machine: str) -> Decimal:
    """The nominal memory of one `machine` of the families C, M, R and T, in GiB."""
    parts = _parts(resource, machine)
    if parts["letter"] == "t" and parts["size"] in _BURSTABLE_GIB:
        return Decimal(_BURSTABLE_GIB[parts["size"]])
    if parts["letter"] not in _GIB_PER_CPU:
        raise refuse(resource, f"{machine} is of a family whose memory it doesn't know")
    return Decimal(processors(resource, machine) * _GIB_PER_CPU[parts["letter"]])


# Size → network interfaces, and IPv4 addresses of each.
_INTERFACES = {
    "medium": (2, 4),
    "large": (3, 10),
    "xlarge": (4, 15),
    "2xlarge": (4, 15),
    "4xlarge": (8, 30),
    "8xlarge": (8, 30),
    "12xlarge": (8, 30),
    "16xlarge": (15, 50),
}
_BURSTABLE_INTERFACES = {
    "nano": (2, 2),
    "micro": (2, 2),
    "small": (3, 4),
    "medium": (3, 6),
    "large": (3, 12),
    "xlarge": (4, 15),
    "2xlarge": (4, 15),
}
_PODS_OF_SMALL, _PODS_OF_LARGE, _LARGE_CPUS = 110, 250, 30


def pods(resource: Resource, machine: str) -> Figure | None:
    """The pods that one `machine` takes, by the addresses of its interfaces; None where they aren't known.

    https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html
    """
    kind, _, size = machine.partition(".")
    sizes = _BURSTABLE_INTERFACES if kind.startswith("t") else _INTERFACES
    if size not in sizes or machine == "t3a.small":  # that one has an interface less than its sisters
        return None
    interfaces, addresses = sizes[size]
    ceiling = _PODS_OF_SMALL if processors(resource, machine) < _LARGE_CPUS else _PODS_OF_LARGE
    room = min(interfaces * (addresses - 1) + 2, ceiling)
    return constant(room, f"{room} pods a {machine}")


def family(resource: Resource, machine: str) -> str | None:
    """The families that one quota counts together, such as `standard` or `g`; None for one that the book lacks."""
    letter = _parts(resource, machine)["letter"]
    return "standard" if letter in _STANDARD else _FAMILIES.get(letter)


def graviton_advice(
    resource: Resource, machine: str, price_keys: str, count: Decimal = Decimal(1)
) -> str | None:
    """`x86, and … on Graviton costs …`, where a type of the same size is cheaper; None where none is.

    `price_keys` is a price key with `{}` for the type: `ec2.linux.{}`; `count` is how many there are of it.
    """
    parts = _parts(resource, machine)
    book, own = PriceBook.load().prices, price_keys.format(machine)
    if "g" in parts["rest"] or own not in book:
        return None
    prefix = machine[: machine.index(parts["letter"] + parts["generation"])]
    # One with disks, or with a faster network, serves as another such one does.
    extras = "".join(each for each in parts["rest"] if each in "dn")
    for generation in range(int(parts["generation"]), int(parts["generation"]) + 3):
        other = f"{prefix}{parts['letter']}{generation}g{extras}.{parts['size']}"
        key = price_keys.format(other)
        if key in book and book[key].tiers[0].price < book[own].tiers[0].price:
            paid, could = (book[each].tiers[0].price for each in (own, key))
            return (
                f"{machine} is x86 and costs ${plain(paid)} an hour; {other}, on Graviton, costs ${plain(could)}"
                f"{_less((paid - could) * HOURS_PER_MONTH, count)}"
            )
    return None


def _less(each: Decimal, count: Decimal) -> str:
    """What `count` of them save a month, where there is one or more at any time."""
    if count > 1:
        return f": {dollars(each * count)} a month less for {shown(count)}"
    return f": {dollars(each)} a month less" + ("" if count else " each")


def graviton_warnings(
    resource: Resource, context: Context, machine: str, price_keys: str, count: Decimal = Decimal(1)
) -> Iterator[str]:
    """`graviton_advice` as the bill says it, where there is any."""
    advice = graviton_advice(resource, machine, price_keys, count)
    if advice:
        yield f"{context.name_of(resource)}: {advice}"
