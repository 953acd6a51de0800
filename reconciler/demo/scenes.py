"""The five scenes: users act, the daemon works, and checks evaluate what the portal recorded."""

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from reconciler.demo.stage import (
    TARGET,
    DaemonEndedError,
    DaemonProcess,
    Stage,
    Version,
    daemon,
    staged,
    wait_until,
)
from reconciler.demo.tutorial import tutorial_script
from reconciler.sandbox import Network

_SCRIPT, _END = 1.5, 0.5  # seconds that the tutorial's script runs; the writes of the end count
_SAVES, _PAUSE = 5, 0.15
_LOSS = Network(drop=0.4, seed=3)
_KILLED_AT = 5  # writes


@dataclass(frozen=True)
class Scene:
    """A scene before it is played: what happens, and the expected result."""

    title: str
    happens: str
    expected: str


@dataclass(frozen=True)
class SceneCheck:
    """One measurement; ``holds`` is None where it is only for comparison."""

    text: str
    holds: bool | None


def play() -> Generator[Scene | SceneCheck]:
    """Play all scenes: each is yielded as it begins, then its checks as they are made."""
    try:
        with staged() as (stage, key), daemon(stage.url, key) as running:
            for scene in (_one_edit, _burst, _approval, _loss, _crash):
                yield from scene(stage, running)
    except (DaemonEndedError, OSError) as error:
        yield SceneCheck(f"it cannot be played: {error}", holds=False)


def _one_edit(stage: Stage, running: DaemonProcess) -> Iterator[Scene | SceneCheck]:
    yield Scene(
        "One edit",
        "Ann saves a file once. Setting a comment is announced as an update, too.",
        "1 GET, 1 PUT, and nothing for the echo of that PUT",
    )
    running.start()
    yield _run_script()
    (file,) = stage.add_files(1, "Contract.docx")
    stage.add_webhook(running.address())
    stage.wait_for_sweep()  # one that comes between save and delivery would look as well
    stage.save(file)
    stage.wait_until_marked(file)
    yield check_edit(stage.methods(file))


def _run_script() -> SceneCheck:
    """Let the tutorial's script answer one edit on a portal of its own."""
    with staged() as (stage, key), tutorial_script(stage.url, key) as url:
        stage.add_webhook(url)
        began = time.monotonic()
        stage.save(*stage.add_files(1, "Contract.docx"))
        time.sleep(_SCRIPT)
        before = stage.portal.count("PUT")
        time.sleep(_END)
        writes, seconds = stage.portal.count("PUT"), time.monotonic() - began
        stage.portal.down = True
        return check_script(writes, writes - before, seconds)


def _burst(stage: Stage, _: DaemonProcess) -> Iterator[Scene | SceneCheck]:
    yield Scene(
        "A burst",
        f"Ann saves 10 files {_SAVES} times each within a second.",
        "each final version is marked, by one write",
    )
    files, began = stage.add_files(10, "Draft {}.docx"), time.monotonic()
    for turn in range(_SAVES):
        time.sleep(_PAUSE if turn else 0)
        stage.save(*files)
    seconds = time.monotonic() - began
    stage.wait_until_marked(*files)
    yield check_burst(_SAVES * len(files), seconds, stage.versions(*files))


def _approval(stage: Stage, _: DaemonProcess) -> Iterator[Scene | SceneCheck]:
    yield Scene(
        "A person's comment",
        "Ann approves two files, Greta renames one. Unlocking a file replaces its\n"
        "   comment by a text of the portal's, in English for Ann, German for Greta.",
        "an approved file is not marked; a wiped mark is set again",
    )
    files = renamed, approved, english, german = stage.add_files(4, "Offer {}.docx")
    stage.save(*files)
    stage.wait_until_marked(*files, second_look=False)
    _approve(stage, renamed, approved)
    stage.portal.rename(renamed, "Signed.docx", by=stage.greta)
    wiped = {file: _unlock(stage, file, german) for file in (approved, english, german)}
    stage.wait_until_marked(english, german)
    yield check_comment("approved, renamed", stage.comment(renamed), "Approved")
    yield check_comment("approved, wiped by unlocking", stage.comment(approved), wiped[approved])
    for file in (english, german):
        what = f'marked, wiped by "{wiped[file]}"'
        yield check_comment(what, stage.comment(file), TARGET)


def _approve(stage: Stage, *files: int) -> None:
    """Let Ann approve the files, and wait until the daemon has looked at all of them again."""
    before = {file: stage.methods(file).count("GET") for file in files}
    for file in files:
        stage.portal.comment(file, "Approved", by=stage.ann)
    wait_until(lambda: all(stage.methods(file).count("GET") > before[file] for file in files))


def _unlock(stage: Stage, file: int, german: int) -> str:
    """Lock and unlock a file, the German one in German; return what the portal wrote."""
    person = stage.greta if file == german else stage.ann
    stage.portal.lock(file, by=person)
    stage.portal.unlock(file, by=person)
    return stage.comment(file)


def _loss(stage: Stage, _: DaemonProcess) -> Iterator[Scene | SceneCheck]:
    yield Scene(
        "Lost deliveries",
        "40 % of the deliveries get lost; uploads over files are never announced.",
        "the sweep finds them all",
    )
    saved, uploaded = stage.add_files(10, "Report {}.docx"), stage.add_files(3, "Figures {}.xlsx")
    stage.portal.network = _LOSS
    stage.save(*saved)
    for file in uploaded:
        stage.portal.upload(stage.room, stage.portal.file(file).title, by=stage.ann)
    stage.wait_until_marked(*saved, *uploaded, second_look=False)
    stage.portal.network = Network()
    yield check_sweep(stage.versions(*saved, *uploaded))


def _crash(stage: Stage, running: DaemonProcess) -> Iterator[Scene | SceneCheck]:
    yield Scene(
        "A crash",
        "The daemon is killed (SIGKILL) in the middle of its work, and restarted.",
        "nothing is lost, nothing is marked twice",
    )
    early, late = stage.add_files(12, "Minutes {}.docx"), stage.add_files(3, "Agenda {}.docx")
    dead = _kill_at_write(stage, running)
    stage.save(*early)
    wait_until(dead.is_set)
    code, began, killed = running.kill(), time.monotonic(), stage.versions(*early)
    stage.portal.on_answer = None
    stage.save(*late)
    running.start()
    running.address()
    yield check_kill(code, killed, time.monotonic() - began)
    stage.wait_until_marked(*early, *late)
    yield check_restart(stage.versions(*early, *late))


def _kill_at_write(stage: Stage, running: DaemonProcess) -> threading.Event:
    """Kill the daemon between the effect of a write and its answer; return what is set then."""
    until, dead = stage.portal.count("PUT") + _KILLED_AT, threading.Event()

    def on_answer(method: str, *_: object) -> None:
        if method == "PUT" and stage.portal.count("PUT") >= until:
            running.kill()
            dead.set()

    stage.portal.on_answer = on_answer
    return dead


def check_script(writes: int, last: int, seconds: float) -> SceneCheck:
    """Report the writes of the tutorial's script; ``last`` are those at the end of the time."""
    end = "and no end" if last else "then it stopped"
    return SceneCheck(f"the tutorial's script: {writes} writes in {seconds:.1f} s, {end}", None)


def check_edit(methods: Sequence[str]) -> SceneCheck:
    """Check the requests about a file that was saved once, in their order."""
    done = methods.index("PUT") + 1 if "PUT" in methods else len(methods)
    calls = methods[:done].count("GET"), methods[:done].count("PUT"), len(methods) - done
    return SceneCheck(
        "reconciler: {} GET, {} PUT, {} for the echo".format(*calls), calls == (1, 1, 0)
    )


def check_burst(saves: int, seconds: float, versions: Sequence[Version]) -> SceneCheck:
    """Check the final versions of files that were saved many times."""
    once = sum(version.is_marked_once for version in versions)
    text = f"{saves} saves in {seconds:.1f} s, {len(versions)} final versions: {once} marked once"
    return SceneCheck(text, once == len(versions))


def check_comment(what: str, comment: str, expected: str) -> SceneCheck:
    """Check the comment of a file to which several things were done."""
    return SceneCheck(f'{what}: "{comment}"', comment == expected)


def check_sweep(versions: Sequence[Version]) -> SceneCheck:
    """Check files whose updates were not all announced."""
    missed = [version for version in versions if not version.is_announced]
    found = sum(version.is_marked_once for version in missed)
    text = f"{len(versions)} updates, {len(missed)} never announced: {found} found by the sweep"
    return SceneCheck(text, all(version.is_marked_once for version in versions))


def check_kill(code: int, files: Sequence[Version], seconds: float) -> SceneCheck:
    """Check the death of the process, which must come in the middle of its work."""
    marked = sum(version.is_marked_once for version in files)
    text = f"killed with {marked} of {len(files)} files marked, back after {seconds:.1f} s"
    return SceneCheck(text, code == -9 and 0 < marked < len(files))


def check_restart(versions: Sequence[Version]) -> SceneCheck:
    """Check files that were updated before and after the kill."""
    lost = sum(version.comment != TARGET for version in versions)
    twice = sum(version.writes > 1 for version in versions)
    text = f"{len(versions)} updates: {lost} lost, {twice} marked twice"
    return SceneCheck(text, not lost and not twice)
