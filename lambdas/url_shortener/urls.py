"""Which URLs may be shortened, and how one is written into a `Location` header.

A URL is kept exactly as it was given. The rules look at what a browser would make of it: the scheme and the
host in lower case, the host percent-decoded, IDNA-mapped and without its final dot, and a number in any
notation that browsers read as an IPv4 address (https://url.spec.whatwg.org/#host-parsing).

What the rules can't see: a name that resolves to a private address, and a loop through someone else's
shortener. This service never fetches a URL, so neither can reach into the account that it runs in.
"""

from __future__ import annotations

import re
import unicodedata
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network
from urllib.parse import quote, unquote_to_bytes

from lambdas.url_shortener.records import UrlRefused

MAX_LENGTH = 2_048

_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?#]")
_PORT = re.compile(r"[0-9]{0,5}")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zs", "Zl", "Zp"})
_PRIVATE_NAMES = ("localhost", "local", "internal")
_IPV6_UNICAST = IPv6Network("2000::/3")
_IPV6_RELAY = IPv6Network("2002::/16")  # 6to4: an IPv4 address in disguise


def location(url: str) -> str:
    """`url` as a header value: ASCII as it is, everything else percent-encoded as UTF-8 (RFC 3987, 3.1)."""
    return "".join(character if character.isascii() else quote(character) for character in url)


def check(url: str, own_hosts: frozenset[str]) -> None:
    """Raise `UrlRefused`, naming the rule, unless `url` may be shortened.

    `own_hosts` are the host names, in lower case, under which this service itself is reached.
    """
    if any(unicodedata.category(character) in _HIDDEN_CATEGORIES for character in url):
        raise UrlRefused("hidden_character", "a URL holds no whitespace and no control characters")
    if "\\" in url:
        raise UrlRefused("backslash", "browsers read a backslash as a slash; write the slash")
    if not (scheme := _SCHEME.match(url)):
        raise UrlRefused("scheme", "only URLs that begin with http:// or https:// are shortened")
    if len(location(url)) > MAX_LENGTH:
        raise UrlRefused("length", f"longer than {MAX_LENGTH} characters once percent-encoded")
    authority = _AUTHORITY_END.split(url[scheme.end() :], maxsplit=1)[0]
    if "@" in authority:
        raise UrlRefused("userinfo", "a name before the host serves to pass one site off as another")
    host = _host_of(authority)
    if host.startswith("["):
        _check_ipv6(host)
    else:
        _check_name(_normalised(host), own_hosts)


def _host_of(authority: str) -> str:
    """The host without its port, an IPv6 address with its brackets."""
    if authority.startswith("["):
        host, bracket, rest = authority.partition("]")
        if not bracket:
            raise UrlRefused("host", "the bracket before the IPv6 address is never closed")
        host += bracket
    else:
        host, colon, port = authority.partition(":")
        rest = colon + port
    port = rest.removeprefix(":")
    if (rest and not rest.startswith(":")) or not _PORT.fullmatch(port) or int(port or 0) > 65_535:
        raise UrlRefused("port", "what follows the host is not a port")
    return host


def _normalised(host: str) -> str:
    try:
        decoded = unquote_to_bytes(host).decode()
        return decoded.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        raise UrlRefused("host", "the host is not a valid name") from None


def _check_name(host: str, own_hosts: frozenset[str]) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlRefused("host", "the host is not a valid name")
    if _NUMBER.fullmatch(labels[-1]):
        _check_address(_ipv4(labels))
    elif len(labels) == 1 or labels[-1] in _PRIVATE_NAMES:
        raise UrlRefused("private_host", "the host is a name of a private network")
    if host in own_hosts:
        raise UrlRefused("own_host", "a short link can't point at this service itself")


def _ipv4(labels: list[str]) -> IPv4Address:
    """The address that browsers read from one to four numbers; the last one fills the bytes that are left."""
    try:
        *front, last = [_number(label) for label in labels]
        if len(front) > 3 or any(number > 255 for number in front) or last >= 256 ** (4 - len(front)):
            raise ValueError
    except ValueError:
        raise UrlRefused("host", "the host ends in a number and is no IPv4 address") from None
    return IPv4Address(last + sum(number << 8 * (3 - place) for place, number in enumerate(front)))


def _number(label: str) -> int:
    if label.startswith("0x"):
        return int(label[2:] or "0", 16)
    return int(label, 8 if len(label) > 1 and label.startswith("0") else 10)


def _check_ipv6(host: str) -> None:
    try:
        address = IPv6Address(host[1:-1])
    except AddressValueError:
        raise UrlRefused("host", "what is between the brackets is no IPv6 address") from None
    # Outside of this block are loopback, link-local and private addresses, and every notation that wraps an
    # IPv4 address (mapped, compatible, NAT64).
    if address.scope_id or address not in _IPV6_UNICAST or address in _IPV6_RELAY:
        raise UrlRefused("private_address", "the host is not a public address")
    _check_address(address)


def _check_address(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        raise UrlRefused("private_address", "the host is not a public address")
