"""`Ref` of a secret is its ARN, as on AWS; MiniStack answers its name, and grants on the `Ref` would miss it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

KIND = "AWS::SecretsManager::Secret"


def extend() -> None:
    handler = provisioners._RESOURCE_HANDLERS[KIND]
    create, update, delete = handler["create"], handler["update"], handler["delete"]

    def created(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        return _by_arn(create(logical_id, properties, stack))

    def updated(physical_id: str, *rest: Any) -> Any:
        return _by_arn(update(_name(physical_id), *rest))

    def deleted(physical_id: str, properties: dict[str, Any]) -> None:
        delete(_name(physical_id), properties)

    replaced: dict[str, Callable[..., Any]] = {"create": created, "update": updated, "delete": deleted}
    handler.update(replaced)


def _by_arn(made: tuple[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    _, attributes = made
    return str(attributes["Arn"]), attributes


def _name(arn: str) -> str:
    name, _ = secretsmanager._resolve(arn)
    return str(name)
