"""Where this offline AWS runs: what its parts need to know of the process that they are in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Surroundings:
    """`port` it serves on, `folder` for files and sockets, `certificate` with its key.

    `ca_bundle` is the authority to trust, `ca_key` its key, to issue further certificates.
    """

    port: int
    folder: Path
    ca_bundle: Path
    ca_key: Path
    certificate: Path

    @property
    def url(self) -> str:
        return f"https://{LOOPBACK}:{self.port}"


@cache
def surroundings() -> Surroundings:
    """As `workbench/dryrun/emulator.py` set them in the environment."""
    return Surroundings(
        port=int(os.environ["GATEWAY_PORT"]),
        folder=Path(os.environ["TMPDIR"]),
        ca_bundle=Path(os.environ["AWS_CA_BUNDLE"]),
        ca_key=Path(os.environ["AWS_CA_BUNDLE"]).with_name("ca-key.pem"),
        certificate=Path(os.environ["MINISTACK_SSL_CERT"]),
    )
