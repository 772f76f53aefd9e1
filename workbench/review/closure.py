"""The grant closure of a template: whatever is wired to whatever else may also do what the wire needs.

AWS refuses, at deployment or when the first event comes, what the offline AWS lets pass: an event source whose
function may not read it, an API whose function nobody may invoke, a queue that a rule may not send to, a key
that a reader may not use. Each is a statement that must stand in the template; `missing` names those that don't.

Sources: the services' own pages on permissions (Lambda: "Event source mappings", "Resource-based policies",
"Destinations"; DynamoDB: "DynamoDB encryption at rest usage notes"; EventBridge: "Using resource-based
policies"; S3: "Granting permissions to publish event notification messages"; SNS: "Fanout to Amazon SQS
queues"; Step Functions: "Integrating services"; MSK: "IAM access control"; KMS: "Key policies").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from workbench.assembly import Assembly, Resource
from workbench.review.links import Links

QUEUE_READER = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
STREAM_READERS: dict[str, tuple[str, ...]] = {
    "AWS::SQS::Queue": QUEUE_READER,
    "AWS::Kinesis::Stream": ("kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"),
    "AWS::DynamoDB::Table": (
        "dynamodb:GetRecords",
        "dynamodb:GetShardIterator",
        "dynamodb:DescribeStream",
        "dynamodb:ListStreams",
    ),
    "AWS::MSK::Cluster": (
        "kafka:DescribeClusterV2",
        "kafka:GetBootstrapBrokers",
        "kafka-cluster:Connect",
        "kafka-cluster:DescribeClusterDynamicConfiguration",
    ),
}
OF_A_TOPIC = ("kafka-cluster:DescribeTopic", "kafka-cluster:ReadData")
OF_A_GROUP = ("kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup")
INTERFACES = ("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
# A function's alias or version is called in its own name, and has a policy of its own.
CALLED = ("AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version")
DESTINATIONS = {
    "AWS::SQS::Queue": "sqs:SendMessage",
    "AWS::SNS::Topic": "sns:Publish",
    **dict.fromkeys(CALLED, "lambda:InvokeFunction"),
    "AWS::Events::EventBus": "events:PutEvents",
    "AWS::StepFunctions::StateMachine": "states:StartExecution",
    "AWS::Kinesis::Stream": "kinesis:PutRecord",
    "AWS::S3::Bucket": "s3:PutObject",
}
# What a task of a state machine calls, by the resource it names.
TASKS = {
    "dynamodb:putItem": "dynamodb:PutItem",
    "dynamodb:getItem": "dynamodb:GetItem",
    "dynamodb:updateItem": "dynamodb:UpdateItem",
    "dynamodb:deleteItem": "dynamodb:DeleteItem",
    "sqs:sendMessage": "sqs:SendMessage",
    "sns:publish": "sns:Publish",
    "events:putEvents": "events:PutEvents",
    "lambda:invoke": "lambda:InvokeFunction",
    "states:startExecution": "states:StartExecution",
}
# Where a type names the customer's key that encrypts it; `*` is each of a list.
KEYS = {
    "AWS::SQS::Queue": "KmsMasterKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::DynamoDB::Table": "SSESpecification.KMSMasterKeyId",
    "AWS::Kinesis::Stream": "StreamEncryption.KeyId",
    "AWS::S3::Bucket": (
        "BucketEncryption.ServerSideEncryptionConfiguration.*.ServerSideEncryptionByDefault.KMSMasterKeyID"
    ),
    "AWS::SecretsManager::Secret": "KmsKeyId",
}
# What a caller of such a resource needs of its key besides.
READS = ("Get", "Receive", "Query", "Scan", "Batch")
# S3 asks for the key of an object alone, and for decryption too where one is uploaded in parts.
OF_AN_OBJECT = {
    "s3:GetObject": ("kms:Decrypt",),
    "s3:GetObjectVersion": ("kms:Decrypt",),
    "s3:PutObject": ("kms:GenerateDataKey", "kms:Decrypt"),
}
# DynamoDB decrypts a table's key in the caller's name, and does all else in its own.
ABOUT_A_TABLE = ("Describe", "List", "Update", "Create", "Delete", "Tag", "Untag")
ITEMS = ("DeleteItem", "UpdateItem")


@dataclass(frozen=True)
class Missing:
    """What lacks a statement, and which: `resource` is a construct's name."""

    resource: str
    what: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.what}"


@dataclass(frozen=True)
class Statement:
    """One statement that allows: the policy it stands in, the actions, and the resources as the template has them.

    `via` is the service through which alone a key may be used (`kms:ViaService`), as JSON; empty where any may.
    """

    policy: Resource
    actions: tuple[str, ...]
    resources: tuple[Any, ...]
    principals: tuple[str, ...] = ()
    via: str = ""


class Closure:
    """The wires and the statements of one assembly."""

    def __init__(self, assembly: Assembly) -> None:
        self.links = Links(assembly)
        self.resources = list(assembly.resources)
        self._of_roles: dict[int, list[Statement]] = {}
        self._on_resources: dict[int, list[Statement]] = {}
        for resource in self.resources:
            self._read(resource)

    def of(self, kind: str) -> Iterator[Resource]:
        return (each for each in self.resources if each.type == kind)

    def target(self, resource: Resource, value: Any) -> Resource | None:
        return self.links.target(resource, value) if value is not None else None

    def role_of(self, function: Resource) -> Resource | None:
        """The role of a function, or of the one behind an alias or a version."""
        if function.type in CALLED[1:]:
            behind = self.target(function, function.properties.get("FunctionName"))
            return self.role_of(behind) if behind is not None else None
        return self.target(function, function.properties.get("Role"))

    def allowed(
        self, role: Resource | None, action: str, target: Resource | None, part: str = "", through: str = ""
    ) -> Statement | None:
        """The statement that lets `role` do `action` on `target`; its resource names `part` where that is given.

        `through` is the service that does it in the role's name, where one does.
        """
        for statement in self._of_roles.get(id(role), []):
            if through and statement.via and f'"{through}.' not in statement.via:
                continue
            if _covers(statement.actions, action) and self._is_on(statement, target, part):
                return statement
        return None

    def lets(self, target: Resource, principal: str, action: str) -> bool:
        """Whether the policy of `target` itself lets the service `principal` do `action`."""
        return any(
            _covers(statement.actions, action) and {principal, "*"} & set(statement.principals)
            for statement in self._on_resources.get(id(target), [])
        )

    def statements_on(self, target: Resource) -> Iterator[tuple[Resource, Statement]]:
        """(role, statement) for each role of the assembly that may do something on `target`."""
        for role in self.of("AWS::IAM::Role"):
            for statement in self._of_roles.get(id(role), []):
                if "*" not in statement.resources and self._is_on(statement, target, ""):
                    yield role, statement

    def _is_on(self, statement: Statement, target: Resource | None, part: str) -> bool:
        for value in statement.resources:
            if value == "*":
                return True
            text = json.dumps(value)
            points = target is not None and any(
                each is target for each in self.links.mentions(statement.policy, value)
            )
            if points and (not part or part in text or "/*" in text):
                return True
        return False

    def _read(self, resource: Resource) -> None:
        raw = resource.raw.get("Properties") or {}
        match resource.type:
            case "AWS::IAM::Role":
                for inline in _objects(resource, raw.get("Policies")):
                    found = list(_statements(resource, inline.get("PolicyDocument")))
                    self._of_roles.setdefault(id(resource), []).extend(found)
            case "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy":
                found = list(_statements(resource, raw.get("PolicyDocument")))
                for role in _listed(raw.get("Roles")):
                    for held in self.links.mentions(resource, role):
                        self._of_roles.setdefault(id(held), []).extend(found)
            case "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" | "AWS::S3::BucketPolicy":
                found = list(_statements(resource, raw.get("PolicyDocument")))
                held_by = raw.get("Queues") or raw.get("Topics") or [raw.get("Bucket")]
                for held in self.links.mentions(resource, held_by):
                    self._on_resources.setdefault(id(held), []).extend(found)
            case "AWS::KMS::Key":
                found = list(_statements(resource, raw.get("KeyPolicy")))
                self._on_resources.setdefault(id(resource), []).extend(found)
            case "AWS::Lambda::Permission":
                statement = Statement(
                    resource, (str(raw.get("Action")),), ("*",), (str(raw.get("Principal")),)
                )
                bounded = raw.get("SourceArn") or raw.get("SourceAccount")
                for held in self.links.mentions(resource, raw.get("FunctionName")) if bounded else []:
                    self._on_resources.setdefault(id(held), []).append(statement)


def missing(assembly: Assembly) -> list[Missing]:
    """Every statement that a wire of `assembly` needs and the template lacks."""
    closure = Closure(assembly)
    return [found for rule in RULES for found in rule(closure)]


def event_sources(closure: Closure) -> Iterator[Missing]:
    """A function's role may read what feeds it, the mapping waits for that, and failures may be sent on."""
    for mapping in closure.of("AWS::Lambda::EventSourceMapping"):
        properties = mapping.properties
        function = closure.target(mapping, properties.get("FunctionName"))
        source = closure.target(mapping, properties.get("EventSourceArn"))
        if function is None or source is None:
            continue
        role = closure.role_of(function)
        # A table's stream is another resource than the table.
        part = "StreamArn" if source.type == "AWS::DynamoDB::Table" else ""
        needed = [(action, part) for action in STREAM_READERS.get(source.type, ())]
        if source.type == "AWS::MSK::Cluster":
            group = (properties.get("AmazonManagedKafkaEventSourceConfig") or {}).get("ConsumerGroupId", "")
            needed += [
                (action, str(topic)) for topic in properties.get("Topics") or [] for action in OF_A_TOPIC
            ]
            needed += [(action, str(group)) for action in OF_A_GROUP]
        found = {action: closure.allowed(role, action, source, part) for action, part in needed}
        for action, statement in found.items():
            if statement is None:
                yield Missing(mapping.name, f"its function may not {action} on {source.name}")
            elif statement.policy.logical_id not in _listed(mapping.raw.get("DependsOn")) and (
                statement.policy.type != "AWS::IAM::Role"
            ):
                yield Missing(mapping.name, f"it does not wait for the policy that grants {action}")
        yield from _may_send(closure, mapping, role, properties.get("DestinationConfig"))


def destinations(closure: Closure) -> Iterator[Missing]:
    """A function that is invoked without waiting may send what failed, or succeeded, where it should go."""
    for config in closure.of("AWS::Lambda::EventInvokeConfig"):
        function = closure.target(config, config.properties.get("FunctionName"))
        role = closure.role_of(function) if function else None
        yield from _may_send(closure, config, role, config.properties.get("DestinationConfig"))


def _may_send(
    closure: Closure, resource: Resource, role: Resource | None, config: Mapping[str, Any] | None
) -> Iterator[Missing]:
    for outcome, destination in (config or {}).items():
        target = closure.target(resource, destination.get("Destination"))
        action = DESTINATIONS.get(target.type, "") if target else ""
        if action and closure.allowed(role, action, target) is None:
            yield Missing(
                resource.name, f"its function may not {action} on {target and target.name} ({outcome})"
            )


def integrations(closure: Closure) -> Iterator[Missing]:
    """API Gateway may invoke the functions that its APIs lead to, and that decide who comes in."""
    wires = [
        (each, each.properties.get("IntegrationUri")) for each in closure.of("AWS::ApiGatewayV2::Integration")
    ]
    wires += [
        (each, (each.properties.get("Integration") or {}).get("Uri"))
        for each in closure.of("AWS::ApiGateway::Method")
    ]
    for kind in ("AWS::ApiGatewayV2::Authorizer", "AWS::ApiGateway::Authorizer"):
        wires += [(each, each.properties.get("AuthorizerUri")) for each in closure.of(kind)]
    for resource, uri in wires:
        function = closure.target(resource, uri)
        if function is not None and function.type in CALLED:
            yield from _may_invoke(closure, resource, function, "apigateway.amazonaws.com")


def rules(closure: Closure) -> Iterator[Missing]:
    """EventBridge may send an event to each target of a rule, or the target's role may."""
    for rule in closure.of("AWS::Events::Rule"):
        for each in rule.properties.get("Targets") or []:
            yield from _delivered(closure, rule, each, "events.amazonaws.com")
    for schedule in closure.of("AWS::Scheduler::Schedule"):
        yield from _delivered(closure, schedule, schedule.properties.get("Target") or {}, "")


def _delivered(
    closure: Closure, resource: Resource, wire: Mapping[str, Any], service: str
) -> Iterator[Missing]:
    target = closure.target(resource, wire.get("Arn"))
    if target is None:
        return
    action = DESTINATIONS.get(target.type, "")
    role = closure.target(resource, wire.get("RoleArn"))
    if role is not None:
        if action and closure.allowed(role, action, target) is None:
            yield Missing(resource.name, f"its role may not {action} on {target.name}")
    elif target.type in CALLED:
        yield from _may_invoke(closure, resource, target, service)
    elif target.type in ("AWS::SQS::Queue", "AWS::SNS::Topic") and not closure.lets(target, service, action):
        yield Missing(resource.name, f"the policy of {target.name} does not let {service} {action}")
    dead = closure.target(resource, (wire.get("DeadLetterConfig") or {}).get("Arn"))
    if dead is not None and service and not closure.lets(dead, service, "sqs:SendMessage"):
        yield Missing(resource.name, f"the policy of {dead.name} does not let {service} sqs:SendMessage")


def subscriptions(closure: Closure) -> Iterator[Missing]:
    """SNS may deliver to each queue and function that is subscribed."""
    for subscription in closure.of("AWS::SNS::Subscription"):
        target = closure.target(subscription, subscription.properties.get("Endpoint"))
        if target is None:
            continue
        if target.type in CALLED:
            yield from _may_invoke(closure, subscription, target, "sns.amazonaws.com")
        elif target.type == "AWS::SQS::Queue" and not closure.lets(
            target, "sns.amazonaws.com", "sqs:SendMessage"
        ):
            yield Missing(subscription.name, f"the policy of {target.name} does not let SNS sqs:SendMessage")


def notifications(closure: Closure) -> Iterator[Missing]:
    """S3 may tell those whom a bucket notifies."""
    for bucket in closure.of("AWS::S3::Bucket"):
        config = bucket.properties.get("NotificationConfiguration") or {}
        for name, key in (("Lambda", "Function"), ("Queue", "Queue"), ("Topic", "Topic")):
            for each in config.get(f"{name}Configurations") or []:
                target = closure.target(bucket, each.get(key))
                if target is None:
                    continue
                action = DESTINATIONS[target.type]
                if not closure.lets(target, "s3.amazonaws.com", action):
                    yield Missing(bucket.name, f"S3 may not {action} on {target.name}")


def state_machines(closure: Closure) -> Iterator[Missing]:
    """A state machine's role may do what its tasks do."""
    for machine in closure.of("AWS::StepFunctions::StateMachine"):
        role = closure.target(machine, machine.properties.get("RoleArn"))
        raw = machine.raw.get("Properties") or {}
        definition = raw.get("DefinitionString") or raw.get("Definition")
        text = json.dumps(definition)
        actions = {action for name, action in TASKS.items() if f":states:::{name}" in text}
        for target in closure.links.mentions(machine, definition):
            needed = {
                action for action in actions if action.split(":")[0] == target.type.split("::")[1].lower()
            }
            if target.type in CALLED:
                needed = {"lambda:InvokeFunction"}
            for action in sorted(needed):
                if closure.allowed(role, action, target) is None:
                    yield Missing(machine.name, f"its role may not {action} on {target.name}")


def keys(closure: Closure) -> Iterator[Missing]:
    """Whoever may use a resource that is encrypted with a key of the account may use the key as well."""
    for resource in closure.resources:
        for named in _at(resource.properties, KEYS.get(resource.type, "?").split(".")):
            key = closure.target(resource, named)
            if key is not None and key.type == "AWS::KMS::Key":
                yield from _may_use(closure, resource, key)


def _may_use(closure: Closure, resource: Resource, key: Resource) -> Iterator[Missing]:
    for role, statement in closure.statements_on(resource):
        for action in statement.actions:
            for needed in _of_the_key(resource, action):
                service = resource.type.split("::")[1].lower()
                if closure.allowed(role, needed, key, through=service) is None:
                    what = f"it may {action} on {resource.name}, but not {needed} on {key.name}"
                    yield Missing(role.name, what)


def _of_the_key(resource: Resource, action: str) -> tuple[str, ...]:
    """What `action` on a resource asks of the key that encrypts it."""
    if resource.type == "AWS::S3::Bucket":
        asked = {each for name, needed in OF_AN_OBJECT.items() if _covers([action], name) for each in needed}
        return tuple(sorted(asked))
    verb = action.split(":")[-1]
    if resource.type == "AWS::DynamoDB::Table":
        about_it = verb.startswith(ABOUT_A_TABLE) and verb not in ITEMS
        return () if about_it else ("kms:Decrypt",)
    return ("kms:Decrypt",) if verb.startswith(READS) else ("kms:GenerateDataKey",)


def _at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """What stands at `path` in the properties of a resource."""
    if not path:
        yield value
    elif path[0] == "*":
        for each in value if isinstance(value, list) else []:
            yield from _at(each, path[1:])
    elif isinstance(value, dict):
        yield from _at(value.get(path[0]), path[1:])


def networks(closure: Closure) -> Iterator[Missing]:
    """A function that stands in a network may make its interfaces there, and describe and delete them."""
    for function in closure.of("AWS::Lambda::Function"):
        role = closure.role_of(function)
        managed = json.dumps((role.raw.get("Properties") or {}).get("ManagedPolicyArns")) if role else ""
        in_network = (function.properties.get("VpcConfig") or {}).get("SubnetIds")
        if not in_network or "AWSLambdaVPCAccessExecutionRole" in managed:
            continue
        for action in INTERFACES:
            if closure.allowed(role, action, None) is None:
                yield Missing(function.name, f"it stands in a network, and its role may not {action}")


def trust(closure: Closure) -> Iterator[Missing]:
    """The role of a function trusts Lambda."""
    for function in closure.of("AWS::Lambda::Function"):
        role = closure.role_of(function)
        if role is None:
            continue
        document = role.raw.get("Properties", {}).get("AssumeRolePolicyDocument")
        trusted = [name for statement in _statements(role, document) for name in statement.principals]
        if "lambda.amazonaws.com" not in trusted:
            yield Missing(function.name, f"its role {role.name} does not trust lambda.amazonaws.com")


def _may_invoke(closure: Closure, resource: Resource, function: Resource, service: str) -> Iterator[Missing]:
    if not closure.lets(function, service, "lambda:InvokeFunction"):
        yield Missing(resource.name, f"no permission with a source lets {service} invoke {function.name}")


RULES: tuple[Callable[[Closure], Iterator[Missing]], ...] = (
    event_sources,
    destinations,
    integrations,
    rules,
    subscriptions,
    notifications,
    state_machines,
    keys,
    networks,
    trust,
)


def _objects(policy: Resource, value: Any) -> Iterator[dict[str, Any]]:
    """The objects that `value` is or has, as the template writes it; of a choice those that may be taken."""
    for each in _listed(value):
        match each:
            case {"Fn::If": [str(condition), if_true, if_false]}:
                holds = policy.stack.condition(condition)
                yield from _objects(policy, if_true if holds is not False else None)
                yield from _objects(policy, if_false if holds is not True else None)
            case dict():
                yield each


def _statements(policy: Resource, document: Any) -> Iterator[Statement]:
    written = (each.get("Statement") for each in _objects(policy, document))
    for statement in (each for listed in written for each in _objects(policy, listed)):
        if statement.get("Effect") == "Allow":
            principal = statement.get("Principal")
            services = principal.get("Service") if isinstance(principal, dict) else principal
            yield Statement(
                policy,
                tuple(_listed(statement.get("Action"))),
                tuple(_listed(statement.get("Resource"))),
                tuple(str(each) for each in _listed(services)),
                _via(statement.get("Condition")),
            )


def _via(condition: Any) -> str:
    """The services that a statement's condition names for a key, as JSON."""
    for operator, asked in condition.items() if isinstance(condition, dict) else ():
        for name, value in asked.items() if operator in ("StringEquals", "StringLike") else ():
            if name.lower() == "kms:viaservice":
                return json.dumps(value)
    return ""


def _covers(actions: Sequence[str], action: str) -> bool:
    return any(fnmatchcase(action.lower(), each.lower()) for each in actions if isinstance(each, str))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
