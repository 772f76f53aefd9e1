"""A Mermaid flowchart of an assembly: what a person would draw of it, and nothing else.

    print(mermaid(Assembly.load(folder)))

Entrances, workers and stores are nodes; routes, event sources, grants, redrives and subscriptions are arrows.
Roles, permissions, log groups and the like are folded away and counted in a comment at the end.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workbench.assembly import Assembly, Resource
from workbench.review.links import Links
from workbench.review.reachability import Reachability

_GROUPS = {"entrances": "Entrances", "workers": "Workers", "stores": "Stores and queues"}


@dataclass(frozen=True)
class _Kind:
    """How a type is drawn: its group, what it is called, and the brackets of its shape."""

    group: str
    words: str
    shape: tuple[str, str] = ("[", "]")


_CYLINDER = ("[(", ")]")
_QUEUE = ("[/", "/]")
_ROUND = ("([", "])")

_KINDS = {
    "AWS::CloudFront::Distribution": _Kind("entrances", "CloudFront distribution"),
    "AWS::ApiGatewayV2::Api": _Kind("entrances", "API Gateway"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _Kind("entrances", "load balancer"),
    "AWS::Cognito::UserPool": _Kind("entrances", "Cognito user pool"),
    "AWS::Events::Rule": _Kind("entrances", "EventBridge rule"),
    "AWS::Scheduler::Schedule": _Kind("entrances", "EventBridge schedule"),
    "AWS::Lambda::Function": _Kind("workers", "Lambda function"),
    "AWS::AutoScaling::AutoScalingGroup": _Kind("workers", "EC2 auto-scaling group"),
    "AWS::EKS::Nodegroup": _Kind("workers", "EKS nodes and their pods"),
    "AWS::DynamoDB::Table": _Kind("stores", "DynamoDB table", _CYLINDER),
    "AWS::DynamoDB::GlobalTable": _Kind("stores", "DynamoDB table", _CYLINDER),
    "AWS::S3::Bucket": _Kind("stores", "S3 bucket", _CYLINDER),
    "AWS::RDS::DBInstance": _Kind("stores", "RDS instance", _CYLINDER),
    "AWS::RDS::DBProxy": _Kind("stores", "RDS proxy", _QUEUE),
    "AWS::ElastiCache::ReplicationGroup": _Kind("stores", "ElastiCache", _CYLINDER),
    "AWS::MSK::Cluster": _Kind("stores", "Kafka (MSK)", _QUEUE),
    "AWS::SecretsManager::Secret": _Kind("stores", "Secret", _CYLINDER),
    "AWS::SQS::Queue": _Kind("stores", "SQS queue", _QUEUE),
    "AWS::SNS::Topic": _Kind("stores", "SNS topic", _QUEUE),
    "AWS::Events::EventBus": _Kind("stores", "EventBridge bus", _QUEUE),
    "AWS::Kinesis::Stream": _Kind("stores", "Kinesis stream", _QUEUE),
}

_CALLED_BY_CLIENTS = ("AWS::CloudFront::Distribution", "AWS::ApiGatewayV2::Api")
_REACHED_BY_NETWORK = ("AWS::ElastiCache::ReplicationGroup",)  # no role opens these: their network does

# A construct's last part says no more than the type does: `Clicks/Queue` is drawn as `Clicks`.
_SAYS_THE_TYPE = {
    "ASG",
    "Api",
    "Bucket",
    "Cluster",
    "Distribution",
    "Function",
    "Group",
    "Queue",
    "Table",
    "Topic",
    "Users",
}
_RESERVED = {
    "end",
    "graph",
    "subgraph",
    "flowchart",
    "direction",
    "style",
    "class",
    "click",
    "clients",
    "cloudwatch",
}

_READS = re.compile(r"(Get(Item|Object|Secret)|BatchGet|TransactGet|Query|Scan|ConditionCheck)")
_WRITES = re.compile(
    r"(Put(Item|Object|Record|Events)|UpdateItem|Delete(Item|Object)|BatchWrite|TransactWrite)"
)
_VERBS: dict[str, list[tuple[re.Pattern[str], str]]] = {
    "dynamodb": [(_READS, "reads"), (_WRITES, "writes")],
    "s3": [(_READS, "reads"), (_WRITES, "writes")],
    "secretsmanager": [(_READS, "reads")],
    "sqs": [(re.compile("SendMessage"), "sends")],
    "sns": [(re.compile("Publish"), "publishes")],
    "events": [(_WRITES, "publishes")],
    "kinesis": [(_WRITES, "writes")],
    "lambda": [(re.compile("Invoke"), "invokes")],
    "rds-db": [(re.compile("connect"), "queries")],
    "kafka-cluster": [(re.compile("ReadData"), "reads"), (re.compile("WriteData"), "writes")],
}


def mermaid(assembly: Assembly) -> str:
    """The flowchart as Mermaid text, the same for the same assembly."""
    return _Drawing(assembly).text()


class _Drawing:
    """The nodes of one assembly, and the arrows between them as (from, to, dashed) → labels."""

    def __init__(self, assembly: Assembly) -> None:
        self._assembly = assembly
        self._links = Links(assembly)
        self._drawn = [resource for resource in assembly.resources if _is_drawn(resource)]
        self._ids = _ids(self._drawn)
        self._arrows: dict[tuple[str, str, bool], list[str]] = {}
        self._alarmed: Counter[str] = Counter()
        for resource in assembly.resources:
            draw = _DRAW.get(resource.type)
            if draw is not None:
                draw(self, resource)
        self._draw_network()
        self._draw_alarms()
        self._draw_clients()

    def text(self) -> str:
        lines = ["flowchart LR"]
        if any(source == "clients" for source, _, _ in self._arrows):
            lines.append('  clients(["Clients"])')
        for group, title in _GROUPS.items():
            nodes = [self._node(each) for each in self._drawn if _KINDS[each.type].group == group]
            if nodes:
                lines += [f'  subgraph {group}["{title}"]', *nodes, "  end"]
        if self._alarmed:
            lines.append('  cloudwatch(["CloudWatch"])')
        lines += [_arrow(*ends, labels) for ends, labels in self._arrows.items()]
        folded = Counter(each.type for each in self._assembly.resources if not _is_drawn(each))
        if folded:
            lines.append(
                "  %% folded away: " + ", ".join(f"{count} {kind}" for kind, count in sorted(folded.items()))
            )
        return "\n".join(lines) + "\n"

    def _node(self, resource: Resource) -> str:
        kind = _KINDS[resource.type]
        left, right = kind.shape
        return f'    {self._ids[id(resource)]}{left}"{_text(_label(resource))}<br/>{kind.words}"{right}'

    def connect(self, source: Resource, target: Resource, label: str = "", *, dashed: bool = False) -> None:
        """An arrow between two drawn resources; labels of the same arrow are joined."""
        ends = (self._ids.get(id(source)), self._ids.get(id(target)))
        if ends[0] is None or ends[1] is None or ends[0] == ends[1]:
            return
        self._add(ends[0], ends[1], label, dashed)

    def _add(self, source: str, target: str, label: str, dashed: bool = False) -> None:
        labels = self._arrows.setdefault((source, target, dashed), [])
        if label and label not in labels:
            labels.append(label)

    def mentioned(self, resource: Resource, value: Any) -> list[Resource]:
        """The resources that raw `value` points at, an alias or a version standing for its function."""
        return [self._behind(each) for each in self._links.mentions(resource, value)]

    def _behind(self, resource: Resource) -> Resource:
        if resource.type not in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            return resource
        functions = self._links.mentions(resource, _raw(resource).get("FunctionName"))
        return self._behind(functions[0]) if functions else resource

    def all_of(self, resource_type: str) -> list[Resource]:
        return self._by_type.get(resource_type, [])

    @cached_property
    def _by_type(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for each in self._assembly.resources:
            found.setdefault(each.type, []).append(each)
        return found

    def workers_of(self, role: Resource) -> list[Resource]:
        """The workers whose programs run under a role."""
        return self._by_role.get(role, [])

    @cached_property
    def _by_role(self) -> dict[Resource, list[Resource]]:
        found: dict[Resource, list[Resource]] = {}
        for kind, drawn in _KINDS.items():
            for worker in self.all_of(kind) if drawn.group == "workers" else ():
                for role in dict.fromkeys(self.role_of(worker)):
                    found.setdefault(role, []).append(worker)
        return found

    def role_of(self, worker: Resource) -> list[Resource]:
        """The roles under which a worker's program runs."""
        raw = _raw(worker)
        if worker.type == "AWS::AutoScaling::AutoScalingGroup":
            templates = self.mentioned(worker, raw.get("LaunchTemplate"))
            profiles = [
                (template, _map(_raw(template).get("LaunchTemplateData")).get("IamInstanceProfile"))
                for template in templates
            ]
            held = [
                (each, _raw(each).get("Roles"))
                for at, profile in profiles
                for each in self.mentioned(at, profile)
            ]
        elif worker.type == "AWS::EKS::Nodegroup":
            [cluster] = self.mentioned(worker, raw.get("ClusterName")) or [worker]
            held = [
                (each, _raw(each).get("RoleArn"))
                for each in self.all_of("AWS::EKS::PodIdentityAssociation")
                if cluster in self.mentioned(each, _raw(each).get("ClusterName"))
            ]
        else:
            held = [(worker, raw.get("Role"))]
        return [role for at, value in held for role in self.mentioned(at, value)]

    def _draw_network(self) -> None:
        """What only the network opens, such as a cache, from those whom it lets in."""
        pairs = Reachability(self._assembly).pairs()
        found = {(a, b) for a, b, _ in pairs if isinstance(a, Resource) and b.type in _REACHED_BY_NETWORK}
        for source, target in sorted(found, key=lambda pair: (pair[0].name, pair[1].name)):
            self.connect(source, target, "reads, writes")

    def alarm(self, topic: Resource) -> None:
        """Count one alarm that tells `topic`."""
        if id(topic) in self._ids:
            self._alarmed[self._ids[id(topic)]] += 1

    def _draw_alarms(self) -> None:
        for topic, count in self._alarmed.items():
            self._add("cloudwatch", topic, "1 alarm" if count == 1 else f"{count} alarms")

    def _draw_clients(self) -> None:
        reached = {target for _, target, _ in self._arrows}
        arrows = dict(self._arrows)
        self._arrows.clear()
        for resource in self._drawn:
            name = self._ids[id(resource)]
            if resource.type == "AWS::Cognito::UserPool":
                self._add("clients", name, "sign in")
            elif resource.type in _CALLED_BY_CLIENTS and name not in reached:
                self._add("clients", name, "")
        self._arrows.update(arrows)


def _raw(resource: Resource) -> dict[str, Any]:
    return _map(resource.raw.get("Properties"))


def _map(value: Any) -> dict[str, Any]:
    """`value` where it is an object; nothing where the template leaves it to deployment, or has none."""
    return value if isinstance(value, dict) else {}


def _maps(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; a single one stands for itself."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


def _is_drawn(resource: Resource) -> bool:
    return resource.type in _KINDS and "Custom" not in resource.path


def _label(resource: Resource) -> str:
    parts = resource.name.split("/")
    return "/".join(parts[:-1] if len(parts) > 1 and parts[-1] in _SAYS_THE_TYPE else parts)


def _ids(resources: Iterable[Resource]) -> dict[int, str]:
    """A Mermaid id for each resource, by identity: letters, digits and `_`, none twice."""
    ids: dict[int, str] = {}
    taken: set[str] = set(_GROUPS)
    for resource in resources:
        wanted = re.sub(r"\W+", "_", _label(resource), flags=re.ASCII).strip("_") or "resource"
        if wanted.lower() in _RESERVED or not wanted[0].isalpha():
            wanted = f"n_{wanted}"
        chosen, count = wanted, 1
        while chosen in taken:
            count += 1
            chosen = f"{wanted}_{count}"
        taken.add(chosen)
        ids[id(resource)] = chosen
    return ids


def _text(label: str) -> str:
    return label.replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _arrow(source: str, target: str, dashed: bool, labels: list[str]) -> str:
    line = "-.->" if dashed else "-->"
    words = f'|"{_text(", ".join(labels))}"|' if labels else ""
    return f"  {source} {line}{words} {target}"


def _distribution(drawing: _Drawing, resource: Resource) -> None:
    for origin in _maps(_map(_raw(resource).get("DistributionConfig")).get("Origins")):
        for target in drawing.mentioned(resource, origin.get("DomainName")):
            drawing.connect(resource, target)


def _route(drawing: _Drawing, route: Resource) -> None:
    properties = _raw(route)
    for api in drawing.mentioned(route, properties.get("ApiId")):
        for integration in drawing.mentioned(route, properties.get("Target")):
            called = {
                key: value
                for key, value in _raw(integration).items()
                if key not in ("ApiId", "CredentialsArn")
            }
            for target in drawing.mentioned(integration, called):
                drawing.connect(api, target, str(properties.get("RouteKey", "")))


def _authorizer(drawing: _Drawing, authorizer: Resource) -> None:
    properties = _raw(authorizer)
    for api in drawing.mentioned(authorizer, properties.get("ApiId")):
        who = [properties.get("AuthorizerUri"), _map(properties.get("JwtConfiguration")).get("Issuer")]
        for target in drawing.mentioned(authorizer, who):
            drawing.connect(api, target, "authorizes", dashed=True)


def _event_source(drawing: _Drawing, mapping: Resource) -> None:
    properties = _raw(mapping)
    for source in drawing.mentioned(mapping, properties.get("EventSourceArn")):
        for function in drawing.mentioned(mapping, properties.get("FunctionName")):
            size = properties.get("BatchSize")
            drawing.connect(source, function, f"batches of {size}" if isinstance(size, int) else "")


def _policy(drawing: _Drawing, policy: Resource) -> None:
    properties = _raw(policy)
    for role in drawing.mentioned(policy, properties.get("Roles")):
        _statements(drawing, policy, role, properties.get("PolicyDocument"))


def _role(drawing: _Drawing, role: Resource) -> None:
    for inline in _maps(_raw(role).get("Policies")):
        _statements(drawing, role, role, inline.get("PolicyDocument"))


def _statements(drawing: _Drawing, holder: Resource, role: Resource, document: Any) -> None:
    workers = drawing.workers_of(role)
    for statement in _maps(_map(document).get("Statement")):
        verbs = _verbs(statement) if statement.get("Effect") == "Allow" else []
        for target in drawing.mentioned(holder, statement.get("Resource")) if verbs else []:
            for worker in workers:
                for verb in verbs:
                    drawing.connect(worker, target, verb)


def _verbs(statement: dict[str, Any]) -> list[str]:
    """What the statement lets one do, in the order reads, writes, …"""
    actions = statement.get("Action")
    found: dict[str, None] = {}
    for action in actions if isinstance(actions, list) else [actions]:
        service, _, call = str(action).partition(":")
        for pattern, verb in _VERBS.get(service, []):
            if call == "*" or pattern.match(call):
                found[verb] = None
    return sorted(found, key=["queries", "reads", "writes", "sends", "publishes", "invokes"].index)


def _listener(drawing: _Drawing, listener: Resource) -> None:
    balancers = drawing.mentioned(listener, _raw(listener).get("LoadBalancerArn"))
    _forward(drawing, listener, balancers, _raw(listener).get("DefaultActions"))


def _listener_rule(drawing: _Drawing, rule: Resource) -> None:
    for listener in drawing.mentioned(rule, _raw(rule).get("ListenerArn")):
        balancers = drawing.mentioned(listener, _raw(listener).get("LoadBalancerArn"))
        _forward(drawing, rule, balancers, _raw(rule).get("Actions"))


def _forward(drawing: _Drawing, holder: Resource, balancers: list[Resource], actions: Any) -> None:
    """From a load balancer to the groups that register in the target groups of `actions`."""
    targets = drawing.mentioned(holder, actions)
    for group in drawing.all_of("AWS::AutoScaling::AutoScalingGroup"):
        if any(each in targets for each in drawing.mentioned(group, _raw(group).get("TargetGroupARNs"))):
            for balancer in balancers:
                drawing.connect(balancer, group)


def _proxy_targets(drawing: _Drawing, targets: Resource) -> None:
    properties = _raw(targets)
    for proxy in drawing.mentioned(targets, properties.get("DBProxyName")):
        for database in drawing.mentioned(targets, properties.get("DBInstanceIdentifiers")):
            drawing.connect(proxy, database)


def _queue(drawing: _Drawing, queue: Resource) -> None:
    redrive = _map(_raw(queue).get("RedrivePolicy"))
    for target in drawing.mentioned(queue, redrive.get("deadLetterTargetArn")):
        drawing.connect(queue, target, f"after {redrive.get('maxReceiveCount')} tries", dashed=True)


def _function(drawing: _Drawing, function: Resource) -> None:
    for target in drawing.mentioned(function, _map(_raw(function).get("DeadLetterConfig")).get("TargetArn")):
        drawing.connect(function, target, "on failure", dashed=True)


def _invoke_config(drawing: _Drawing, config: Resource) -> None:
    destinations = _map(_raw(config).get("DestinationConfig"))
    for function in drawing.mentioned(config, _raw(config).get("FunctionName")):
        for name, words in (("OnSuccess", "on success"), ("OnFailure", "on failure")):
            for target in drawing.mentioned(config, destinations.get(name)):
                drawing.connect(function, target, words, dashed=True)


def _subscription(drawing: _Drawing, subscription: Resource) -> None:
    properties = _raw(subscription)
    for topic in drawing.mentioned(subscription, properties.get("TopicArn")):
        for target in drawing.mentioned(subscription, properties.get("Endpoint")):
            drawing.connect(topic, target)


def _rule(drawing: _Drawing, rule: Resource) -> None:
    for bus in drawing.mentioned(rule, _raw(rule).get("EventBusName")):
        drawing.connect(bus, rule)
    for target in _maps(_raw(rule).get("Targets")):
        for found in drawing.mentioned(rule, target.get("Arn")):
            drawing.connect(rule, found)


def _schedule(drawing: _Drawing, schedule: Resource) -> None:
    for target in drawing.mentioned(schedule, _map(_raw(schedule).get("Target")).get("Arn")):
        drawing.connect(schedule, target)


def _alarm(drawing: _Drawing, alarm: Resource) -> None:
    for topic in drawing.mentioned(alarm, _raw(alarm).get("AlarmActions")):
        drawing.alarm(topic)


_DRAW: dict[str, Callable[[_Drawing, Resource], None]] = {
    "AWS::CloudFront::Distribution": _distribution,
    "AWS::ApiGatewayV2::Route": _route,
    "AWS::ApiGatewayV2::Authorizer": _authorizer,
    "AWS::ElasticLoadBalancingV2::Listener": _listener,
    "AWS::ElasticLoadBalancingV2::ListenerRule": _listener_rule,
    "AWS::RDS::DBProxyTargetGroup": _proxy_targets,
    "AWS::Lambda::EventSourceMapping": _event_source,
    "AWS::IAM::Policy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::SQS::Queue": _queue,
    "AWS::Lambda::Function": _function,
    "AWS::Lambda::EventInvokeConfig": _invoke_config,
    "AWS::SNS::Subscription": _subscription,
    "AWS::Events::Rule": _rule,
    "AWS::Scheduler::Schedule": _schedule,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::CompositeAlarm": _alarm,
}
