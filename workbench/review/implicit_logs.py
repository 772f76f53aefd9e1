"""Log groups that no template shows: AWS makes them, nothing in them expires, and no stack deletes them.

What makes one, and its name:

- Lambda, at the first invocation, where the function names no log group: `/aws/lambda/<name>`. The functions of the
  CDK's own custom resources are among them. https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
- Lambda@Edge, in each region that it ran in: `/aws/lambda/us-east-1.<name>`.
  https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-functions-logs.html
- API Gateway, where a stage logs its execution: `API-Gateway-Execution-Logs_<id>/<stage>`, of a WebSocket API
  `/aws/apigateway/<id>/<stage>`. https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
- RDS, Aurora, DocumentDB and Neptune, for each log that they export: `/aws/rds/instance/<id>/<log>`.
  https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Procedural.UploadtoCloudWatch.html
- RDS Proxy, always: `/aws/rds/proxy/<name>`.
  https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.monitoring.html
- EKS, for the logs of its control plane: `/aws/eks/<name>/cluster`.
  https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
- Container Insights: `/aws/ecs/containerinsights/<name>/performance`.
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights-reference.html
- ECS, where a container's log driver may make its group (`awslogs-create-group`).
  https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
- CodeBuild, unless logs are off: `/aws/codebuild/<name>`.
  https://docs.aws.amazon.com/codebuild/latest/userguide/change-project.html
- Amazon MQ: `/aws/amazonmq/broker/<id>/general` and `/audit`.
  https://docs.aws.amazon.com/amazon-mq/latest/developer-guide/configure-logging-monitoring-activemq.html
- AppSync: `/aws/appsync/apis/<id>`. https://docs.aws.amazon.com/appsync/latest/devguide/monitoring.html
- IoT, for the whole account: `AWSIotLogsV2`.
  https://docs.aws.amazon.com/iot/latest/developerguide/cloud-watch-logs.html
- VPC flow logs, where the group that they name is not there yet.
  https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html

One is not left over where the template has a log group of its name: its deletion policy decides then. Nor is it
where the CDK's `Custom::LogRetention` deletes it. Other services (MSK, Step Functions, Firehose, WAF) write to groups
that must be there before, and make none. How much is in a group that nobody declared is not known.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

from workbench.assembly import Resource
from workbench.review.destruction import Rest, or_unknown
from workbench.review.room import NOT_DECLARED, Context, CostLine
from workbench.workload import Figure

_LINE = CostLine(
    "Logs kept",
    "GB-months",
    Figure(Decimal(0), f"{NOT_DECLARED}what it writes to a log group that is not in the template"),
    "cloudwatch.logs.storage",
)


_REFERENCE = re.compile(r"\$\{(\w+)")


@dataclass(frozen=True)
class _Group:
    """A group that `resource` may make. `pattern` has `{}` for a name that only deployment knows.

    `name` is that name where the template gives it, as text with its references.
    """

    pattern: str
    why: str
    name: str | None = None


class ImplicitGroups:
    """The log groups that an assembly's resources make for themselves: `rests()` are those that stay."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def rests(self) -> Iterator[Rest]:
        for resource in self._context.assembly.resources:
            if resource.type in _MAKERS:
                yield from or_unknown(resource, partial(self._of, resource))

    def _of(self, resource: Resource) -> Iterator[Rest]:
        for group in _MAKERS[resource.type](resource, self):
            names = {group.pattern.replace("{}", name) for name in _names(resource, group)}
            kept = self._retention(resource, names)
            if kept is None or names & (self._plain_names | self._names_in[id(resource.stack)]):
                continue
            shown = group.pattern.replace("{}", self._shown(resource, group))
            yield Rest(
                resource,
                f"log group {shown}",
                f"{group.why}; {kept}",
                f"aws logs delete-log-group --log-group-name {shown}",
                (_LINE,),
            )

    def _retention(self, resource: Resource, names: set[str]) -> str | None:
        """How long what is in it stays, as the CDK's custom resource says; None where that deletes the group."""
        for name in names:
            properties = self._retentions.get((id(resource.stack), name), {})
            if str(properties.get("RemovalPolicy", "")).lower() == "destroy":
                return None
            if "RetentionInDays" in properties:
                return f"what is in it expires after {properties['RetentionInDays']} days, the group does not"
        return "nothing in it expires"

    def _shown(self, resource: Resource, group: _Group) -> str:
        """The name, or that of the construct which has it."""
        if group.name is None or "${" in group.name:
            named = _REFERENCE.match(group.name or "")
            whole = resource.stack.resources.get(named[1], resource) if named else resource
            return f"<{self._context.name_of(whole)}>"
        return group.name

    @cached_property
    def _names_in(self) -> Mapping[int, set[str]]:
        """The names of log groups in each stack, as its template writes them; by the stack's identity."""
        found: dict[int, set[str]] = defaultdict(set)
        for each in self._context.all_of("AWS::Logs::LogGroup"):
            found[id(each.stack)].add(str(each.properties.get("LogGroupName", "")))
        return found

    @cached_property
    def _plain_names(self) -> set[str]:
        """The names without a reference, which mean the same in every stack."""
        return {name for names in self._names_in.values() for name in names if "${" not in name}

    @cached_property
    def _retentions(self) -> dict[tuple[int, str], Mapping[str, Any]]:
        return {
            (id(each.stack), str(each.properties.get("LogGroupName"))): each.properties
            for each in self._context.all_of("Custom::LogRetention")
        }

    @cached_property
    def called_by_the_deployment(self) -> frozenset[int]:
        """The functions of custom resources, by their identity."""
        called = (
            self._context.target(each, each.properties.get("ServiceToken"))
            for each in self._context.assembly.resources
            if each.type.startswith("Custom::") or each.type == "AWS::CloudFormation::CustomResource"
        )
        return frozenset(id(each) for each in called if each is not None)

    @cached_property
    def at_the_edge(self) -> frozenset[int]:
        """The functions that CloudFront runs, in copies that Lambda makes of them, by their identity."""
        return frozenset(map(id, _at_the_edge(self._context)))


def _names(resource: Resource, group: _Group) -> set[str]:
    """The name as the template may write it: in words, or as a reference."""
    return {f"${{{resource.logical_id}}}", *([group.name] if group.name else [])}


def _text(resource: Resource, key: str) -> str | None:
    value = resource.properties.get(key)
    return None if value is None else str(value)


def _is_on(value: Any) -> bool:
    return str(value).lower() == "true"


def _function(resource: Resource, groups: ImplicitGroups) -> Iterator[_Group]:
    named = (resource.properties.get("LoggingConfig") or {}).get("LogGroup")
    why = "Lambda makes it at the first invocation"
    if named is None:
        if id(resource) in groups.called_by_the_deployment:
            why += ", which is the deployment's own"
        yield _Group("/aws/lambda/{}", why, _text(resource, "FunctionName"))
    elif isinstance(named, str) and "${" not in named:
        yield _Group(named, why)
    if id(resource) in groups.at_the_edge:
        why = "Lambda@Edge makes it, in each region that the function ran in"
        yield _Group("/aws/lambda/us-east-1.{}", why, _text(resource, "FunctionName"))


def _at_the_edge(context: Context) -> Iterator[Resource]:
    for distribution in context.all_of("AWS::CloudFront::Distribution"):
        associated = list(_all_named("LambdaFunctionAssociations", distribution.raw.get("Properties")))
        for found in context.links.mentions(distribution, associated):
            whole = context.target(found, found.properties.get("FunctionName"))
            yield whole if found.type == "AWS::Lambda::Version" and whole is not None else found


def _all_named(key: str, value: Any) -> Iterator[Any]:
    """What stands under `key` anywhere in `value`, whatever intrinsics it is wrapped in."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for each in value.values():
            yield from _all_named(key, each)
    elif isinstance(value, list):
        for each in value:
            yield from _all_named(key, each)


def _rest_stage(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    settings = resource.properties.get("MethodSettings") or []
    if any(each.get("LoggingLevel") in ("ERROR", "INFO") for each in settings):
        stage = _text(resource, "StageName") or "<stage>"
        name = _text(resource, "RestApiId")
        yield _Group(f"API-Gateway-Execution-Logs_{{}}/{stage}", "its MethodSettings log the execution", name)


def _websocket_stage(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    properties = resource.properties
    routes = [properties.get("DefaultRouteSettings") or {}, *(properties.get("RouteSettings") or {}).values()]
    if any(each.get("LoggingLevel") in ("ERROR", "INFO") for each in routes):
        stage = _text(resource, "StageName") or "<stage>"
        why = "its route settings log the execution"
        yield _Group(f"/aws/apigateway/{{}}/{stage}", why, _text(resource, "ApiId"))


def _exported(prefix: str, key: str) -> Callable[[Resource, ImplicitGroups], Iterator[_Group]]:
    def groups(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
        for log in resource.properties.get("EnableCloudwatchLogsExports") or []:
            why = "EnableCloudwatchLogsExports makes it"
            yield _Group(f"{prefix}/{{}}/{log}", why, _text(resource, key))

    return groups


def _proxy(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    yield _Group("/aws/rds/proxy/{}", "RDS makes one for each proxy", _text(resource, "DBProxyName"))


def _control_plane(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    logging = (resource.properties.get("Logging") or {}).get("ClusterLogging") or {}
    if logging.get("EnabledTypes"):
        yield _Group("/aws/eks/{}/cluster", "the control plane's logs are on", _text(resource, "Name"))


def _insights(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    for setting in resource.properties.get("ClusterSettings") or []:
        if setting.get("Name") == "containerInsights" and setting.get("Value") != "disabled":
            why = "Container Insights makes it"
            yield _Group("/aws/ecs/containerinsights/{}/performance", why, _text(resource, "ClusterName"))


def _containers(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    for container in resource.properties.get("ContainerDefinitions") or []:
        options: Mapping[str, Any] = (container.get("LogConfiguration") or {}).get("Options") or {}
        named = options.get("awslogs-group")
        if _is_on(options.get("awslogs-create-group")) and isinstance(named, str):
            yield _Group(named, f"awslogs-create-group makes it, for the container {container.get('Name')}")


def _builds(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    logs = (resource.properties.get("LogsConfig") or {}).get("CloudWatchLogs") or {}
    named = logs.get("GroupName")
    if logs.get("Status", "ENABLED") == "ENABLED" and (named is None or isinstance(named, str)):
        pattern = "/aws/codebuild/{}" if named is None else str(named)
        yield _Group(pattern, "CodeBuild makes it at the first build", _text(resource, "Name"))


def _broker(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    logs = resource.properties.get("Logs") or {}
    for key, log in (("General", "general"), ("Audit", "audit")):
        if _is_on(logs.get(key)):
            yield _Group(f"/aws/amazonmq/broker/{{}}/{log}", f"Logs.{key} is on")


def _graphql(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    if resource.properties.get("LogConfig"):
        yield _Group("/aws/appsync/apis/{}", "its LogConfig makes it", f"${{{resource.logical_id}.ApiId}}")


def _flow_log(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    named = resource.properties.get("LogGroupName")
    if isinstance(named, str):
        yield _Group(named, "the flow log makes it, where it is not there yet")


def _events(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    if (resource.properties.get("EventConfig") or {}).get("LogConfig"):
        yield _Group("/aws/appsync/apis/{}", "its LogConfig makes it", f"${{{resource.logical_id}.ApiId}}")


def _devices(resource: Resource, _groups: ImplicitGroups) -> Iterator[_Group]:
    if resource.properties.get("DefaultLogLevel") != "DISABLED":
        yield _Group("AWSIotLogsV2", "IoT makes it, for all devices of the account")


_MAKERS: dict[str, Callable[[Resource, ImplicitGroups], Iterator[_Group]]] = {
    "AWS::AmazonMQ::Broker": _broker,
    "AWS::ApiGateway::Stage": _rest_stage,
    "AWS::ApiGatewayV2::Stage": _websocket_stage,
    "AWS::AppSync::Api": _events,
    "AWS::AppSync::GraphQLApi": _graphql,
    "AWS::CodeBuild::Project": _builds,
    "AWS::DocDB::DBCluster": _exported("/aws/docdb", "DBClusterIdentifier"),
    "AWS::EC2::FlowLog": _flow_log,
    "AWS::ECS::Cluster": _insights,
    "AWS::ECS::TaskDefinition": _containers,
    "AWS::EKS::Cluster": _control_plane,
    "AWS::IoT::Logging": _devices,
    "AWS::Lambda::Function": _function,
    "AWS::Neptune::DBCluster": _exported("/aws/neptune", "DBClusterIdentifier"),
    "AWS::RDS::DBCluster": _exported("/aws/rds/cluster", "DBClusterIdentifier"),
    "AWS::RDS::DBInstance": _exported("/aws/rds/instance", "DBInstanceIdentifier"),
    "AWS::RDS::DBProxy": _proxy,
}
