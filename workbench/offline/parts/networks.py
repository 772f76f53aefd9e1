"""`Fn::GetAtt` of a VPC's `CidrBlock`, which MiniStack doesn't answer: an endpoint's security group asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import ec2
from ministack.services.cloudformation import provisioners

KIND = "AWS::EC2::VPC"


def extend() -> None:
    handler = provisioners._RESOURCE_HANDLERS[KIND]
    for name in ("create", "update"):
        handler[name] = _with_its_range(handler[name])


def _with_its_range(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(*arguments: Any, **options: Any) -> Any:
        physical_id, attributes = make(*arguments, **options)
        return physical_id, {**attributes, "CidrBlock": ec2._vpcs[physical_id]["CidrBlock"]}

    return made
