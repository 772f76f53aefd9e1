"""What a cold start of each handler costs in Python: importing it, its first call, and its memory.

The import is the time of a fresh process that imports the module, less that of one that imports nothing; both
leave without tidying up. It is compared with importing boto3. The first call makes the clients of the SDK and
connects; what it takes longer than the second is its extra. Calls go to an offline AWS. A handler without an event in
`handlers.EVENTS` is imported only.
"""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

from bench import handlers
from bench.fresh import Bench
from bench.offline import Offline, offline, synthesized
from bench.table import Row, Table, compared
from workbench import catalogue
from workbench.assembly import Assembly

IMPORT_GOAL_MS = 250.0
ROUNDS = 5
_NOTHING, _BOTO3 = "os", "boto3"  # the interpreter itself imports os


def run(bench: Bench) -> Table:
    """Milliseconds and MB of every handler of the catalogue."""
    paths = handlers.every()
    modules = {path: path.rpartition(".")[0] for path in paths}
    taken = import_ms(bench, [_BOTO3, *modules.values()])
    rows = [Row("import boto3", taken[_BOTO3], "ms")]

    def imported(path: str) -> Row:
        label = f"{_label(path)}: import"
        return compared(label, taken[modules[path]], "ms", taken[_BOTO3], "boto3", goal=IMPORT_GOAL_MS)

    unmeasured = 0
    for name in catalogue.names():
        own = [path for path in paths if path.startswith(f"lambdas.{name}.")]
        if not own:
            continue
        unmeasured += len(deployed_handlers(synthesized(name, bench.scratch)) - set(paths))
        with offline(bench, name) if handlers.EVENTS.keys() & own else nullcontext() as system:
            for path in own:
                rows += [imported(path), *(_calls(bench, system, path, _label(path)) if system else ())]
    rows += [imported(path) for path in paths if path.startswith(f"lambdas.{handlers.SHARED}.")]
    rows.append(Row("deployed handlers that are not measured", unmeasured, "", goal=0, must=True))
    return Table(
        "cold-start",
        "Cold start of every handler",
        tuple(rows),
        (
            f"Imports: best of {ROUNDS} fresh processes each, in turn, with compiled files in place.",
            "Of this machine: the processor and the file system of AWS are others.",
            "Memory is the peak of the process; the goal holds for the import.",
            "A handler without an event in `bench/handlers.py` is imported only.",
        ),
    )


def _label(path: str) -> str:
    return path.removeprefix("lambdas.").removesuffix(f".{handlers.ENTRY_POINT}")


def import_ms(bench: Bench, modules: list[str]) -> dict[str, float]:
    """Milliseconds to import each of `modules` in a fresh process, the best of some."""
    best = dict.fromkeys((_NOTHING, *modules), float("inf"))
    for round_ in range(ROUNDS + 1):
        for module in best:
            seconds = bench.python("-c", f"import os, {module}; os._exit(0)").seconds
            if round_:  # the first one writes the compiled files
                best[module] = min(best[module], seconds * 1000)
    return {module: best[module] - best[_NOTHING] for module in modules}


def deployed_handlers(assembly: Assembly) -> set[str]:
    """The handlers that the blueprint's templates name."""
    functions = [each for each in assembly.resources if each.type == "AWS::Lambda::Function"]
    return {str(function.properties.get("Handler")) for function in functions}


def _calls(bench: Bench, system: Offline, path: str, label: str) -> list[Row]:
    if path not in handlers.EVENTS:
        return []
    events = bench.scratch / "events.json"
    events.write_text(json.dumps([handlers.EVENTS[path](n) for n in range(3)]))
    found, _ = bench.probe("handler", path, str(events), environment=_environment(system, path))
    first, second, third = (seconds * 1000 for seconds in found["calls"])
    after_import, after_call, *_ = found["megabytes"]
    failed = sum(_is_failure(answer) for answer in found["answers"])
    return [
        Row(f"· {label}: first call, extra", first - min(second, third), "ms"),
        Row(f"· {label}: memory after the import", after_import, "MB"),
        Row(f"· {label}: memory after one call", after_call, "MB"),
        Row(f"· {label}: calls that failed", failed, "", goal=0, must=True),
    ]


def _is_failure(answer: dict[str, Any]) -> bool:
    """Whether a handler could not do its work: its store did not answer, or a message is to be tried again."""
    return int(answer.get("statusCode", 200)) >= 500 or bool(answer.get("batchItemFailures"))


def _environment(system: Offline, path: str) -> dict[str, str]:
    """What the deployed function has in its environment, and the way to the offline AWS."""
    pages = system.client("lambda").get_paginator("list_functions").paginate()
    [function] = [each for page in pages for each in page["Functions"] if each["Handler"] == path]
    variables: dict[str, str] = function["Environment"]["Variables"]
    return variables | {
        "AWS_ENDPOINT_URL": system.emulator.endpoint.url,
        "AWS_CA_BUNDLE": system.emulator.endpoint.ca_bundle or "",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
