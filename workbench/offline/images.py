"""Which local program a container image is: there is no Docker here, so an image is run as a plain process.

A repository of the stack (`AWS::ECR::Repository`) carries the tag `program`, a folder of this project such as
`services/aws_foundations`; every image in that repository is the folder, whatever its tag or digest. The
folder's Dockerfile says how it is started: WORKDIR, ENV, EXPOSE, ENTRYPOINT and CMD of its last stage, the
last two in their JSON form. Nothing is built: `python` is the interpreter of the offline AWS, `node` the
Node.js of the workbench, and both find what is installed for them.

A program runs in its build context, which stands for WORKDIR: what COPY takes from there, it finds where it lies.
The context is the folder itself, or the nearest folder around it that has all that COPY names, up to the project's
root: `docker build -f services/some_system/Dockerfile .` for programs that share packages with the rest of the
project (`python -m services.some_system.worker`).

An EC2 instance says in its user data which image it runs: `containers_of` reads `docker run` there, with the
file of `--env-file` where the user data itself writes it (`cat > FILE <<'EOF'`).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ministack.services import ecr

from workbench.errors import Misuse
from workbench.node import use_supported_node

ROOT = Path(__file__).parents[2]
PROGRAM_TAG = "program"
_IMAGE_URI = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"
    r"/(?P<repository>[a-z0-9._/-]+?)(?::[\w.-]+)?(?:@sha256:[0-9a-f]+)?$"
)
_HEREDOCS = tuple(
    re.compile(rf"^\s*(?:sudo\s+)?{form}[^\n]*\n(?P<content>.*?)^\s*(?P=end)\s*$", re.MULTILINE | re.DOTALL)
    for form in (
        r"cat\s*>\s*(?P<file>\S+)\s*<<-?\s*[\"']?(?P<end>\w+)[\"']?",
        r"cat\s*<<-?\s*[\"']?(?P<end>\w+)[\"']?\s*>\s*(?P<file>\S+)",
        r"tee\s+(?P<file>\S+)\s*<<-?\s*[\"']?(?P<end>\w+)[\"']?",
    )
)
# The options of `docker run` that stand alone; all others take a value.
_SWITCHES = re.compile(
    r"-[ditPq]+|--(detach|interactive|tty|publish-all|quiet|rm|init|privileged|read-only|no-healthcheck)"
)


@dataclass(frozen=True)
class Image:
    """A program in `folder` (its build context): `command` is run there, with `environment`.

    It listens on `port` if it has one.
    """

    folder: Path
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """What is executed, with the interpreters of this machine."""
        program, *rest = self.entrypoint + self.arguments
        return (_on_this_machine(program), *rest)

    def with_command(
        self, entrypoint: Sequence[str] | None = None, arguments: Sequence[str] | None = None
    ) -> Image:
        """The image as `docker run --entrypoint` and a container definition change it.

        A new entry point without arguments takes none: the image's own CMD belonged to the old one.
        """
        if entrypoint:
            return replace(self, entrypoint=tuple(entrypoint), arguments=tuple(arguments or ()))
        return replace(self, arguments=tuple(arguments)) if arguments else self


def program_of(image_uri: str) -> Image:
    """The program that `image_uri` stands for. Raises `Misuse` when no repository of a stack says it."""
    found = _IMAGE_URI.match(image_uri)
    if found is None:
        raise Misuse(
            f"the image {image_uri} is in no ECR repository; offline an image runs only from a repository of"
            f" the stack that is tagged {PROGRAM_TAG}=FOLDER"
        )
    repository = ecr._repositories.get_scoped(found["account"], found["region"], found["repository"])
    if repository is None:
        raise Misuse(f"the image {image_uri} names a repository that no stack has made")
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in repository.get("tags", [])}
    if PROGRAM_TAG not in tags:
        raise Misuse(
            f"the repository {found['repository']} does not say which program it holds;"
            f" tag it {PROGRAM_TAG}=FOLDER"
        )
    return read_image(ROOT / tags[PROGRAM_TAG])  # an absolute folder replaces the root


def read_image(folder: Path) -> Image:
    """The image that the Dockerfile in `folder` describes. Raises `Misuse` when it cannot be run as a process."""
    file = folder / "Dockerfile"
    if not file.is_file():
        raise Misuse(f"{folder} has no Dockerfile, which says how the program is started")
    stages: dict[str, _Stage] = {}
    stage = _Stage()
    for instruction, value in _instructions(file.read_text()):
        if instruction == "FROM":
            stage = _next_stage(value, stages)
        else:
            stage.take(instruction, value, file)
    if not stage.entrypoint + stage.arguments:
        raise Misuse(f"{file} has neither CMD nor ENTRYPOINT")
    context = _context(folder, stage.copied)
    here = _Paths(stage.workdir, context)
    return Image(
        context,
        here.localised(stage.entrypoint),
        here.localised(stage.arguments),
        dict(zip(stage.environment, here.localised(stage.environment.values()), strict=True)),
        stage.port,
    )


@dataclass(frozen=True)
class ContainerRun:
    """One `docker run`: the image, and what is said about it on the command line.

    `log_options` are those of the `awslogs` driver ("awslogs-group"), empty with another driver.
    """

    image_uri: str
    environment: Mapping[str, str]
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    log_options: Mapping[str, str]


def containers_of(user_data: str) -> list[ContainerRun]:
    """What the user data of an instance runs, in order. Variables of the shell are not expanded."""
    files = {found["file"]: found["content"] for form in _HEREDOCS for found in form.finditer(user_data)}
    joined = re.sub(r"\\\s*\n", " ", user_data)
    return [
        _container_run(shlex.split(words, comments=True), files)
        for words in re.findall(r"^[^#\n]*?\bdocker\s+run\s+([^;&|\n]+)", joined, re.MULTILINE)
    ]


def _container_run(words: list[str], files: Mapping[str, str]) -> ContainerRun:
    options: list[tuple[str, str]] = []
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if not equals and not _SWITCHES.fullmatch(option):
            value = rest.pop(0) if rest else ""
        options.append((option, value))
    if not rest:
        raise Misuse(f"the user data runs docker without an image: docker run {shlex.join(words)}")
    environment: dict[str, str] = {}
    for option, value in options:
        if option == "--env-file":
            environment.update(_lines(files.get(value, "")))
        elif option in ("-e", "--env"):
            environment.update(_lines(value))
    single = dict(options)
    entrypoint = (single["--entrypoint"],) if "--entrypoint" in single else ()
    to_aws = single.get("--log-driver") == "awslogs"
    log_options = _lines("\n".join(value for option, value in options if to_aws and option == "--log-opt"))
    return ContainerRun(rest[0], environment, entrypoint, tuple(rest[1:]), log_options)


def _lines(text: str) -> dict[str, str]:
    """The variables of an env file: NAME=value, a line each, without quotes; as Docker reads it."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value for name, _, value in pairs}


@dataclass
class _Stage:
    """What the instructions of one build stage have said so far."""

    workdir: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    port: int | None = None
    copied: tuple[str, ...] = ()  # from the build context

    def take(self, instruction: str, value: str, file: Path) -> None:
        if instruction == "WORKDIR":
            self.workdir = os.path.normpath(os.path.join("/", self.workdir, value))
        elif instruction == "ENV":
            self.environment.update(_assignments(value))
            self.environment.pop("PATH", None)  # programs are found where this machine has them
        elif instruction == "EXPOSE":
            self.port = self.port or int(value.split()[0].partition("/")[0])
        elif instruction in ("COPY", "ADD"):
            self.copied += _sources(value)
        elif instruction == "ENTRYPOINT":
            self.entrypoint, self.arguments = _json_form(instruction, value, file), ()
        elif instruction == "CMD":
            self.arguments = _json_form(instruction, value, file)


@dataclass(frozen=True)
class _Paths:
    """Paths below the image's working directory are paths in the build context."""

    workdir: str
    folder: Path

    def localised(self, words: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._localised(word) for word in words)

    def _localised(self, word: str) -> str:
        if self.workdir not in ("", "/") and (word == self.workdir or word.startswith(self.workdir + "/")):
            return str(self.folder) + word.removeprefix(self.workdir)
        return word


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\s*\n", " ", "\n".join(lines)).splitlines():
        instruction, _, value = line.strip().partition(" ")
        if instruction:
            yield instruction.upper(), value.strip()


def _next_stage(value: str, stages: dict[str, _Stage]) -> _Stage:
    words = [word for word in value.split() if not word.startswith("--")]
    base = stages.get(words[0], _Stage())
    stage = replace(base, environment=dict(base.environment))
    if len(words) == 3 and words[1].upper() == "AS":
        stages[words[2]] = stage
    return stage


def _assignments(value: str) -> dict[str, str]:
    words = shlex.split(value)
    if "=" not in words[0]:  # the older form: ENV NAME some value
        name, _, rest = value.partition(" ")
        return {name: rest.strip()}
    return {name: rest for name, _, rest in (word.partition("=") for word in words)}


def _sources(value: str) -> tuple[str, ...]:
    """What a COPY or an ADD takes from the build context: paths and patterns."""
    words = json.loads(value) if value.startswith("[") else shlex.split(value)
    options = [word for word in words if word.startswith("--")]
    if any(option.startswith("--from") for option in options):
        return ()
    *sources, _ = [word for word in words if word not in options]
    return tuple(each for each in sources if "://" not in each and "$" not in each and "<<" not in each)


def _context(folder: Path, copied: Sequence[str]) -> Path:
    """The folder that an image is built in; its Dockerfile's own where none has all that is `copied`."""
    around = [folder, *(each for each in folder.parents if each.is_relative_to(ROOT))]
    return next((each for each in around if all(_has(each, path) for path in copied)), folder)


def _has(context: Path, path: str) -> bool:
    relative = path.lstrip("/") or "."
    return (context / relative).exists() or next(context.glob(relative), None) is not None


def _json_form(instruction: str, value: str, file: Path) -> tuple[str, ...]:
    try:
        words = json.loads(value)
    except ValueError:
        raise Misuse(
            f'{file}: {instruction} must be in its JSON form, as in ["python", "-m", "app"]'
        ) from None
    return tuple(str(word) for word in words)


def _on_this_machine(program: str) -> str:
    if re.fullmatch(r"python3?(\.\d+)?", program):
        return sys.executable
    return use_supported_node() if program == "node" else program
