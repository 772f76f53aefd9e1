"""What a system can answer instead of doing what it was asked.

    DomainError
    ├── Malformed          the request cannot be read at all
    ├── Unauthenticated    nobody is named as the caller
    ├── NotFound           there is no such thing, or none that the caller may know of
    ├── Conflict           it clashes with what is there
    ├── Gone               it was there, and will never be again
    ├── TooLarge           the body is larger than the system reads
    ├── UnsupportedMedia   the body is not JSON
    ├── Refused            it can be read, and breaks a rule
    ├── TooMany            the caller asks more often than they may
    └── Unavailable        a store is throttled or down; the same request may pass later

A system raises these, or its own subclasses. How they look in HTTP is said once, in `problems`.
The message of an error is shown to the caller: it holds no secret and no foreign data.
"""

from __future__ import annotations


class DomainError(Exception):
    """The base of all; never raised itself."""


class Malformed(DomainError):
    pass


class Unauthenticated(DomainError):
    pass


class NotFound(DomainError):
    pass


class Conflict(DomainError):
    pass


class Gone(DomainError):
    pass


class TooLarge(DomainError):
    pass


class UnsupportedMedia(DomainError):
    pass


class Refused(DomainError):
    pass


class TooMany(DomainError):
    pass


class Unavailable(DomainError):
    pass
