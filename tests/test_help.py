"""Help as a manual: every command has working examples, and help appears quickly."""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from reconciler.cli import options
from reconciler.cli.commands import app
from reconciler.config import CONFIG
from reconciler.model import LAST_FILE_ID
from reconciler.sandbox.faults import FaultKind
from tests.program import output

ROOT: Any = typer.main.get_command(app)
HEAVY = ("apscheduler", "jinja2", "pydantic", "requests", "sqlalchemy", "structlog", "waitress")
BIN = Path(sys.executable).parent


def walk(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command and group below one, itself included, with its words."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, *path, name)


TREE = dict(walk(ROOT))
NAMES = [" ".join(("reconciler", *path)) for path in TREE]


def examples(command: Any) -> list[str]:
    """Return the example lines of a command's help."""
    block = re.search(r"^Examples:\n\n((?:    .*\n?)+)", command.help or "", re.MULTILINE)
    return [] if block is None else [line.strip() for line in block[1].splitlines()]


EXAMPLES = [(path, line) for path, command in TREE.items() for line in examples(command)]


@pytest.mark.parametrize("path", TREE, ids=NAMES)
def test_every_command_has_examples(path: tuple[str, ...]) -> None:
    """Every command has a block "Examples:" of 80 columns: a blank line, four spaces each."""
    lines = examples(TREE[path])
    assert lines, "its help has no Examples"
    assert [line for line in lines if len(line) > 76] == []


@pytest.mark.parametrize("path", TREE, ids=NAMES)
def test_every_option_is_explained(path: tuple[str, ...]) -> None:
    """Every option has a sentence of help."""
    for param in TREE[path].params:
        if param.name not in {"install_completion", "show_completion"}:
            assert (param.help or "").endswith("."), param.name


@pytest.mark.parametrize("path", TREE, ids=NAMES)
def test_help_shows_no_type_of_python(path: tuple[str, ...]) -> None:
    """Help shows no Python type; an option's value has a name such as PORT or SECONDS."""
    command = TREE[path]
    context = command.context_class(command)
    for param in command.get_params(context):
        if not getattr(param, "is_flag", False):
            assert param.metavar, f"{param.name} needs a metavar"
        record = param.get_help_record(context)
        assert record is None or "<" not in record[0]


def test_help_lists_the_faults_that_there_are() -> None:
    """Help lists the sandbox's faults, written twice so that it need not load the sandbox."""
    (fail,) = (param for param in TREE[("sandbox",)].params if param.name == "fail")
    named = re.search(r"KIND is one of (.*)\. Repeatable", fail.help)
    assert named is not None
    assert re.split(r", | or ", named[1]) == [str(kind) for kind in FaultKind]


@pytest.mark.parametrize(("path", "line"), EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_the_example_can_be_run(path: tuple[str, ...], line: str) -> None:
    """Each example's command, options and arguments exist."""
    words = shlex.split(line, comments=True)
    while re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    assert words.pop(0) == "reconciler"
    command, found = ROOT, []
    while words and words[0] in getattr(command, "commands", {}):
        found.append(words.pop(0))
        command = command.commands[found[-1]]
    assert not path or tuple(found[: len(path)]) == path, "an example of another command"
    if words != ["--help"]:
        command.make_context("reconciler", words)


def test_help_loads_nothing_that_only_work_needs() -> None:
    """Help loads typer and rich, but no library that only work needs."""
    code = f"import reconciler.cli, sys; print(*(set({HEAVY}) & set(sys.modules)))"
    assert output([sys.executable, "-c", code], check=True).stdout.split() == []


@pytest.mark.parametrize(
    ("modules", "unused"),
    [
        ("reconciler.ledger", "postgres"),
        ("reconciler.cli.overview, reconciler.diagnostics", "requests"),
    ],
)
def test_what_a_command_does_without_is_not_loaded(modules: str, unused: str) -> None:
    """A command loads only its own libraries: SQLite needs no PostgreSQL driver."""
    code = f"import {modules}, sys; print(*(n for n in sys.modules if {unused!r} in n))"
    assert output([sys.executable, "-c", code], check=True).stdout.split() == []


def test_what_help_knows_by_itself_is_what_the_rooms_below_know() -> None:
    """The values that help repeats, to load no other modules, equal those of the modules."""
    assert (options.CONFIG, options.LAST_FILE_ID) == (CONFIG, LAST_FILE_ID)


def completed(shell: str, **environ: str) -> str:
    """Return the completions for a shell's input."""
    whole = {"PATH": os.environ["PATH"], "_RECONCILER_COMPLETE": shell, **environ}
    return output([str(BIN / "reconciler")], env=whole).stdout


@pytest.mark.parametrize(
    ("shell", "environ"),
    [
        ("complete_bash", {"COMP_WORDS": "reconciler recon", "COMP_CWORD": "1"}),
        ("complete_zsh", {"_TYPER_COMPLETE_ARGS": "reconciler recon"}),
        (
            "complete_fish",
            {
                "_TYPER_COMPLETE_ARGS": "reconciler recon",
                "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            },
        ),
    ],
)
def test_a_shell_completes_the_command(shell: str, environ: dict[str, str]) -> None:
    """Commands are completed in bash, zsh and fish, each by its own protocol."""
    answer = completed(shell, **environ)
    assert "reconcile" in answer
    assert "serve" not in answer


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_the_script(shell: str, tmp_path: Path) -> None:
    """The completion script has no errors for the shell itself."""
    script = completed(f"source_{shell}")
    assert "_RECONCILER_COMPLETE=complete_" + shell in script
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not on this machine")
    file = tmp_path / "script"
    file.write_text(script, encoding="utf-8")
    output([program, "-n", str(file)], check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on this machine")
def test_bash_completes_with_the_script() -> None:
    """bash completes with the script when Tab is pressed."""
    lines = (
        "source <(_RECONCILER_COMPLETE=source_bash reconciler)",
        "COMP_WORDS=(reconciler backfill --ob) COMP_CWORD=2",
        "_reconciler_completion reconciler",
        'echo "${COMPREPLY[@]}"',
    )
    environ = {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = output(["bash", "-c", "\n".join(lines)], check=True, env=environ)
    assert done.stdout.split() == ["--observe"]
