"""What CloudFront does with an origin's errors: unless told otherwise it keeps some of them for ten seconds."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront

_KEPT_BY_DEFAULT = (404, 405, 414, 500, 501, 502, 503, 504)


def not_kept() -> list[cloudfront.ErrorResponse]:
    """The settings of a distribution that keeps no error on its own account, whatever the origin's headers say."""
    return [
        cloudfront.ErrorResponse(http_status=status, ttl=Duration.seconds(0)) for status in _KEPT_BY_DEFAULT
    ]
