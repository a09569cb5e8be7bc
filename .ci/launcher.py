"""Make `.venv`, install this checkout into it and run something there; for any Python from 3.6."""

import hashlib
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
MINIMUM = (3, 12)
ON_PATH = [["python3.12"], ["python3.13"], ["python3.14"], ["py", "-3"], ["python3"], ["python"]]

PROBE = "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.executable)"


class Failure(Exception):
    """What the user is told, with the exit status that goes with it."""

    def __init__(self, message: "str", status: "int") -> None:
        super().__init__(message)
        self.status = status


def start(extra: "str", command: "list[str]", directory: "str | None" = None) -> "int":
    """Run `python COMMAND` in an environment with the project and its `extra` ("" for none)."""
    try:
        if not usable(probe([venv_python()])):
            make_environment()
        if not installed(extra):
            install(extra)
    except Failure as failure:
        print(failure, file=sys.stderr)
        return failure.status
    say(
        "running python "
        + " ".join(os.path.relpath(c, ROOT) if os.path.isabs(c) else c for c in command)
    )
    return hand_over([venv_python(), *command], directory)


def make_environment() -> None:
    """Create `.venv` with a Python that is new enough, in place of one that cannot be used."""
    python, version = find_python(sys.version_info[:3])
    say("making .venv with Python " + version)
    try:
        quietly([python, "-m", "venv", "--clear", VENV], "making .venv")
    except Failure:
        shutil.rmtree(VENV, ignore_errors=True)  # half an environment would look like a whole one
        raise


def install(extra: "str") -> None:
    """Install the checkout, editable, and stamp it."""
    name = f"rewrite[{extra}]" if extra else "rewrite"
    say(f"installing {name} into .venv (the first time takes a few minutes)")
    target = f"{ROOT}[{extra}]" if extra else ROOT
    pip = [venv_python(), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    quietly([*pip, "--quiet", "-e", target], "installing " + name)
    for each in {extra, ""}:  # with an extra, the base is there too
        with open(stamp_file(each), "w", encoding="utf-8") as file:
            file.write(fingerprint())


def installed(extra: "str") -> "bool":
    """Whether the last installation was of this pyproject.toml, in this place."""
    try:
        with open(stamp_file(extra), encoding="utf-8") as file:
            return file.read() == fingerprint()
    except FileNotFoundError:
        return False


def stamp_file(extra: "str") -> "str":
    """Return where `install` notes what it installed."""
    return os.path.join(VENV, "installed-" + (extra or "base"))


def fingerprint() -> "str":
    """Digest what an installation depends on: pyproject.toml, and the place (it is editable)."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        return hashlib.sha256(os.fsencode(ROOT) + b"\n" + file.read()).hexdigest()


def find_python(running: "tuple[int, ...]") -> "tuple[str, str]":
    """Return the path and the version of a Python that is new enough: this one, or one on PATH."""
    version = ".".join(map(str, running))
    if usable((sys.executable, version)):
        return sys.executable, version
    wanted = ".".join(map(str, MINIMUM))
    for command in ON_PATH:
        found = probe(command)
        if found and usable(found):
            say(f"this is Python {version}, older than {wanted}: using {found[0]} ({found[1]})")
            return found
    raise Failure(
        f"rewrite needs Python {wanted} or newer; this is Python {version} ({sys.executable}), and "
        "no python3.12, python3.13 or python3.14 on PATH runs.\n"
        "Install one (https://www.python.org/downloads/) and put it on PATH, or start this command "
        f"with it: /path/to/python{wanted} {sys.argv[0]}",
        status=2,
    )


def probe(command: "list[str]") -> "tuple[str, str] | None":
    """Run a Python for its path and version; `None` if it does not run (pyenv's shims may not)."""
    program = shutil.which(command[0])
    if program is None:
        return None
    run = subprocess.Popen(
        [program, *command[1:], "-c", PROBE],
        cwd=ROOT,  # where .python-version is
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    lines = run.communicate()[0].splitlines()
    return (lines[1], lines[0]) if run.returncode == 0 and len(lines) == 2 else None


def usable(found: "tuple[str, str] | None") -> "bool":
    """Whether this (path, version) is of a Python that is new enough."""
    return found is not None and tuple(map(int, found[1].split(".")))[:2] >= MINIMUM


def venv_python() -> "str":
    """Return the interpreter inside `.venv`."""
    windows = os.name == "nt"
    return os.path.join(VENV, *(("Scripts", "python.exe") if windows else ("bin", "python")))


def quietly(command: "list[str]", what: "str") -> None:
    """Run a command; show its output only if it fails."""
    run = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    output = run.communicate()[0]
    if run.returncode:
        message = f"{output}\nrewrite: {what} failed (exit status {run.returncode})"
        raise Failure(message, status=1)


def hand_over(command: "list[str]", directory: "str | None") -> "int":
    """Become that command, so that signals and the exit status are its own."""
    if directory is not None:
        os.chdir(directory)
    if os.name == "nt":  # exec returns to the prompt at once there
        return subprocess.call(command)
    os.execv(command[0], command)


def say(line: "str") -> None:
    """Say what is done, beside the output of what is run."""
    print("rewrite: " + line, file=sys.stderr, flush=True)
