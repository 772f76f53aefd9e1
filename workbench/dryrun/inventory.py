"""What stands in an offline account, by type: taken before the deployment and after the destruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

ClientOf = Callable[[str, str], Any]


def _names(*path: str) -> Callable[[Any], list[str]]:
    """A reader of an answer: `_names("Tables")` for plain names, `_names("Queues", "Url")` for objects."""

    def read(answer: Any) -> list[str]:
        found = answer
        for key in path[:-1] if len(path) > 1 else path:
            found = found.get(key) or []
        return [each[path[-1]] for each in found] if len(path) > 1 else list(found)

    return read


# type: (service, call, arguments, how to read the names)
LISTED: dict[str, tuple[str, str, dict[str, Any], Callable[[Any], list[str]]]] = {
    "AWS::ApiGatewayV2::Api": ("apigatewayv2", "get_apis", {}, _names("Items", "ApiId")),
    "AWS::CloudFront::CachePolicy": (
        "cloudfront",
        "list_cache_policies",
        {"Type": "custom"},
        lambda answer: [each["CachePolicy"]["Id"] for each in answer["CachePolicyList"].get("Items", [])],
    ),
    "AWS::CloudFront::Distribution": (
        "cloudfront",
        "list_distributions",
        {},
        _names("DistributionList", "Items", "Id"),
    ),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "describe_alarms", {}, _names("MetricAlarms", "AlarmName")),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch",
        "list_dashboards",
        {},
        _names("DashboardEntries", "DashboardName"),
    ),
    "AWS::Cognito::UserPool": (
        "cognito-idp",
        "list_user_pools",
        {"MaxResults": 60},
        _names("UserPools", "Id"),
    ),
    "AWS::DynamoDB::Table": ("dynamodb", "list_tables", {}, _names("TableNames")),
    "AWS::IAM::Role": ("iam", "list_roles", {}, _names("Roles", "RoleName")),
    "AWS::Lambda::EventSourceMapping": (
        "lambda",
        "list_event_source_mappings",
        {},
        _names("EventSourceMappings", "UUID"),
    ),
    "AWS::Lambda::Function": ("lambda", "list_functions", {}, _names("Functions", "FunctionName")),
    "AWS::Logs::LogGroup": ("logs", "describe_log_groups", {}, _names("logGroups", "logGroupName")),
    "AWS::S3::Bucket": ("s3", "list_buckets", {}, _names("Buckets", "Name")),
    "AWS::SNS::Topic": ("sns", "list_topics", {}, _names("Topics", "TopicArn")),
    "AWS::SQS::Queue": ("sqs", "list_queues", {}, _names("QueueUrls")),
}


ALWAYS_LISTED = frozenset(
    {"AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::Lambda::Function"}
)  # easily forgotten


def services(types: frozenset[str]) -> set[str]:
    """The services that `take` asks."""
    return {LISTED[kind][0] for kind in (types | ALWAYS_LISTED) & LISTED.keys()}


def take(client: ClientOf, region: str, types: frozenset[str]) -> set[tuple[str, str]]:
    """(type, name) of everything of `types` that stands in the region, and of what is `ALWAYS_LISTED`."""
    found = set()
    for kind in sorted((types | ALWAYS_LISTED) & LISTED.keys()):
        service, call, arguments, read = LISTED[kind]
        answer = getattr(client(service, region), call)(**arguments)
        found |= {(kind, name) for name in read(answer)}
    return found
