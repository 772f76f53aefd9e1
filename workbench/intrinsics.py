"""CloudFormation's intrinsic functions and conditions, carried out as far as a template tells.

    resolve(stack, {"Fn::Join": ["-", ["a", {"Ref": "Jobs"}]]})    # Text, which reads "a-${Jobs}"

What only deployment knows stays `Unresolved`, with the intrinsic as the template writes it. The arguments are
taken to have the shapes that `workbench.template` has checked.

Source: "Intrinsic function reference", AWS CloudFormation Template Reference Guide
(https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")

# Ids, ARNs and names hold none of these, so a text with references in it can be split at them.
_BETWEEN_NAMES = re.compile(r"[,;|\s]")
# "Get values stored in other services using dynamic references", AWS CloudFormation User Guide.
_DYNAMIC = re.compile(r"(\{\{resolve:.*?\}\})", re.DOTALL)
_OF_SSM = re.compile(r"\{\{resolve:ssm:([^:{}]+)\}\}")
_WHOLE = re.compile(r"[0-9]{1,9}")
_MOST_CIDR_BLOCKS = 256
_ZONES = "abc"


class Scope(Protocol):
    """What an intrinsic asks of the stack that it stands in."""

    @property
    def name(self) -> str: ...

    @property
    def region(self) -> str: ...

    def ref(self, name: str) -> Any:
        """The value of a parameter or a pseudo parameter, or the `Reference` to a resource; or `UNKNOWN`."""

    def get_att(self, logical_id: str, attribute: str) -> Any:
        """The `Reference` to an attribute, or the value of a nested stack's output."""

    def condition(self, name: str) -> bool | None:
        """Whether a condition holds; None where only deployment knows."""

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A table of the section Mappings; empty where there is none of that name."""

    def imported(self, name: str) -> Any:
        """What another stack of the assembly exports under `name`; or `UNKNOWN`."""

    def output_of(self, stack: str, output: str, region: str) -> Any:
        """What another stack of the assembly puts out; or `UNKNOWN`."""

    def ssm_parameter(self, name: str) -> Any:
        """What the assembly writes into an SSM parameter of this region; or `UNKNOWN`."""


@dataclass(frozen=True)
class Reference:
    """`Ref` (attribute None) or `Fn::GetAtt` of a resource.

    `stack` is the stack of that resource where it is not the one in which the value stands.
    """

    logical_id: str
    attribute: str | None = None
    stack: Scope | None = field(default=None, repr=False)

    def __str__(self) -> str:
        of = f"{self.stack.name}/" if self.stack else ""
        return f"${{{of}{self.logical_id}{'.' + self.attribute if self.attribute else ''}}}"


@dataclass(frozen=True)
class Unresolved:
    """A value that only deployment knows; `text` is the intrinsic as JSON, as `stack` (or its own) writes it."""

    text: str
    stack: Scope | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"${{{self.text}}}"


class Text(str):
    """A string with something in it that only deployment knows: it reads as `Fn::Sub` would write it."""

    __slots__ = ("parts",)
    parts: tuple[str | Reference | Unresolved, ...]

    def __new__(cls, parts: Iterable[str | Reference | Unresolved]) -> Text:
        held = tuple(parts)
        made = super().__new__(cls, "".join(map(str, held)))
        made.parts = held
        return made


class Assumed(str):
    """A value that the assembly leaves open and the review assumes: no condition is decided by it."""

    __slots__ = ()


class _Sentinel:
    """A value that is told by its identity."""


NO_VALUE = _Sentinel()
"""`AWS::NoValue`: the property is as if it were not written."""

UNKNOWN = _Sentinel()
"""What an intrinsic is that cannot be carried out here."""


def resolve(scope: Scope, value: Any) -> Any:
    """`value` of a template with its intrinsics carried out."""
    if isinstance(value, list):
        items = [resolve(scope, each) for each in value]
        return [each for each in items if each is not NO_VALUE]
    if not isinstance(value, dict):
        return _looked_up(scope, value) if isinstance(value, str) and "{{resolve:" in value else value
    if len(value) == 1:
        [(name, argument)] = value.items()
        if is_intrinsic(name):
            carry_out = FUNCTIONS.get(name)
            found = UNKNOWN if carry_out is None else carry_out(scope, argument)
            return Unresolved(json.dumps(value, sort_keys=True)) if found is UNKNOWN else found
    resolved = {key: resolve(scope, item) for key, item in value.items()}
    return {key: item for key, item in resolved.items() if item is not NO_VALUE}


def is_intrinsic(name: str) -> bool:
    """Whether an object with the one key `name` is a call and no plain object."""
    return name == "Ref" or name.startswith("Fn::")


def is_known(value: Any) -> bool:
    """Whether nothing in a resolved value is left to deployment, or assumed."""
    if isinstance(value, list):
        return all(map(is_known, value))
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    return not isinstance(value, (Reference, Unresolved, Text, Assumed))


def carry(value: Any, source: Scope, into: Scope) -> Any:
    """A value of the stack `source` as it stands in the stack `into`."""
    if isinstance(value, (Reference, Unresolved)):
        stack = value.stack or source
        return replace(value, stack=None if stack is into else stack)
    if isinstance(value, Text):
        return Text(carry(part, source, into) for part in value.parts)
    if isinstance(value, list):
        return [carry(each, source, into) for each in value]
    if isinstance(value, dict):
        return {key: carry(each, source, into) for key, each in value.items()}
    return value


def split_list(value: Any) -> Any:
    """The value of a parameter of a list's type: its members, without the spaces around them; or `UNKNOWN`."""
    if isinstance(value, (int, float)):
        return [value]
    if not isinstance(value, str):
        return UNKNOWN
    members = _cut(value, ",") if value else []
    if members is UNKNOWN:
        return UNKNOWN
    return [type(each)(each.strip()) if type(each) in (str, Assumed) else each for each in members]


def holds(scope: Scope, rule: Any) -> bool | None:
    """Whether a rule of the section Conditions holds; None where only deployment knows."""
    [(operator, argument)] = rule.items()
    if operator == "Condition":
        return scope.condition(argument)
    if operator == "Fn::Equals":
        left, right = (resolve(scope, side) for side in argument)
        return _plain(left) == _plain(right) if is_known(left) and is_known(right) else None
    if operator not in ("Fn::And", "Fn::Not", "Fn::Or"):
        return None
    parts = [holds(scope, each) for each in argument]
    if operator == "Fn::Not":
        return None if parts[0] is None else not parts[0]
    decisive = operator == "Fn::Or"  # one that holds decides an Or, one that doesn't an And
    return decisive if decisive in parts else None if None in parts else not decisive


def _plain(value: Any) -> Any:
    """As CloudFormation compares it: numbers and booleans are strings."""
    return _word(value) if isinstance(value, (bool, int, float)) else value


def _word(value: bool | int | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(parts: Iterable[Any]) -> Any:
    """The parts in one string, `Text` where some are left to deployment; `UNKNOWN` where one is no string."""
    flat: list[str | Reference | Unresolved] = []
    for part in parts:
        if isinstance(part, Text):
            flat += part.parts
        elif isinstance(part, (str, Reference, Unresolved)):
            flat.append(part)
        elif isinstance(part, (bool, int, float)):
            flat.append(_word(part))
        else:
            return UNKNOWN
    if not all(isinstance(part, str) for part in flat):
        return Text(flat)
    joined = "".join(map(str, flat))
    if "{{resolve:" in joined:
        return _dynamic(joined)
    return Assumed(joined) if any(isinstance(part, Assumed) for part in flat) else joined


def _looked_up(scope: Scope, text: str) -> Any:
    """A string with dynamic references in it, or what the assembly itself writes to where the only one points."""
    only = _OF_SSM.fullmatch(text)
    found = scope.ssm_parameter(only[1]) if only else UNKNOWN
    return _dynamic(text) if found is UNKNOWN else found


def _dynamic(text: str) -> str | Unresolved:
    """A string with dynamic references in it, which only deployment looks up."""
    parts = [
        Unresolved(json.dumps(part)) if index % 2 else part
        for index, part in enumerate(_DYNAMIC.split(text))
        if part
    ]
    return parts[0] if len(parts) == 1 else Text(parts)


def is_whole(value: Any) -> bool:
    """Whether `value` is a whole number from 0 on, or the digits of one."""
    return not isinstance(value, bool) and _WHOLE.fullmatch(str(value)) is not None


def _ref(scope: Scope, name: str) -> Any:
    return scope.ref(name)


def _get_att(scope: Scope, argument: Any) -> Any:
    logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
    named = resolve(scope, attribute)
    return scope.get_att(logical_id, named) if isinstance(named, str) else UNKNOWN


def _join(scope: Scope, argument: Any) -> Any:
    separator, listed = argument
    parts = resolve(scope, listed)
    if not isinstance(parts, list):
        return UNKNOWN
    joined = [each for part in parts for each in (separator, part)]
    return _text(joined[1:])


def _sub(scope: Scope, argument: Any) -> Any:
    template, names = (argument, {}) if isinstance(argument, str) else argument
    pieces: list[Any] = []
    end = 0
    for found in PLACEHOLDER.finditer(template):
        pieces += [template[end : found.start()], _substitute(scope, found[1], names)]
        end = found.end()
    return _text([each for each in (*pieces, template[end:]) if each != ""])


def _substitute(scope: Scope, name: str, names: Mapping[str, Any]) -> Any:
    if name.startswith("!"):
        return f"${{{name[1:]}}}"
    if name in names:
        value = resolve(scope, names[name])
    elif "." in name:
        value = scope.get_att(*name.split(".", 1))
    else:
        value = scope.ref(name)
    if value is UNKNOWN:
        return Unresolved(json.dumps({"Ref": name}))
    return "" if value is NO_VALUE else value


def _select(scope: Scope, argument: Any) -> Any:
    index, parts = (resolve(scope, each) for each in argument)
    if not isinstance(parts, list) or not is_whole(index) or int(index) >= len(parts):
        return UNKNOWN
    return parts[int(index)]


def _split(scope: Scope, argument: Any) -> Any:
    separator, source = argument
    text = resolve(scope, source)
    return _cut(text, separator) if isinstance(text, str) and separator else UNKNOWN


def _cut(text: str, separator: str) -> Any:
    """The pieces between the separators; `UNKNOWN` where a separator may be in what only deployment knows."""
    if isinstance(text, Assumed):
        return [Assumed(each) for each in text.split(separator)]
    if not isinstance(text, Text):
        return text.split(separator)
    if not _BETWEEN_NAMES.search(separator) or any(isinstance(part, Unresolved) for part in text.parts):
        return UNKNOWN
    pieces: list[list[Any]] = [[]]
    for part in text.parts:
        first, *rest = part.split(separator) if isinstance(part, str) else [part]
        pieces[-1].append(first)
        pieces += [[each] for each in rest]
    return [_piece([each for each in piece if each != ""]) for piece in pieces]


def _piece(parts: list[Any]) -> Any:
    held = [each for each in parts if not isinstance(each, str) or each.strip()]
    return held[0] if len(held) == 1 else _text(parts)


def _if(scope: Scope, argument: Any) -> Any:
    name, if_true, if_false = argument
    chosen = scope.condition(name)
    return UNKNOWN if chosen is None else resolve(scope, if_true if chosen else if_false)


def _find_in_map(scope: Scope, argument: Any) -> Any:
    table, first, second = (resolve(scope, each) for each in argument[:3])
    if not (is_known(table) and is_known(first) and is_known(second)):
        return UNKNOWN
    row = scope.mapping(str(table)).get(str(first))
    if isinstance(row, dict) and str(second) in row:
        return row[str(second)]
    return resolve(scope, argument[3]["DefaultValue"]) if len(argument) > 3 else UNKNOWN


def _get_azs(scope: Scope, argument: Any) -> Any:
    region = resolve(scope, argument) or scope.region
    return [f"{region}{zone}" for zone in _ZONES] if is_known(region) else UNKNOWN


def _base64(scope: Scope, argument: Any) -> Any:
    """The text itself: nobody here reads what it is encoded as."""
    return resolve(scope, argument)


def _cidr(scope: Scope, argument: Any) -> Any:
    import ipaddress

    block, count, bits = (resolve(scope, each) for each in [*argument, 8][:3])
    if not (is_known(block) and is_whole(count) and is_whole(bits) and int(count) <= _MOST_CIDR_BLOCKS):
        return UNKNOWN
    try:
        whole = ipaddress.ip_network(str(block))
        parts = whole.subnets(new_prefix=whole.max_prefixlen - int(bits))
        found = [str(part) for part, _ in zip(parts, range(int(count)), strict=False)]
    except ValueError:
        return UNKNOWN
    return found if len(found) == int(count) else UNKNOWN


def _length(scope: Scope, argument: Any) -> Any:
    members = resolve(scope, argument)
    return len(members) if isinstance(members, list) else UNKNOWN


def _to_json_string(scope: Scope, argument: Any) -> Any:
    return _text(_json(resolve(scope, argument)))


def _json(value: Any) -> Iterator[str | Reference | Unresolved]:
    """The pieces of `value` as compact JSON."""
    if isinstance(value, dict):
        for index, (key, item) in enumerate(value.items()):
            yield f"{',' if index else '{'}{json.dumps(key)}:"
            yield from _json(item)
        yield "}" if value else "{}"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield "," if index else "["
            yield from _json(item)
        yield "]" if value else "[]"
    elif isinstance(value, (Reference, Unresolved, Text)):
        yield '"'
        for part in value.parts if isinstance(value, Text) else [value]:
            yield json.dumps(part)[1:-1] if isinstance(part, str) else part
        yield '"'
    else:
        yield json.dumps(value)


def _import_value(scope: Scope, argument: Any) -> Any:
    name = resolve(scope, argument)
    return scope.imported(name) if isinstance(name, str) and is_known(name) else UNKNOWN


def _get_stack_output(scope: Scope, argument: Any) -> Any:
    asked = resolve(scope, argument)
    stack, output = asked.get("StackName"), asked.get("OutputName")
    region = asked.get("Region", scope.region)
    named = all(isinstance(each, str) and is_known(each) for each in (stack, output, region))
    return scope.output_of(stack, output, region) if named else UNKNOWN


FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Ref": _ref,
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _get_azs,
    "Fn::GetAtt": _get_att,
    "Fn::GetStackOutput": _get_stack_output,
    "Fn::If": _if,
    "Fn::ImportValue": _import_value,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json_string,
}
