"""What is measured in a process of its own: `python -m bench.probe NAME ARGUMENT…`, one line of JSON on stdout.

Nothing but the standard library is imported before the clock runs.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench.memory import peak_mb


def synth(kind: str, folder: str) -> dict[str, Any]:
    """Seconds to start the CDK and import what the stacks need, to construct, to synthesize.

    `kind` is "bare" (an app of one empty stack), "catalogue", or the name of a blueprint, with "+rules" behind
    it to keep CDK's own validation on.
    """
    name, _, rules = kind.partition("+")
    marks = [time.perf_counter()]
    from workbench import catalogue

    app = catalogue.new_app(Path(folder), validate=bool(rules))
    chosen = {"bare": [], "catalogue": catalogue.names()}.get(name, [name])
    for each in chosen:
        importlib.import_module(f"stacks.{each}.stack")
    marks.append(time.perf_counter())
    if not chosen:
        from aws_cdk import Stack

        Stack(app, "Empty")
    for each in chosen:
        catalogue.place(app, catalogue.find(each), catalogue.DEFAULT_USERS, catalogue.DEFAULT_STAGE)
    marks.append(time.perf_counter())
    app.synth()
    marks.append(time.perf_counter())
    phases = ("import", "construct", "synth")
    return {phase: end - start for phase, start, end in zip(phases, marks, marks[1:], strict=False)}


def dry_run(name: str, root: str) -> dict[str, Any]:
    """A dry run as `blueprint dry-run` does it, with the assemblies kept under `root` instead of the project.

    `root` must look like the project (see `dry_run.shadow`): what goes into an assembly is read there.
    """
    from workbench import catalogue
    from workbench.dryrun import pipeline, synthesis

    elsewhere = SimpleNamespace(ROOT=Path(root), synthesize=catalogue.synthesize)
    vars(synthesis)["catalogue"] = elsewhere
    return pipeline.dry_run(catalogue.find(name)).as_json()


def handler(path: str, events_file: str) -> dict[str, Any]:
    """Import the handler `path`, then give it the events of the file, one after the other.

    The answers, the seconds of each call, and the peak memory in MB after the import and after each call.
    """
    module, _, attribute = path.rpartition(".")
    function: Callable[[Any, Any], Any] = getattr(importlib.import_module(module), attribute)
    megabytes = [peak_mb()]
    calls: list[float] = []
    answers: list[Any] = []
    real, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 (metrics are printed; put back below)
    try:
        for event in json.loads(Path(events_file).read_text()):
            started = time.perf_counter()
            answers.append(function(event, _context(attribute)))
            calls.append(time.perf_counter() - started)
            megabytes.append(peak_mb())
    finally:
        sys.stdout.close()
        sys.stdout = real
    return {"calls": calls, "megabytes": megabytes, "answers": answers}


def command(*arguments: str) -> dict[str, Any]:
    """Run `blueprint *arguments`: which parts of the CDK it loaded, which programs it started, its peak of memory."""
    programs: list[str] = []

    def notice(event: str, details: tuple[Any, ...]) -> None:
        if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"):
            programs.append(str(details[0]))

    sys.addaudithook(notice)
    from workbench import cli

    real, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115 (put back below)
    try:
        code = cli.run(list(arguments))
    finally:
        sys.stdout.close()
        sys.stdout = real
    cdk = sorted({name.partition(".")[0] for name in sys.modules} & {"aws_cdk", "jsii", "constructs"})
    return {"code": code, "cdk": cdk, "programs": programs, "peak_mb": peak_mb()}


def _context(name: str) -> Any:
    return SimpleNamespace(
        function_name=name,
        memory_limit_in_mb=512,
        invoked_function_arn=f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        aws_request_id="bench",
        get_remaining_time_in_millis=lambda: 10_000,
    )


PROBES: dict[str, Callable[..., dict[str, Any]]] = {
    "synth": synth,
    "dry_run": dry_run,
    "handler": handler,
    "command": command,
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(PROBES[sys.argv[1]](*sys.argv[2:])) + "\n")
