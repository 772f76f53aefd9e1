"""The offline AWS for the tests of one file: a fresh one for each, for what one leaves or breaks is no other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from workbench.dryrun.control import Control
from workbench.dryrun.emulator import Emulator, _write_certificates
from workbench.dryrun.http import Http
from workbench.offline import certificates
from workbench.offline.surroundings import surroundings


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The offline AWS, ready."""
    with Emulator(tmp_path_factory.mktemp("aws")) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def control(emulator: Emulator) -> Iterator[Control]:
    """What it can be told that no AWS API says."""
    with closing(Control(emulator.endpoint)) as client:
        yield client


@pytest.fixture(scope="module")
def http(emulator: Emulator) -> Iterator[Http]:
    """A client of the addresses that it gives to what is deployed there."""
    with closing(Http(emulator.endpoint)) as client:
        yield client


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The surroundings of an offline AWS, without one."""
    certificate, bundle = _write_certificates(tmp_path)
    place = {"GATEWAY_PORT": "1", "TMPDIR": str(tmp_path)}
    for name, value in (place | {"AWS_CA_BUNDLE": bundle, "MINISTACK_SSL_CERT": certificate}).items():
        monkeypatch.setenv(name, value)
    _forget()
    yield tmp_path
    _forget()


def _forget() -> None:
    for each in (surroundings, certificates.server_tls, certificates._authority):
        each.cache_clear()
