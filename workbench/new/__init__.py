"""A new system, whole from its first minute: every room, with a small system in it that keeps the contract.

The templates are the files under `templates/`, by room; `$name` and the other fields of `Plan` are put in. They
end in `.txt` so that no tool takes them for modules of this project. Their lines with `$name` in them are as
short as the longest name asks, and imports that the name moves are sorted again: what is written is what ruff
would write.
"""

from __future__ import annotations

import keyword
import re
import shutil
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from string import Template

from workbench.catalogue import ROOT
from workbench.errors import Misuse

TEMPLATES = Path(__file__).resolve().parent / "templates"
ROOMS = ("stacks", "lambdas", "services", "tests")
RESERVED = ("shared",)
LONGEST_NAME = 40
LONGEST_TEXT = 400
LONGEST_TITLE = 50

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LINE = 110  # pyproject's line-length
_PART = _LINE - len('        ""')


@dataclass(frozen=True)
class Plan:
    """A system to be written. What is not given is made from the name; checked as it is made.

    Raises `Misuse` for a name that is no lower_snake_case identifier, or a text that no line of source can hold.
    """

    name: str
    title: str = ""
    group: str = "Systems of our own"
    seed: str = "no seed"
    passage: str = ""
    promise: str = "An increment is counted once, however often the request is sent."

    def __post_init__(self) -> None:
        _check_name(self.name)
        words = self.name.replace("_", " ").capitalize()
        # As dataclasses do it: the plan is frozen from here on.
        object.__setattr__(self, "title", self.title or words)
        object.__setattr__(self, "passage", self.passage or self.title)
        for option, text in self._texts().items():
            _check_text(option, text)

    def _texts(self) -> dict[str, str]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "name"}

    @property
    def class_name(self) -> str:
        """The class of the stack: `DemoCounter`; `TableSystem` where the stack uses a `Table` already."""
        camel = "".join(word.capitalize() for word in self.name.split("_"))
        taken = set(re.findall(r"\w+", (TEMPLATES / "stacks" / "stack.py.txt").read_text()))
        return f"{camel}System" if camel in taken else camel

    def files(self) -> dict[str, str]:
        """Every file of the system: path below the project, and text."""
        tokens = {
            "name": self.name,
            "class_name": self.class_name,
            "title": self.title,
            "promise": self.promise,
            **{f"{name}_literal": _literal(name, text) for name, text in self._texts().items()},
        }
        written = {}
        for template in sorted(TEMPLATES.rglob("*.txt")):
            room, file = template.relative_to(TEMPLATES).parts
            text = Template(template.read_text(encoding="utf-8")).substitute(tokens)
            written[f"{room}/{self.name}/{file.removesuffix('.txt')}"] = _sorted_imports(text)
        return written


def create(plan: Plan, root: Path = ROOT) -> list[str]:
    """Write every file of `plan` below `root`, and return their paths; all of them, or none.

    Raises `Misuse` when a room of this name is there already, and `OSError` when the folder can't be written.
    """
    for room in ROOMS:
        for there in (root / room / plan.name, root / room / f"{plan.name}.py"):
            if there.exists():
                raise Misuse(f"{there.relative_to(root)} is there already; choose another name")
    files = plan.files()
    made: list[Path] = []
    try:
        for folder in dict.fromkeys((root / path).parent for path in files):
            folder.mkdir()  # never into a room that another one has made meanwhile
            made.append(folder)
        _write(files, root)
    except BaseException:  # Ctrl-C too
        for folder in made:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return list(files)


def _write(files: Mapping[str, str], root: Path) -> None:
    for path, text in files.items():
        (root / path).write_text(text, encoding="utf-8")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise Misuse(
            f"a name is words of a-z and 0-9 joined by _, at most {LONGEST_NAME} characters, "
            f"like demo_counter; got {name!r}"
        )
    if keyword.iskeyword(name) or name in RESERVED:
        raise Misuse(f"{name} cannot be imported as a system of its own; choose another name")


def _check_text(option: str, text: str) -> None:
    longest = LONGEST_TITLE if option == "title" else LONGEST_TEXT
    is_plain = text.isprintable() and not set(text) & set('"\\')
    if not (is_plain and text == text.strip() and 0 < len(text) <= longest):
        raise Misuse(
            f"--{option} takes one line of at most {longest} characters, without double quotes or backslashes"
        )


def _literal(argument: str, text: str) -> str:
    """`text` as the value of a keyword argument, in parts where it is too long for a line."""
    if len(f'    {argument}="{text}",') <= _LINE:
        return f'"{text}"'
    parts = textwrap.wrap(text, _PART, drop_whitespace=False, break_on_hyphens=False)
    lines = "\n".join(f'        "{part}"' for part in parts)
    return f"(\n{lines}\n    )"


def _sorted_imports(text: str) -> str:
    """`text` with the imports from `lambdas`, which stand together, in the order of their modules' names."""
    return re.sub(
        r"(^from lambdas\..*\n)+",
        lambda found: "".join(sorted(found[0].splitlines(keepends=True), key=_import_order)),
        text,
        flags=re.MULTILINE,
    )


def _import_order(line: str) -> str:
    return line.split()[1]
