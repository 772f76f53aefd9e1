"""Publishes assets, creates and deletes stacks: what `cdk deploy` and `cdk destroy` do, with boto3 alone.

Every wait is bounded and says what it waited for.
"""

from __future__ import annotations

import io
import json
import os
import time
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.assembly import Asset, Stack
from workbench.dryrun.localise import BOOTSTRAP_PARAMETER, BOOTSTRAP_VERSION, LAYER_NAME
from workbench.errors import DryRunFailed

ClientOf = Callable[[str, str], Any]  # service, region → client
STACK_WITHIN = 120.0
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same files give the same archive


@dataclass(frozen=True)
class Deployed:
    """A stack as it stands: its outputs, and logical id → physical id."""

    name: str
    region: str
    outputs: dict[str, str]
    physical_ids: dict[str, str]


def prepare(assets: Iterable[Asset], client: ClientOf, region: str, undo: ExitStack) -> None:
    """Put there what a deployment needs in a region: bootstrap's version, the stand-in layer, and the assets.

    Closing `undo` takes away again what was put there, and leaves alone what was there before: the endpoint
    may be somebody else's. The layer stays; it is empty, and its version must be the same the next time.
    """
    _state_bootstrap(client("ssm", region), undo)
    _provide_layer(client("lambda", region))
    _upload(assets, client("s3", region), region, undo)


def _state_bootstrap(ssm: Any, undo: ExitStack) -> None:
    try:
        ssm.put_parameter(Name=BOOTSTRAP_PARAMETER, Value=BOOTSTRAP_VERSION, Type="String")
    except ssm.exceptions.ParameterAlreadyExists:
        return
    undo.callback(ssm.delete_parameter, Name=BOOTSTRAP_PARAMETER)


def _provide_layer(functions: Any) -> None:
    if not functions.list_layer_versions(LayerName=LAYER_NAME)["LayerVersions"]:
        functions.publish_layer_version(LayerName=LAYER_NAME, Content={"ZipFile": _zip_of([])})


def _upload(assets: Iterable[Asset], s3: Any, region: str, undo: ExitStack) -> None:
    there = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    for asset in assets:
        if asset.bucket not in there:
            where = {"LocationConstraint": region}
            options = {} if region == "us-east-1" else {"CreateBucketConfiguration": where}
            s3.create_bucket(Bucket=asset.bucket, **options)
            undo.callback(s3.delete_bucket, Bucket=asset.bucket)
            there.add(asset.bucket)
        body = _zip_folder(asset.path) if asset.is_folder else asset.path.read_bytes()
        s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=body)
        undo.callback(s3.delete_object, Bucket=asset.bucket, Key=asset.key)


def create(stack: Stack, template: dict[str, Any], client: ClientOf, standing: list[Deployed]) -> None:
    """Create `stack` from the localised `template`, wait for it, and add it to `standing`.

    It is in `standing` from the moment that something of it may exist, so that it can be destroyed again.
    Raises `DryRunFailed` with the first resource that failed and its reason.
    """
    cloudformation = client("cloudformation", stack.region)
    with _template_url(stack, template, client("s3", stack.region)) as url:
        standing.append(Deployed(stack.name, stack.region, {}, {}))
        _create(cloudformation, stack, url)
    standing[-1] = describe(cloudformation, stack.name, stack.region)


def _create(cloudformation: Any, stack: Stack, url: str) -> None:
    cloudformation.create_stack(
        StackName=stack.name,
        TemplateURL=url,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    status = _settled(cloudformation, stack.name)
    if status != "CREATE_COMPLETE":
        raise DryRunFailed(
            f"stack {stack.name} ended as {status}: {_first_failure(cloudformation, stack.name)}"
        )


@contextmanager
def _template_url(stack: Stack, template: dict[str, Any], s3: Any) -> Iterator[str]:
    """Where the template lies while the stack is created: as a parameter it may have 51,200 bytes only."""
    bucket, key = f"template-{uuid.uuid4().hex}", f"{stack.name}.json"
    where = {"CreateBucketConfiguration": {"LocationConstraint": stack.region}}
    s3.create_bucket(Bucket=bucket, **({} if stack.region == "us-east-1" else where))
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(template, separators=(",", ":")).encode())
        yield f"https://s3.{stack.region}.amazonaws.com/{bucket}/{key}"
    finally:
        s3.delete_object(Bucket=bucket, Key=key)
        s3.delete_bucket(Bucket=bucket)


def describe(cloudformation: Any, name: str, region: str) -> Deployed:
    """The deployed stack `name`. Raises `DryRunFailed` when there is none."""
    from botocore.exceptions import ClientError

    try:
        [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except (ClientError, ValueError) as problem:
        if "does not exist" not in str(problem):
            raise DryRunFailed(f"stack {name!r} in {region} cannot be described: {problem}") from None
        raise DryRunFailed(
            f"no stack {name!r} is deployed in {region}; deploy it with `cdk deploy`"
        ) from None
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=name)
    resources = [resource for page in pages for resource in page["StackResourceSummaries"]]
    return Deployed(
        name=name,
        region=region,
        outputs={output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])},
        physical_ids={each["LogicalResourceId"]: each.get("PhysicalResourceId", "") for each in resources},
    )


def destroy(deployed: Deployed, client: ClientOf) -> None:
    """Delete the stack and wait until it is gone. Raises `DryRunFailed` when it stays."""
    cloudformation = client("cloudformation", deployed.region)
    cloudformation.delete_stack(StackName=deployed.name)
    status = _settled(cloudformation, deployed.name)
    if status not in ("DELETE_COMPLETE", "GONE"):
        raise DryRunFailed(
            f"stack {deployed.name} could not be deleted ({status}): {_first_failure(cloudformation, deployed.name)}"
        )


def _settled(cloudformation: Any, name: str) -> str:
    """The status of the stack once nothing is in progress."""
    from botocore.exceptions import ClientError

    until = time.monotonic() + STACK_WITHIN
    while time.monotonic() < until:
        try:
            [stack] = cloudformation.describe_stacks(StackName=name)["Stacks"]
        except (ClientError, ValueError):
            return "GONE"
        status = str(stack["StackStatus"])
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.05)
    raise DryRunFailed(
        f"stack {name} was still {status} after {STACK_WITHIN:.0f} s, at: {_in_progress(cloudformation, name)}"
    )


def _events(cloudformation: Any, name: str) -> list[dict[str, Any]]:
    return list(cloudformation.describe_stack_events(StackName=name)["StackEvents"])


def _first_failure(cloudformation: Any, name: str) -> str:
    failures = [
        event for event in _events(cloudformation, name) if event["ResourceStatus"].endswith("_FAILED")
    ]
    if not failures:
        return "no resource says why"
    first = min(failures, key=lambda event: str(event["Timestamp"]))
    return f"{first['LogicalResourceId']} ({first['ResourceType']}): {first.get('ResourceStatusReason', 'no reason')}"


def _in_progress(cloudformation: Any, name: str) -> str:
    latest: dict[str, str] = {}
    for event in _events(cloudformation, name):  # newest first
        latest.setdefault(event["LogicalResourceId"], event["ResourceStatus"])
    return (
        ", ".join(sorted(each for each, status in latest.items() if status.endswith("_IN_PROGRESS")))
        or "nothing"
    )


def _zip_folder(folder: Path) -> bytes:
    files = sorted(
        Path(parent) / name
        for parent, folders, names in os.walk(folder)
        if folders.sort() is None
        for name in names
    )
    return _zip_of([(str(file.relative_to(folder)), file.read_bytes()) for file in files])


def _zip_of(entries: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo(name, _FIXED_TIME)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
        if not entries:
            archive.writestr(zipfile.ZipInfo("python/", _FIXED_TIME), b"")
    return buffer.getvalue()
