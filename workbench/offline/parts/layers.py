"""Layers with modules compiled for another machine than this one: functions run without them here.

On AWS their modules are for Lambda's processors and Python. Here the libraries come from the environment that the
functions run in, as Powertools does; what such a layer would put before them on the path could not be imported.
A layer of Python alone, or for just this machine, is used as it is. All count towards the size of a function.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from typing import Any

from ministack.services import lambda_svc

# An extension module's name says for which Python and machine it is: PEP 3149.
_COMPILED = re.compile(r"\.(cpython-\d[^./]*)\.so$")

Resolve = Callable[[Any], bytes | None]


def extend() -> None:
    """Keep such layers from the workers, and from nothing else."""
    whole: Resolve = lambda_svc._resolve_layer_zip
    lambda_svc._layer_unzipped_size = lambda attachment: lambda_svc._unzipped_size(whole(attachment))
    lambda_svc._resolve_layer_zip = _but_those_of_other_machines(whole)


def is_of_another_machine(archive: bytes) -> bool:
    """Whether the layer's archive has a module that this interpreter could not import."""
    with zipfile.ZipFile(io.BytesIO(archive)) as layer:
        built_for = [found[1] for name in layer.namelist() if (found := _COMPILED.search(name))]
    return any(f".{tag}.so" not in EXTENSION_SUFFIXES for tag in built_for)


def _but_those_of_other_machines(whole: Resolve) -> Resolve:
    def resolved(attachment: Any) -> bytes | None:
        archive = whole(attachment)
        return None if archive and is_of_another_machine(archive) else archive

    return resolved
