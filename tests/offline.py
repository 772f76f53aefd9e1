"""What tests want of a running offline AWS again and again: a stack, somebody who calls, a function, a wait.

`endpoint` is where it answers; the fixtures `emulator`, `control` and `http` are in tests/workbench/conftest.py.
"""

from __future__ import annotations

import io
import json
import socket
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.credentials import Credentials

from tests.templates import ANYBODY, Statement, Template, allow, policy
from workbench.assembly import DEFAULT_REGION, Stack
from workbench.dryrun import deploy
from workbench.dryrun.emulator import LOOPBACK, Endpoint

ACCOUNT = "000000000000"

T = TypeVar("T")


def eventually(
    ask: Callable[[], T | None], what: str, *, holds: Callable[[T], object] = bool, within: float = 20.0
) -> T:
    """What `ask` answers, once that `holds`; if nothing else is said, once it is true.

    Raises `AssertionError` with what was waited for, and the last answer, after `within` seconds.
    """
    until = time.monotonic() + within
    while (answer := ask()) is None or not holds(answer):
        assert time.monotonic() < until, f"waited {within:.0f} s for {what}; at last: {answer!r}"
        time.sleep(0.03)
    return answer


# Stacks.


@contextmanager
def deployed(endpoint: Endpoint, name: str, template: Template) -> Iterator[dict[str, str]]:
    """The outputs of a stack while it stands. Raises `DryRunFailed` as `create_stack` and `delete_stack` do."""
    standing: list[deploy.Deployed] = []
    try:
        yield _create(endpoint, name, template, standing)
    finally:
        for each in standing:
            deploy.destroy(each, endpoint.client)


def create_stack(endpoint: Endpoint, name: str, template: Template) -> dict[str, str]:
    """The outputs of a new stack. Raises `DryRunFailed` with the first resource that failed and its reason."""
    return _create(endpoint, name, template, [])


def delete_stack(endpoint: Endpoint, name: str) -> None:
    """Return once the stack is gone. Raises `DryRunFailed` with the reason when it stays."""
    deploy.destroy(deploy.Deployed(name, DEFAULT_REGION, {}, {}), endpoint.client)


def update_stack(endpoint: Endpoint, name: str, template: Template) -> dict[str, str]:
    """The outputs of the stack once it is as `template` says. Raises `AssertionError` with what failed of it."""
    formation = endpoint.client("cloudformation")
    formation.update_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    status = eventually(
        lambda: str(formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]),
        f"the update of {name}",
        holds=lambda status: not status.endswith("_IN_PROGRESS"),
    )
    events = formation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [each["ResourceStatusReason"] for each in events if each["ResourceStatus"].endswith("_FAILED")]
    assert status == "UPDATE_COMPLETE", failed
    return deploy.describe(formation, name, DEFAULT_REGION).outputs


def _create(
    endpoint: Endpoint, name: str, template: Template, standing: list[deploy.Deployed]
) -> dict[str, str]:
    described = Stack(name, name, DEFAULT_REGION, template, Path(f"{name}.template.json"), ())
    deploy.create(described, template, endpoint.client, standing)
    return standing[-1].outputs


# Who calls.


def create_role(
    endpoint: Endpoint, name: str, *statements: Statement, trusts: Mapping[str, Any] | None = ANYBODY
) -> str:
    """A role that may do what `statements` say, and that `trusts` may assume (None: nobody); its ARN."""
    iam = endpoint.client("iam")
    trust = policy(*([allow("sts:AssumeRole", Principal=trusts)] if trusts else []))
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy(*statements)))
    return str(made["Role"]["Arn"])


def session_keys(endpoint: Endpoint, role: str) -> Credentials:
    """The keys of a session, called `session`, of the role with that ARN."""
    sts = endpoint.client("sts")
    keys = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    return Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def user_keys(endpoint: Endpoint, name: str, *statements: Statement) -> Credentials:
    """The keys of a new user who may do what `statements` say."""
    iam = endpoint.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(policy(*statements)))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def client_with(keys: Credentials, endpoint: Endpoint, service: str) -> Any:
    """A client of `service` that signs with `keys`."""
    make: Any = boto3.client  # of the one default session: a new one would read all that it knows anew
    return make(
        service,
        DEFAULT_REGION,
        endpoint_url=endpoint.url,
        verify=endpoint.ca_bundle,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
    )


# Functions.


def create_function(
    endpoint: Endpoint,
    name: str,
    code: str,
    role: str,
    *,
    region: str = DEFAULT_REGION,
    handler: str = "handler",
    **settings: Any,
) -> str:
    """A function of `code`, under the role with that ARN; its own ARN. `settings` are those of CreateFunction."""
    made = endpoint.client("lambda", region).create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler=f"index.{handler}",
        Role=role,
        Code={"ZipFile": _zipped(code)},
        **settings,
    )
    return str(made["FunctionArn"])


def _zipped(code: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", code)
    return content.getvalue()


# Ports and processes.


def is_open(port: str | int) -> bool:
    """Whether somebody listens on a port of this machine. Raises `OSError` when that cannot be said."""
    try:
        socket.create_connection((LOOPBACK, int(port)), timeout=15).close()
    except ConnectionRefusedError:
        return False
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and nobody has waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def processes_of(group: int) -> list[str]:
    """The command lines of a process group."""
    listed = subprocess.run(
        ["ps", "-o", "args=", "-g", str(group)], capture_output=True, text=True, check=False
    )
    return listed.stdout.splitlines()
