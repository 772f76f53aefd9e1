"""Addresses of Lambda functions: the invocations are the function's; bytes out, and streamed bytes, are paid here.

Of a response that is streamed the first 6 MB are free. Facts: https://aws.amazon.com/lambda/pricing/
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.assembly import Resource
from workbench.review.by_use import refuse_keys
from workbench.review.cloudfront import is_behind_cloudfront
from workbench.review.room import Context, CostLine, Room, Usage, one_of


def _lines(resource: Resource, context: Context) -> Iterator[CostLine]:
    mode = resource.properties.get("InvokeMode", "BUFFERED")
    if one_of(resource, mode, "InvokeMode", ("BUFFERED", "RESPONSE_STREAM")) == "RESPONSE_STREAM":
        streamed = context.derive(resource, "streamed_gb_per_month")
        yield CostLine("Responses streamed", "GB", streamed, "lambda.response_streaming")
    else:
        refuse_keys(resource, "InvokeMode is BUFFERED", "streamed_gb_per_month")
    if "egress_gb_per_month" in resource.workload or not is_behind_cloudfront(resource, context):
        egress = context.derive(resource, "egress_gb_per_month")
        yield CostLine("Data out (internet)", "GB", egress, "transfer.internet_out")


ROOM = Room(
    type="AWS::Lambda::Url",
    classification="usage",
    usage={
        "streamed_gb_per_month": Usage("GB", "bytes streamed beyond the first 6 MB of each response"),
        "egress_gb_per_month": Usage("GB", "bytes sent to the internet; zero when only CloudFront calls it"),
    },
    lines=_lines,
)
