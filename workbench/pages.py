"""The generated parts of the pages: what a page says of figures is what the tools say today.

A page marks a part with a pair of comments; between them stands what is generated:

    <!-- generated: cost -->
    …
    <!-- end -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from workbench.blueprint import Blueprint, Choice
from workbench.errors import Misuse

if TYPE_CHECKING:
    from workbench.dryrun.report import Report
    from workbench.review.capacity import Break
    from workbench.review.cost import Bill
    from workbench.review.curve import Crossing

_PART = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def fill(page: str, parts: Mapping[str, str]) -> str:
    """`page` with every generated part renewed.

    Raises `Misuse` when the page marks a part that is not in `parts`, or lacks one that is.
    """
    marked = [found[2] for found in _PART.finditer(page)]
    if sorted(marked) != sorted(parts):
        raise Misuse(f"the page marks {sorted(marked)}, and what is generated is {sorted(parts)}")
    return _PART.sub(lambda found: f"{found[1]}{parts[found[2]].rstrip()}\n{found[3]}", page)


def catalogue_table(blueprints: Sequence[Blueprint]) -> str:
    """The catalogue as a Markdown table, by group."""
    rows = ["| system | promise | on AWS |", "|---|---|---|"]
    for each in sorted(blueprints, key=lambda each: (each.group, each.name)):
        link = f"[`{each.name}`](stacks/{each.name}/README.md)"
        rows.append(f"| {link} | {each.promise} | {', '.join(each.services)} |")
    return "\n".join(rows)


def diagram(mermaid: str) -> str:
    """A Mermaid drawing as a Markdown block."""
    return f"```mermaid\n{mermaid.rstrip()}\n```"


def transcript(report: Report) -> str:
    """What `blueprint dry-run` prints, without what differs from run to run."""
    lines = [report.title, ""]
    lines += [f" {'✓' if step.passed else '✗' if step.failed else '–'}  {step.name}" for step in report.steps]
    refused = (
        "nothing refused that should not be" if not report.denied else f"{len(report.denied)} calls refused"
    )
    unused = (
        f"{len(report.unused_grants)} grants never used"
        if report.unused_grants
        else "every grant used, or explained"
    )
    lines += [
        "",
        f" resources    {report.deployed} of {report.total} deployed as they go to AWS",
        f" IAM          enforced, every function under its own role; {refused}; {unused}",
        f" left behind  {'; '.join(report.left_behind) or 'nothing'}",
        "",
        f"{report.name}: {'the promise holds' if report.passed else 'the promise does not hold'}",
    ]
    return "```text\n" + "\n".join(lines) + "\n```"


def cost_table(bills: Mapping[int, Bill]) -> str:
    """One row a size, and the largest lines of the largest size."""
    from workbench.review.numbers import dollars

    rows = [
        "| users | a month | per user | per 1,000 requests | idle | largest line |",
        "|--:|--:|--:|--:|--:|---|",
    ]
    for users, bill in bills.items():
        largest = bill.largest
        share = f"{largest.resource}: {largest.component}, {dollars(largest.monthly_usd)}" if largest else "—"
        each, thousand = bill.per_user_usd, bill.per_1000_requests_usd
        rows.append(
            f"| {users:,} | {dollars(bill.monthly_usd)} | {dollars(each) if each is not None else '—'} "
            f"| {dollars(thousand) if thousand is not None else '—'} | {dollars(bill.idle_usd)} | {share} |"
        )
    return "\n".join([*rows, "", "![Dollars a month over users](cost.svg)"])


def cost_curve(name: str, bills: Mapping[int, Bill]) -> tuple[str, dict[str, list[tuple[int, Decimal]]]]:
    """The title and the curves of the drawing `cost.svg` beside the page."""
    return f"{name}: dollars a month", {
        "a month": [(users, bill.monthly_usd) for users, bill in bills.items()],
        "idle": [(users, bill.idle_usd) for users, bill in bills.items()],
    }


def choice_table(
    choice: Choice[Any], curves: Mapping[str, Sequence[tuple[int, Decimal]]], found: Sequence[Crossing]
) -> str:
    """What each way of `choice` costs at every size, and where they cross."""
    from workbench.review.curve import sentence
    from workbench.review.numbers import dollars

    question = choice.question[0].upper() + choice.question[1:]
    rows = [
        f"**{question}** (`-c {choice.key}={'|'.join(choice.options)}`)",
        "",
        "| users | " + " | ".join(f"`{way}`" for way in curves) + " |",
        "|--:|" + "--:|" * len(curves),
    ]
    rows += [
        f"| {row[0][0]:,} | " + " | ".join(dollars(paid) for _, paid in row) + " |"
        for row in zip(*curves.values(), strict=True)
    ]
    return "\n".join([*rows, "", sentence(choice.key, curves, found)])


def capacity_paragraph(name: str, found: Break) -> str:
    """What to raise before a deployment, where there is any, and where the system then breaks first."""
    if found.users is None:
        sentence = f"`{name}` meets no limit that is known: {found.why}."
    else:
        sentence = f"`{name}` breaks at about **{found.users:,} users**: {found.why}."
    if found.advice:
        sentence = f"{sentence} What to do then: {found.advice}."
    if not found.prerequisites:
        return sentence
    raised = [
        f"- {each.increase} ([AWS's page]({each.source}))" + (f"; {each.advice}" if each.advice else "")
        for each in found.prerequisites
    ]
    return "\n".join(
        [
            f"Ask AWS to raise these quotas before you deploy `{name}`, which exceeds them with no traffic at all:",
            "",
            *raised,
            "",
            f"With these raised to what each size needs, {sentence}",
        ]
    )
