"""How decimal numbers of the review are written: exactly in JSON, shortly for people."""

from __future__ import annotations

from decimal import Context, Decimal

from workbench.workload import Figure

_TWELVE_DIGITS = Context(prec=12)
_SIX_DIGITS = Context(prec=6)

# One request costs as little as 3 × 10⁻⁸ dollar; at 12 decimals no line that costs something becomes zero.
MONEY_STEP = Decimal("1e-12")
# More than all the money there is; below it, dollars at 12 decimals fit into the 28 digits of a Decimal.
MOST_DOLLARS = Decimal(10) ** 15


def plain(value: Decimal) -> str:
    """`value` in full, without an exponent or trailing zeros: `0.0000004`, `1200`."""
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def tidy(value: Decimal) -> Decimal:
    """`value` to twelve significant digits, which is how exact a `Figure` is."""
    return Decimal(plain(_TWELVE_DIGITS.plus(value)))


def shown(value: Decimal) -> str:
    """`value` for people: six significant digits, thousands parted by commas."""
    whole = value.to_integral_value()
    if value == whole or abs(value) >= 100_000:
        return f"{whole:,f}"
    text = f"{_SIX_DIGITS.plus(value):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def dollars(value: Decimal) -> str:
    """`value` as money: cents, or three significant digits where it is less than a cent."""
    if value == 0 or value >= Decimal("0.01"):
        return f"${value:,.2f}"
    return f"${plain(Context(prec=3).plus(value))}"


def rounded(users: int) -> str:
    """Two significant digits, as a search by bisection is exact to 1 %."""
    scale = 10 ** max(0, len(str(users)) - 2)
    return f"{round(users / scale) * scale:,}"


def constant(value: Decimal | int | str, formula: str) -> Figure:
    """A number that the template or AWS fixes, with the words that explain it."""
    return Figure(tidy(Decimal(value)), formula)
