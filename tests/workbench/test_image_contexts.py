"""Where a program of an image runs: in its build context, which its Dockerfile's COPY tells."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workbench.offline import images
from workbench.offline.images import read_image

pytestmark = pytest.mark.fast

WORKER = 'ENTRYPOINT ["python", "-m"]\nCMD ["services.chat.worker"]\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a service, and packages that it shares with others."""
    for name in ("services/chat", "lambdas/shared"):
        (tmp_path / "project" / name).mkdir(parents=True)
    (tmp_path / "project" / "requirements.txt").touch()
    monkeypatch.setattr(images, "ROOT", tmp_path / "project")
    return tmp_path / "project"


def _context(project: Path, *lines: str) -> Path:
    file = project / "services" / "chat" / "Dockerfile"
    file.write_text("FROM python:3.13\nWORKDIR /app\n" + "".join(f"{line}\n" for line in lines) + WORKER)
    return read_image(file.parent).folder


@pytest.mark.parametrize(
    "copied",
    [
        ["COPY services/chat services/chat"],
        ["COPY --chown=1000 requirements.txt ./", "COPY lambdas lambdas", "COPY services services"],
        ['COPY ["lambdas/shared", "lambdas/shared"]'],
        ["ADD --checksum=sha256:0 https://example.com/a.pem /etc/a.pem", "COPY lambd* ./"],
    ],
)
def test_what_is_copied_from_the_project_is_run_in_the_project(project: Path, copied: list[str]) -> None:
    assert _context(project, *copied) == project


@pytest.mark.parametrize(
    "copied",
    [
        ["COPY . ."],
        [],
        ["COPY --from=build /app/services /app/services"],
        ["COPY Dockerfile ./"],
        ["COPY nothing/like/this ./"],  # the Dockerfile's own folder, where none has it
    ],
)
def test_any_other_program_is_run_in_its_own_folder(project: Path, copied: list[str]) -> None:
    assert _context(project, *copied) == project / "services" / "chat"


def test_nothing_beyond_the_project_is_a_context(project: Path) -> None:
    (project.parent / "outside").mkdir()
    assert _context(project, "COPY outside outside") == project / "services" / "chat"


def test_paths_below_the_working_directory_are_paths_in_the_context(project: Path) -> None:
    _context(project, "COPY lambdas lambdas", "ENV SHARED=/app/lambdas/shared PYTHONPATH=/app")
    image = read_image(project / "services" / "chat")
    assert image.environment == {"SHARED": f"{project}/lambdas/shared", "PYTHONPATH": str(project)}
    assert image.command == (sys.executable, "-m", "services.chat.worker")
    assert image.with_command(None, ["services.chat.gateway"]).command[1:] == ("-m", "services.chat.gateway")
