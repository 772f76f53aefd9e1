"""What the play used of what the roles were granted, from the decisions that the offline AWS wrote down."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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
    "sqs:ChangeMessageVisibility": "the event source mapping polls",
    "sqs:GetQueueUrl": "the event source mapping polls",
    "logs:DescribeLogStreams": "VPC delivers flow logs",
    "ecr:GetAuthorizationToken": "the machine's Docker signs in to the registry; no image is pulled here",
    "ecr:BatchCheckLayerAvailability": "the machine's Docker pulls the image",
    "ecr:BatchGetImage": "the machine's Docker pulls the image",
    "ecr:GetDownloadUrlForLayer": "the machine's Docker pulls the image",
    "ssm:UpdateInstanceInformation": "Session Manager's agent on the machine",
    "ssmmessages:CreateControlChannel": "Session Manager's agent on the machine",
    "ssmmessages:CreateDataChannel": "Session Manager's agent on the machine",
    "ssmmessages:OpenControlChannel": "Session Manager's agent on the machine",
    "ssmmessages:OpenDataChannel": "Session Manager's agent on the machine",
    "ec2:AssignPrivateIpAddresses": "Lambda reaches into the network",
    "ec2:UnassignPrivateIpAddresses": "Lambda reaches into the network",
    "ec2:CreateNetworkInterface": "Lambda reaches into the network",
    "ec2:DeleteNetworkInterface": "Lambda reaches into the network",
    "ec2:DescribeNetworkInterfaces": "Lambda reaches into the network",
    "ec2:DescribeSecurityGroups": "Lambda reaches into the network",
    "ec2:DescribeSubnets": "Lambda reaches into the network",
    "ec2:DescribeVpcs": "Lambda reaches into the network",
}

PASSING = "iam:PassRole"
NAMES_A_SERVICE = ("kms:viaservice", "iam:passedtoservice")  # keys of conditions, in lower case

# Grants that no play needs offline, or that may be taken away without it turning red, and are needed all the same:
# ("blueprint/role" as a pattern, action as a pattern) → why. `blueprint iam` names an entry that explains nothing.
EXPLAINED: dict[tuple[str, str], str] = {
    # That it may do no more than the API, whose grants are all proven, tests/messaging_platform/test_sweep_grants.py
    # holds.
    ("messaging_platform/Directory/DirectorySweep/Role", "dynamodb:*"): (
        "it does what the API would have done, had that not ended in the middle; what is left over differs each time"
    ),
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
    """One action that a role may do, and on what.

    `via` is the service that a condition names: the one that must use a key in the role's name, or that a role may be
    passed to; empty where there is none.
    """

    role: str  # logical id
    action: str
    resources: tuple[str, ...]
    via: str = ""


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


def unexpected_refusals(
    decisions: Iterable[Decision],
    expected: Iterable[Refusal],
    going: Iterable[Decision] = (),
    held: Sequence[Grant] = (),
) -> list[Decision]:
    """Refused calls that the scenario did not announce, each once.

    Of the calls made as the stack was `going`, those that one of the grants `held` until then allows are no news: a
    function in the middle of a batch loses its grant with the stack, on AWS too.
    """
    announced = {(refusal.action, refusal.resource) for refusal in expected}
    refused = [each for each in decisions if not each.allowed]
    refused += [each for each in going if not each.allowed and not any(covers(grant, each) for grant in held)]
    return list(dict.fromkeys(each for each in refused if (each.action, each.resource) not in announced))


def policies_of(stack: Stack, deployed: Deployed, iam: Any) -> dict[tuple[str, str], str]:
    """(role's logical id, policy's name) → the policy as JSON, with the ARNs as they were deployed."""
    found = {}
    for role in _roles(stack):
        name = deployed.physical_ids.get(role)
        if not name:
            continue
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            found[role, policy] = unquote(document) if isinstance(document, str) else json.dumps(document)
    return found


def grants_of(policies: Mapping[tuple[str, str], str]) -> list[Grant]:
    """Every allowed action of every role, from `policies_of`."""
    return [
        Grant(role, action, tuple(_listed(statement.get("Resource", "*"))), _via(statement))
        for (role, _), document in policies.items()
        for statement in json.loads(document)["Statement"]
        if statement["Effect"] == "Allow"
        for action in _listed(statement.get("Action", []))
    ]


def unused(grants: Iterable[Grant], decisions: Iterable[Decision]) -> list[Grant]:
    """Grants that no allowed call needed, but for those that AWS itself uses."""
    decisions = list(decisions)
    used = [d for d in decisions if d.allowed]
    return [
        grant
        for grant in grants
        if not by_aws_itself(grant, decisions) and not any(covers(grant, decision) for decision in used)
    ]


def by_aws_itself(grant: Grant, decisions: Iterable[Decision]) -> str:
    """Why a grant is needed though no call of the role shows it; empty where nothing says that it is.

    Of a key that a service may use in the role's name (`kms:ViaService`), and of a role that may be passed to a
    service (`iam:PassedToService`), the offline AWS does not ask: the grant counts as used where the role was let do
    something with that service, and only there. That whoever uses what is encrypted may use its key as well, the
    template shows (`review/closure.py`).
    """
    if not grant.via:
        return BY_AWS_ITSELF.get(grant.action, "")
    if not any(
        each.allowed and each.role == grant.role and each.action.split(":")[0] == grant.via
        for each in decisions
    ):
        return ""
    if grant.action == PASSING:
        return f"the role is passed to {grant.via}; this AWS does not ask whether it may be"
    return f"{grant.via} asks for the key in the role's name; this AWS does not"


def covers(grant: Grant, decision: Decision) -> bool:
    """Whether it is `grant` that the call of `decision` needs."""
    return (
        grant.role == decision.role
        and fnmatchcase(decision.action.lower(), grant.action.lower())
        and any(fnmatchcase(decision.resource, pattern) for pattern in grant.resources)
    )


def _via(statement: Mapping[str, Any]) -> str:
    """The service that a statement's condition names: `dynamodb` of `dynamodb.us-east-1.amazonaws.com`."""
    for operator, asked in (statement.get("Condition") or {}).items():
        for key, values in asked.items():
            if key.lower() in NAMES_A_SERVICE and operator in ("StringEquals", "StringLike"):
                return _listed(values)[0].split(".")[0]
    return ""


def _roles(stack: Stack) -> list[str]:
    return [logical_id for logical_id, each in stack.resources.items() if each.type == "AWS::IAM::Role"]


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def explanation(blueprint: str, role: str, action: str) -> tuple[str, str] | None:
    """The key of the entry in `EXPLAINED` that is about this grant of the role, by its construct's name."""
    for entry in EXPLAINED:
        if fnmatchcase(f"{blueprint}/{role}", entry[0]) and fnmatchcase(action, entry[1]):
            return entry
    return None
