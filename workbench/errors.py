"""The errors of the workbench, each one line that says what to do.

BlueprintError                  whatever the command line turns into one line on stderr
├── Misuse          (exit 2)    the caller asked for something that cannot be
│   ├── UnknownBlueprint
│   ├── MalformedAssembly
│   └── NotPriced               a type, property or usage key that the review does not know
└── Finding         (exit 1)    the work was done and found something
    ├── DryRunFailed
    └── OverBudget
"""

from __future__ import annotations


class BlueprintError(Exception):
    """Base of every error that a person should see as one line."""

    exit_code = 2


class Misuse(BlueprintError):
    """The request itself is wrong; nothing was started."""


class UnknownBlueprint(Misuse):
    """No blueprint has this name."""


class MalformedAssembly(Misuse):
    """A folder is not a cloud assembly, or one that cannot be read."""


class NotPriced(Misuse):
    """The review met a type, a property or a usage key that it does not know: never a silent zero."""


class Finding(BlueprintError):
    """The work was done, and its result is a fault."""

    exit_code = 1


class OverBudget(Finding):
    """A bill is above what `--budget` allows."""


class DryRunFailed(Finding):
    """The offline AWS could not be started, or the stack could not be deployed on it."""
