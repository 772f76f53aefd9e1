"""Private certificate authorities: the month, and each certificate that is issued with its key in your hands.

A certificate that ACM renews for an integrated service without giving out its key is free. Facts:
https://aws.amazon.com/private-ca/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import is_true
from workbench.review.room import Context, CostLine, Room, Usage, each, one_of, refuse

_KEYS = {"GENERAL_PURPOSE": "acm.private_ca", "SHORT_LIVED_CERTIFICATE": "acm.private_ca.short_lived"}


def _mode(resource: Resource) -> str:
    mode = resource.properties.get("UsageMode", "GENERAL_PURPOSE")
    return one_of(resource, mode, "UsageMode", tuple(_KEYS))


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    ocsp = (resource.properties.get("RevocationConfiguration") or {}).get("OcspConfiguration") or {}
    if is_true(ocsp.get("Enabled")):
        raise refuse(resource, "OcspConfiguration is enabled, which pays by the certificate and the answer")
    mode = _mode(resource)
    is_general = mode == "GENERAL_PURPOSE"
    words = "general purpose" if is_general else "short-lived certificates"
    yield CostLine(f"Private CAs ({words})", "CAs", each(1, "CA"), _KEYS[mode])
    if is_general:
        issued = context.derive(resource, "certificates_per_month")
        yield CostLine("Private certificates", "certificates", issued, "acm.private_certificate")
    elif "certificates_per_month" in resource.workload:
        raise refuse(resource, "the price book has no price of a short-lived certificate")


def _warnings(resource: Resource, context: Context) -> Iterator[str]:
    if _mode(resource) == "SHORT_LIVED_CERTIFICATE":
        yield (
            f"{context.name_of(resource)}: each short-lived certificate pays too, and the price book has no "
            "price of one: they are not counted"
        )


ROOM = Room(
    type="AWS::ACMPCA::CertificateAuthority",
    classification="mixed",
    usage={"certificates_per_month": Usage("certificates", "certificates issued, of which you hold the key")},
    lines=_lines,
    warnings=_warnings,
)
