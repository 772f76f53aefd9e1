"""How stand-ins are made: through an API of the offline AWS, in its process, or as a name alone.

`made_by` and `recorded` make a whole stand-in; the rest is what its functions have in common: `call` and `answered`
to ask an API, names and tags as CloudFormation gives them, and updates that replace, repeat or refuse.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import provisioners

from workbench.offline import parts
from workbench.offline.clients import client_as
from workbench.offline.stand_ins import Made, Properties, StandIn

Answer = dict[str, Any]
Named = Callable[[str, Properties], str]
Given = Callable[[str, Properties], Properties]
Gone = Callable[[str, Properties], Properties | None]
Create = Callable[[str, Properties, str], Made]
Update = Callable[[str, Properties, Properties, str], Made]
Delete = Callable[[str, Properties], None]


# Asking an API.


def call(service: str, operation: str, parameters: Mapping[str, Any], region: str | None = None) -> Answer:
    """Ask the offline AWS itself, as the account of the stack; `operation` is as in "CreateNatGateway".

    What a template may write otherwise than the API (numbers and booleans as text, names in capitals) is fitted
    to the operation, and what the operation does not know is left out. Raises botocore's `ClientError`.
    """
    keys = {"AWS_ACCESS_KEY_ID": get_account_id(), "AWS_SECRET_ACCESS_KEY": "test"}
    client = client_as(keys, service, region or get_region(), tries=1)
    model = client.meta.service_model.operation_model(operation)
    method = next(name for name, each in client.meta.method_to_api_mapping.items() if each == operation)
    fitted = _fitted(dict(parameters), model.input_shape)
    answer: Answer = getattr(client, method)(**fitted)
    return answer


def _fitted(value: Any, shape: Any) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        known = {name.lower(): name for name in shape.members}
        return {
            known[name.lower()]: _fitted(each, shape.members[known[name.lower()]])
            for name, each in value.items()
            if name.lower() in known and each is not None
        }
    if kind == "list" and isinstance(value, list):
        return [_fitted(each, shape.member) for each in value]
    if kind == "map" and isinstance(value, dict):
        return {name: _fitted(each, shape.value) for name, each in value.items()}
    if kind in ("integer", "long"):
        return int(value)
    if kind == "boolean":
        return str(value).lower() == "true"
    return str(value) if kind == "string" and not isinstance(value, (dict, list)) else value


def at(answer: Mapping[str, Any], path: str) -> Any:
    """What stands at a path of an answer: "NatGateway.NatGatewayId", "FlowLogIds.0"."""
    found: Any = answer
    for step in path.split("."):
        found = found[int(step)] if isinstance(found, list) else found.get(step, "")
    return found


def as_declared(_name: str, properties: Properties) -> Properties:
    """What most operations are given: the properties as the template has them."""
    return properties


def answered(answer: parts.Answer, what: str) -> Answer:
    """What a function of MiniStack's answered to `what`. Raises `ValueError` with its words when it refused."""
    status, _, body = answer
    document: Answer = json.loads(body or b"{}")
    if status >= 400:
        words = document.get("message") or document.get("Message") or body.decode()
        raise ValueError(f"{what}: {words}")
    return document


@contextmanager
def forgiving() -> Iterator[None]:
    """What is gone already needs no deleting: a stack may take the thing that held it away first."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if not any(each in code for each in ("NotFound", "NoSuch", "NotExist", "Nonexistent")):
            raise


# Whole stand-ins.


def made_by(
    kind: str,
    service: str,
    create: str | None = None,
    delete: str | None = None,
    *,
    what: str,
    ref: str,
    physical: str | Named,
    attributes: Mapping[str, str] | None = None,
    given: Given = as_declared,
    gone: Gone | None = None,
    change: Update | None = None,
) -> StandIn:
    """A type that one operation of `service` makes and another takes away, "CreateX" and "DeleteX" for AWS::Y::X.

    `given(name, properties)` is what the first is told, where `name` is one for a thing that needs a name and was
    given none; `gone(physical_id, properties)` what the second is, or None where something else has taken the
    thing's place. `physical` is the path of the physical id in the answer, or makes it; the last part of a path is
    also what the second operation calls it, unless `gone` says otherwise. `change` is the update, where taking away
    and making again will not do. `attributes` is the path of each attribute, or "=" for the physical id.
    """
    paths, own = attributes or {}, kind.rpartition("::")[2]
    making, removing = create or f"Create{own}", delete or f"Delete{own}"
    removed = gone or named(str(physical).rpartition(".")[2])

    def make_it(name: str, properties: Properties) -> Made:
        answer = call(service, making, given(name, properties))
        found = physical(name, properties) if callable(physical) else str(at(answer, physical))
        return found, {key: found if path == "=" else at(answer, path) for key, path in paths.items()}

    def create_it(logical_id: str, properties: Properties, stack: str) -> Made:
        return make_it(physical_name(stack, logical_id), properties)

    def update_it(physical_id: str, old: Properties, new: Properties, _stack: str) -> Made:
        if callable(physical) and physical(physical_id, new) == physical_id:
            delete_it(physical_id, old)
        return make_it(physical_id, new)

    def delete_it(physical_id: str, properties: Properties) -> None:
        with forgiving():
            parameters = removed(physical_id, properties)
            if parameters is not None:
                call(service, removing, parameters)

    answers = {key: f"{path} of {making}" for key, path in paths.items()}
    # What goes by its name is in the way of a new one that has it too. With another name nothing is: then the stack
    # takes the old one away at its end, or goes back to it.
    update = change or (update_it if callable(physical) else None)
    return StandIn(kind, "api", what, ref, create_it, delete_it, answers, update)


def recorded(kind: str, *, what: str, ref: str, physical: Named, **attributes: str) -> StandIn:
    """A type of which there is nothing but its name.

    `physical(name, properties)` is the name; `attributes` say what each answers, with {0} for the name, {account}
    and {region}.
    """

    def create(logical_id: str, properties: Properties, stack: str) -> Made:
        made = physical(physical_name(stack, logical_id), properties)
        place = {"account": get_account_id(), "region": get_region()}
        return made, {name: form.format(made, **place) for name, form in attributes.items()}

    return StandIn(kind, "record", what, ref, create, leave, attributes)


def leave(_physical_id: str, _properties: Properties) -> None:
    """The `delete` of what was never made."""


# Names and tags.


def physical_name(stack: str, logical_id: str, *, most: int = 64) -> str:
    """A name for what was given none, of `most` characters at the most."""
    return str(provisioners._physical_name(stack, logical_id, max_len=most))


def named(parameter: str) -> Given:
    """The usual `gone`: the physical id, as the operation calls it."""
    return lambda physical_id, _properties: {parameter: physical_id}


def own(property_name: str) -> Named:
    """The name that the template gives, or one that is made up."""
    return lambda name, properties: str(properties.get(property_name) or name)


def with_own(property_name: str) -> Given:
    """The properties, with that name in them."""
    return lambda name, properties: {**properties, property_name: own(property_name)(name, properties)}


def joined(*names: str) -> Named:
    """The values of these properties, with | between."""
    return lambda _name, properties: "|".join(str(properties[each]) for each in names)


def tagged(kind: str) -> Given:
    """The properties, with tags as EC2 takes them when it makes something of `kind` ("natgateway")."""

    def given(_name: str, properties: Properties) -> Properties:
        tags = properties.get("Tags")
        specified = {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}
        return {name: value for name, value in properties.items() if name != "Tags"} | specified

    return given


# Updates.


def replacing(
    create: Create, delete: Delete, change: Callable[[str, Properties], Made], *create_only: str
) -> Update:
    """An update that makes anew what differs in a property that can only be set at creation, and changes the rest.

    What is to go goes first: the new one may have its name.
    """

    def update(physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        if any(old.get(name) != new.get(name) for name in create_only):
            delete(physical_id, old)
            return create(physical_id, new, stack)
        return change(physical_id, new)

    return update


def repeating(create: Create, delete: Delete = leave, *, name: str | None = None) -> Update:
    """An update that is to take away, and to make again; what declares no `name` keeps the one that it was given.

    With another name nothing is in the way: then the stack takes the old one away at its end, or goes back to it.
    """

    def update(physical_id: str, old: Properties, new: Properties, stack: str) -> Made:
        if name is None or new.get(name, physical_id) == physical_id:
            delete(physical_id, old)
        return create(physical_id, {name: physical_id, **new} if name else new, stack)

    return update


def refuse_changes(
    what: str,
    old: Properties,
    new: Properties,
    *,
    of: tuple[str, ...] | None = None,
    but: tuple[str, ...] = (),
) -> None:
    """Raise `ValueError` where a property has changed: one of `of` (None: any), and none of `but`."""
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    refused = sorted((changed if of is None else changed & set(of)) - set(but))
    if refused:
        raise ValueError(f"the offline AWS cannot change {', '.join(refused)} of {what}; deploy it anew")
