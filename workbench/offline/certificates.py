"""The certificates that engines show: the offline AWS's own, and further ones of the same authority.

`workbench/dryrun/emulator.py` makes the authority for each run, and leaves its key in the offline AWS's private
folder: whoever trusts the bundle trusts all that is issued here.
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import TYPE_CHECKING

from workbench.offline.surroundings import LOOPBACK, surroundings

if TYPE_CHECKING:
    import trustme


@cache
def server_tls(address: str = LOOPBACK) -> ssl.SSLContext:
    """What a server on an address of the loopback network shakes hands with."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if address == LOOPBACK:
        context.load_cert_chain(surroundings().certificate)
    else:
        _authority().issue_cert(address).configure_cert(context)
    return context


@cache
def _authority() -> trustme.CA:
    import trustme  # only few systems need a further certificate

    at = surroundings()
    return trustme.CA.from_pem(at.ca_bundle.read_bytes(), at.ca_key.read_bytes())
