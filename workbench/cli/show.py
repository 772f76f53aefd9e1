"""`blueprint show`."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from workbench import catalogue
from workbench.cli import options

ROOMS = {
    "stacks": "the stack, its workload, its scenario, its page",
    "lambdas": "the handlers",
    "services": "long-lived programs",
    "tests": "its own tests and its goldens",
}


def command(name: options.Name, as_json: options.AsJson = False) -> None:
    """One system: its promise, where it comes from, its services and its rooms."""
    blueprint = catalogue.find(name)
    rooms = {
        f"{room}/{name}": what for room, what in ROOMS.items() if (catalogue.ROOT / room / name).is_dir()
    }
    facts = {
        "name": blueprint.name,
        "title": blueprint.title,
        "group": blueprint.group,
        "seed": blueprint.seed,
        "passage": blueprint.passage,
        "promise": blueprint.promise,
        "services": list(blueprint.services),
        "rooms": list(rooms),
        "choices": [
            {"key": each.key, "options": list(each.options), "question": each.question}
            for each in blueprint.choices
        ],
    }
    if as_json:
        options.print_json(facts)
        return
    console = options.stdout()
    console.print(f"[bold]{escape(blueprint.title)}[/]  [dim]{escape(name)} · {escape(blueprint.group)}[/]")
    console.print(f"\n{escape(blueprint.promise)}\n")
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_row("from", escape(f"{blueprint.passage} ({blueprint.seed})"))
    table.add_row("services", escape(", ".join(blueprint.services)))
    for room, what in rooms.items():
        table.add_row(room, f"[dim]{what}[/]")
    for choice in blueprint.choices:
        table.add_row(
            "choice", f"{choice.key}={escape('|'.join(choice.options))} [dim]{escape(choice.question)}[/]"
        )
    console.print(table)
    console.print(
        f"\nTry it: [bold]blueprint dry-run {name}[/] · cost {name} · capacity {name} · diagram {name}"
    )
