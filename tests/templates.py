"""What a template is made of, in fewer words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Template = dict[str, Any]
Statement = Mapping[str, Any]

ANYBODY = {"AWS": "*"}
LAMBDA = {"Service": "lambda.amazonaws.com"}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """A resource of the type `AWS::<kind>`."""
    return {"Type": f"AWS::{kind}", "Properties": properties}


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def get_att(name: str, attribute: str) -> dict[str, list[str]]:
    return {"Fn::GetAtt": [name, attribute]}


def template(resources: Mapping[str, Any], outputs: Mapping[str, Any]) -> Template:
    """A template whose outputs have these values."""
    return {
        "Resources": dict(resources),
        "Outputs": {name: {"Value": each} for name, each in outputs.items()},
    }


def allow(action: str | list[str], **rest: Any) -> dict[str, Any]:
    """A statement; `rest` is its resource, its principal, its condition."""
    return {"Effect": "Allow", "Action": action, **rest}


def policy(*statements: Statement) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
