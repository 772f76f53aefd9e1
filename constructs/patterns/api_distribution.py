"""CloudFront in front of an HTTP API: what may be kept at the edge, what never, and its domain, if any."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from constructs import Construct

from patterns import edge
from patterns.domain import Domain
from patterns.json_http_api import JsonHttpApi
from patterns.traffic import EdgeTraffic

VIEWER_HOST = "x-viewer-host"
_COPY_HOST = f"""function handler(event) {{
  var request = event.request;
  request.headers['{VIEWER_HOST}'] = {{ value: request.headers.host.value }};
  return request;
}}"""
_REASONS = {
    "CFR1": "it is for readers everywhere",
    "CFR2": "the API is throttled and every input checked; a web ACL is $5 a month and $0.60 a million "
    "requests, for those who are under attack",
    "CFR3": "the API's access log has every request: the edge keeps only what an answer asks it to",
}


class ApiDistribution(Construct):
    """Viewers reach the API by HTTPS through the edge.

    A response is kept only as long as its own `Cache-Control` says, at most `longest`; errors are never kept
    on CloudFront's own account. Paths in `uncached` take every method and are never kept. The viewer's own
    host reaches the origin as `x-viewer-host`. With a `domain`, the certificate must be in us-east-1, so the
    stack too. Attributes: `distribution`, `url`.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        api: JsonHttpApi,
        uncached: str,
        longest: Duration,
        traffic: EdgeTraffic,
        domain: Domain | None = None,
    ) -> None:
        super().__init__(scope, id)
        origin = origins.HttpOrigin(api.host, protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY)
        viewer_host = cloudfront.FunctionAssociation(
            event_type=cloudfront.FunctionEventType.VIEWER_REQUEST,
            function=cloudfront.Function(
                self,
                "ViewerHost",
                code=cloudfront.FunctionCode.from_inline(_COPY_HOST),
                runtime=cloudfront.FunctionRuntime.JS_2_0,
            ),
        )
        as_told = cloudfront.CachePolicy(
            self,
            "AsTold",
            comment="Kept only as long as the response itself says",
            min_ttl=Duration.seconds(0),
            default_ttl=Duration.seconds(0),
            max_ttl=longest,
        )
        only_host = cloudfront.OriginRequestPolicy(
            self,
            "OnlyHost",
            comment="The path, and the name it was asked by",
            header_behavior=cloudfront.OriginRequestHeaderBehavior.allow_list(VIEWER_HOST),
        )
        self.distribution, host = edge.distribution(
            self,
            default=cloudfront.BehaviorOptions(
                origin=origin,
                allowed_methods=cloudfront.AllowedMethods.ALLOW_GET_HEAD,
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
                cache_policy=as_told,
                origin_request_policy=only_host,
                function_associations=[viewer_host],
            ),
            additional={
                uncached: cloudfront.BehaviorOptions(
                    origin=origin,
                    allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                    viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                    cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                    origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                    function_associations=[viewer_host],
                )
            },
            domain=domain,
            traffic=traffic,
            reasons=_REASONS,
        )
        self.url = f"https://{host}"
