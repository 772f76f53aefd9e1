"""What the play used of what the roles were granted, from the decisions that the offline AWS wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from workbench.assembly import Stack
from workbench.dryrun.deploy import Deployed
from workbench.dryrun.world import Refusal

# Granted to a role, but called by AWS itself in the role's name, where the emulator asks no policy.
BY_AWS_ITSELF = {
    "logs:CreateLogStream": "Lambda writes the log",
    "logs:PutLogEvents": "Lambda writes the log",
    "xray:PutTraceSegments": "Lambda sends the traces",
    "xray:PutTelemetryRecords": "Lambda sends the traces",
    "xray:GetSamplingRules": "Lambda sends the traces",
    "xray:GetSamplingTargets": "Lambda sends the traces",
    "sqs:ReceiveMessage": "the event source mapping polls",
    "sqs:ChangeMessageVisibility": "the event source mapping polls",
    "sqs:DeleteMessage": "the event source mapping polls",
    "sqs:GetQueueAttributes": "the event source mapping polls",
    "sqs:GetQueueUrl": "the event source mapping polls",
}


@dataclass(frozen=True)
class Decision:
    """A call by a role of the stack, and whether IAM let it through."""

    role: str  # logical id
    action: str
    resource: str
    allowed: bool


@dataclass(frozen=True)
class Grant:
    """One action that a role may do, and on what."""

    role: str  # logical id
    action: str
    resources: tuple[str, ...]


def decisions_of(stack: Stack, deployed: Deployed, recorded: Iterable[dict[str, Any]]) -> list[Decision]:
    """The recorded decisions that concern roles of `stack`."""
    logical = {deployed.physical_ids.get(role, ""): role for role in _roles(stack)}
    found = []
    for entry in recorded:
        principal = entry["principal"]
        if ":assumed-role/" not in principal:
            continue
        role = logical.get(principal.split(":assumed-role/")[1].split("/")[0])
        if role is not None:
            found.append(Decision(role, entry["action"], entry["resource"], entry["allowed"]))
    return found


def unexpected_refusals(decisions: Iterable[Decision], expected: Iterable[Refusal]) -> list[Decision]:
    """Refused calls that the scenario did not announce, each once."""
    announced = {(refusal.action, refusal.resource) for refusal in expected}
    refused = [d for d in decisions if not d.allowed and (d.action, d.resource) not in announced]
    return list(dict.fromkeys(refused))


def grants_of(stack: Stack, deployed: Deployed, iam: Any) -> list[Grant]:
    """Every allowed action of every role of `stack`, with the ARNs as they were deployed."""
    found: list[Grant] = []
    for role in _roles(stack):
        name = deployed.physical_ids.get(role)
        if not name:
            continue
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            if isinstance(document, str):
                document = json.loads(unquote(document))
            for statement in document["Statement"]:
                if statement["Effect"] == "Allow":
                    resources = tuple(_listed(statement.get("Resource", "*")))
                    found.extend(
                        Grant(role, action, resources) for action in _listed(statement.get("Action", []))
                    )
    return found


def unused(grants: Iterable[Grant], decisions: Iterable[Decision]) -> list[Grant]:
    """Grants that no allowed call needed, but for those that AWS itself uses."""
    used = [d for d in decisions if d.allowed]
    return [
        grant
        for grant in grants
        if grant.action not in BY_AWS_ITSELF and not any(_covers(grant, decision) for decision in used)
    ]


def _covers(grant: Grant, decision: Decision) -> bool:
    return (
        grant.role == decision.role
        and fnmatchcase(decision.action.lower(), grant.action.lower())
        and any(fnmatchcase(decision.resource, pattern) for pattern in grant.resources)
    )


def _roles(stack: Stack) -> list[str]:
    return [logical_id for logical_id, each in stack.resources.items() if each.type == "AWS::IAM::Role"]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
