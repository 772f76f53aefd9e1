"""What a Python program of the system runs first, because this folder leads its `PYTHONPATH` (`engines/program.py`).

An image may have a `sitecustomize` of its own: it is run, too.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_the_next() -> None:
    others = [folder for folder in sys.path if os.path.abspath(folder) != _HERE]
    found = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if found is not None and found.loader is not None:
        found.loader.exec_module(importlib.util.module_from_spec(found))


importlib.import_module("aws_names").reach_apis(os.environ)
_run_the_next()
