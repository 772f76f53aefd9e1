"""The `blueprint` command. A command parses, makes one library call, renders and exits.

Exit codes: 0 well, 1 a finding (a step failed, over budget, interrupted), 2 misuse. With `--json`, stdout
carries one JSON document and nothing else; progress and errors go to stderr.

One module a command, each with a function `command`, or an `app` where there are several; what is slow to import
is imported inside it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import Any

import typer
from typer._click.exceptions import ClickException

from workbench.cli import capacity, cost, diagram, dry_run, iam, leftovers, list_, new, play, prices, show
from workbench.errors import BlueprintError

INTERRUPTED = 130  # what typer makes of Ctrl-C

COMMANDS: dict[str, Callable[..., Any]] = {
    "list": list_.command,
    "show": show.command,
    "dry-run": dry_run.command,
    "play": play.command,
    "iam": iam.command,
    "cost": cost.command,
    "capacity": capacity.command,
    "leftovers": leftovers.command,
    "diagram": diagram.command,
    "new": new.command,
}

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Classic systems of high-level design on AWS: run them offline, price them, find where they break.",
)
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(prices.app, name="prices")


def main() -> None:
    """Run the command line and exit. Being told to end is as Ctrl-C: everything is put away first."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line with `arguments` and return the exit code; errors are one line on stderr."""
    try:
        code = app(arguments, standalone_mode=False)
    except BlueprintError as error:
        return _fail(str(error), error.exit_code)
    except ClickException as error:
        return _fail(f"{error.format_message()} (`blueprint --help` shows the commands)", 2)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}", 2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        return _fail("interrupted; what was started has been stopped and removed", 1)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    print(f"blueprint: {' '.join(message.split())}", file=sys.stderr)
    return code
