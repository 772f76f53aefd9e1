"""The public parameters of Systems Manager that templates look up, so that an assembly deploys as it is.

Machine images ("Calling AMI public parameters in Parameter Store" in the Systems Manager User Guide,
"Retrieve recommended Amazon Linux AMI IDs" in that of EKS, "Retrieving Amazon ECS-optimized Linux AMI metadata"
in the ECS Developer Guide) are made-up ids, one for each parameter and region, and DescribeImages knows them:
nothing is booted from an image here. Powertools' layer is the empty one of the dry run, published when it is
first asked for: the library itself is in the environment that the functions run in.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from ministack.core.responses import get_region
from ministack.services import ec2, lambda_svc, ssm

from workbench.dryrun.localise import LAYER_NAME

IMAGES = (
    "/aws/service/ami-amazon-linux-latest/",
    "/aws/service/eks/optimized-ami/",
    "/aws/service/ecs/optimized-ami/",
)
LAYERS = "/aws/service/powertools/"
_RELEASE = "20251101"  # of every image: a date, as the real ones have


def extend() -> None:
    """Answer the public parameters that MiniStack does not know."""
    ssm._public_parameter = _answering(ssm._public_parameter)


def _answering(known: Callable[[str], Any]) -> Callable[[str], Any]:
    def public_parameter(name: str) -> Any:
        found = known(name)
        value = None if found else _value(name)
        if value is None:
            return found
        return {
            "Name": name,
            "Type": "String",
            "Value": value,
            "Version": 1,
            "LastModifiedDate": 1762000000,
            "ARN": f"arn:aws:ssm:{get_region()}::parameter{name}",
        }

    return public_parameter


def _value(name: str) -> str | None:
    if name.startswith(LAYERS):
        return _layer()
    if not name.startswith(IMAGES):
        return None
    family, _, field = name.rpartition("/")
    if field == "image_id":
        return _image(family)
    if field == "recommended":
        return json.dumps({"image_id": _image(name), "image_name": _image_name(name)})
    if field in ("image_name", "release_version"):
        return _image_name(family) if field == "image_name" else _RELEASE
    return _image(name)


def _image(family: str) -> str:
    """The image of a family of parameters in this region; DescribeImages knows it from now on."""
    digest = hashlib.sha256(f"{get_region()}{family}".encode()).hexdigest()
    image = f"ami-{digest[:17]}"
    name = _image_name(family)
    stub = (image, name, f"stands in for {family}", "", "/dev/xvda", "000000000000", "amazon")
    if stub not in ec2._STUB_AMIS:
        ec2._STUB_AMIS.append(stub)
    return image


def _image_name(family: str) -> str:
    return f"{family.removeprefix('/aws/service/').replace('/', '-')}-{_RELEASE}"


def _layer() -> str:
    if not lambda_svc._layers.get(LAYER_NAME, {}).get("versions"):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(zipfile.ZipInfo("python/"), b"")
        content = base64.b64encode(archive.getvalue()).decode()
        lambda_svc._publish_layer_version(LAYER_NAME, {"Content": {"ZipFile": content}})
    return str(lambda_svc._layers[LAYER_NAME]["versions"][-1]["LayerVersionArn"])
