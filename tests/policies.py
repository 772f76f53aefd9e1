"""What parliament finds in a policy: actions, resources and conditions that AWS doesn't know."""

from __future__ import annotations

import re
import sys
import warnings
from importlib.resources import files
from types import ModuleType

# The label of a table's stream is a time; parliament takes its colons for parts of the ARN.
_LABEL = re.compile(r"(/stream/[\d-]+T\d+):(\d+):")


def findings(document: str) -> list[str]:
    """Its findings on a policy's JSON, but for `*` as a resource, of which the contract has a list of its own."""
    _stand_in_for_pkg_resources()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves a file open as it is imported
        from parliament import analyze_policy_string

    return [
        f"{finding.issue}: {finding.detail}"
        for finding in analyze_policy_string(_LABEL.sub(r"\1-\2-", document)).findings
        if finding.issue != "RESOURCE_STAR"
    ]


def _stand_in_for_pkg_resources() -> None:
    """Parliament reads its data files by a module that setuptools has no longer; this much of it is enough."""
    if "pkg_resources" not in sys.modules:
        module = ModuleType("pkg_resources")
        module.__dict__["resource_filename"] = lambda package, name: str(files(package) / name)
        module.__dict__["resource_string"] = lambda package, name: (files(package) / name).read_bytes()
        sys.modules["pkg_resources"] = module
