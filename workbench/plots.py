"""The curve of a bill: dollars a month over users, both on logarithmic axes, for a terminal and as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from html import escape
from math import ceil, floor, log10

from workbench.review.numbers import dollars

Points = Sequence[tuple[int, Decimal]]
"""(users, dollars a month), by users."""

WIDTH, HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 130, 48, 56
_COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7e22ce", "#334155")
_CENT = Decimal("0.01")
_SUFFIXES = ((10**9, "B"), (10**6, "M"), (10**3, "K"))


def terminal(title: str, curves: Mapping[str, Points], *, width: int = 90, height: int = 20) -> str:
    """The curves as text without colour. Points of no cost lie on the lowest line: a logarithm has no zero."""
    import plotext

    scales = _Scales(curves)
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(width, height)
    plotext.title(title)
    for name, points in curves.items():
        places = [(log10(users), log10(scales.held(paid))) for users, paid in points]
        plotext.plot([x for x, _ in places], [y for _, y in places], label=name, marker="braille")
    plotext.xlim(scales.low_x, scales.high_x)
    plotext.ylim(scales.low_y, scales.high_y)
    plotext.xticks(list(scales.decades_x), [count(10**each) for each in scales.decades_x])
    plotext.yticks(list(scales.decades_y), [dollars(Decimal(10) ** each) for each in scales.decades_y])
    plotext.xlabel("users")
    drawn = "\n".join(line.rstrip() for line in plotext.uncolorize(plotext.build()).splitlines())
    plotext.clear_figure()
    return drawn


def svg(title: str, curves: Mapping[str, Points]) -> str:
    """The curves as one SVG document that needs nothing from elsewhere."""
    scales = _Scales(curves)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="#334155">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16" font-weight="600">{escape(title)}</text>',
        *_grid(scales),
        *_lines(scales, curves),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def count(number: int) -> str:
    """`10K`, `1M`: a number of users, shortly."""
    for size, suffix in _SUFFIXES:
        if number >= size:
            return f"{number / size:g}{suffix}"
    return str(number)


class _Scales:
    """Where a number of users and an amount lie; the axes go over whole decades."""

    def __init__(self, curves: Mapping[str, Points]) -> None:
        users = [users for points in curves.values() for users, _ in points]
        paid = [self.held(paid) for points in curves.values() for _, paid in points]
        self.low_x, self.high_x = _decades(min(users), max(users))
        self.low_y, self.high_y = _decades(min(paid), max(paid))
        self.decades_x = range(self.low_x, self.high_x + 1)
        self.decades_y = range(self.low_y, self.high_y + 1)

    @staticmethod
    def held(paid: Decimal) -> Decimal:
        return max(paid, _CENT)

    def x(self, logarithm: float) -> float:
        share = (logarithm - self.low_x) / (self.high_x - self.low_x)
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, logarithm: float) -> float:
        share = (logarithm - self.low_y) / (self.high_y - self.low_y)
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def _decades(least: Decimal | int, most: Decimal | int) -> tuple[int, int]:
    low, high = floor(log10(least)), ceil(log10(most))
    return low, max(high, low + 1)


def _grid(scales: _Scales) -> Iterator[str]:
    top, bottom, left, right = _TOP, HEIGHT - _BOTTOM, _LEFT, WIDTH - _RIGHT
    for each in scales.decades_x:
        x = scales.x(each)
        yield f'<line x1="{x}" y1="{top}" x2="{x}" y2="{bottom}" stroke="#e2e8f0"/>'
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{count(10**each)}</text>'
    for each in scales.decades_y:
        y = scales.y(each)
        yield f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#e2e8f0"/>'
        amount = dollars(Decimal(10) ** each).removesuffix(".00")
        yield f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{amount}</text>'
    middle = (left + right) / 2
    yield f'<text x="{middle:g}" y="{bottom + 40}" text-anchor="middle">users</text>'


def _lines(scales: _Scales, curves: Mapping[str, Points]) -> Iterator[str]:
    for index, (name, points) in enumerate(curves.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        places = [(scales.x(log10(users)), scales.y(log10(scales.held(paid)))) for users, paid in points]
        path = " ".join(f"{x},{y}" for x, y in places)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for (x, y), (users, paid) in zip(places, points, strict=True):
            label = f"{name}: {users:,} users, {dollars(paid)} a month"
            yield f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"><title>{escape(label)}</title></circle>'
        x, y = places[-1]
        yield f'<text x="{x + 8}" y="{y + 4}" fill="{colour}">{escape(name)}</text>'
