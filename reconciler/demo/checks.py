"""What each scene promises, judged by what the portal recorded. Pure: values in, checks out."""

from collections.abc import Sequence
from dataclasses import dataclass

TARGET = "Need Review"


@dataclass(frozen=True)
class Check:
    """One line about what was measured; ``holds`` None is no promise, but something to compare."""

    text: str
    holds: bool | None


@dataclass(frozen=True)
class Version:
    """A file's current version: its comment, and how often the daemon wrote into it.

    ``is_announced`` tells whether a delivery about a person's update of the file arrived.
    """

    comment: str
    writes: int
    is_announced: bool = True

    @property
    def is_marked_once(self) -> bool:
        """Whether it carries the comment, by exactly one write."""
        return self.comment == TARGET and self.writes == 1


def check_script(writes: int, last: int, seconds: float) -> Check:
    """Report the writes of the tutorial's script; ``last`` are those at the end of the time."""
    end = "and no end" if last else "then it stopped"
    return Check(f"the tutorial's script: {writes} writes in {seconds:.1f} s, {end}", None)


def check_edit(methods: Sequence[str]) -> Check:
    """Judge the requests about a file that was saved once, in their order."""
    done = methods.index("PUT") + 1 if "PUT" in methods else len(methods)
    calls = methods[:done].count("GET"), methods[:done].count("PUT"), len(methods) - done
    return Check("reconciler: {} GET, {} PUT, {} for the echo".format(*calls), calls == (1, 1, 0))


def check_burst(saves: int, seconds: float, versions: Sequence[Version]) -> Check:
    """Judge the final versions of files that were saved many times."""
    once = sum(version.is_marked_once for version in versions)
    text = f"{saves} saves in {seconds:.1f} s, {len(versions)} final versions: {once} marked once"
    return Check(text, once == len(versions))


def check_comment(what: str, comment: str, expected: str) -> Check:
    """Judge the comment of a file to which several things were done."""
    return Check(f'{what}: "{comment}"', comment == expected)


def check_sweep(versions: Sequence[Version]) -> Check:
    """Judge files whose updates were not all announced."""
    missed = [version for version in versions if not version.is_announced]
    found = sum(version.is_marked_once for version in missed)
    text = f"{len(versions)} updates, {len(missed)} never announced: {found} found by the sweep"
    return Check(text, all(version.is_marked_once for version in versions))


def check_kill(code: int, files: Sequence[Version], seconds: float) -> Check:
    """Judge the death of the process, which must come in the middle of its work."""
    marked = sum(version.is_marked_once for version in files)
    text = f"killed with {marked} of {len(files)} files marked, back after {seconds:.1f} s"
    return Check(text, code == -9 and 0 < marked < len(files))


def check_restart(versions: Sequence[Version]) -> Check:
    """Judge files that were updated before and after the kill."""
    lost = sum(version.comment != TARGET for version in versions)
    twice = sum(version.writes > 1 for version in versions)
    text = f"{len(versions)} updates: {lost} lost, {twice} marked twice"
    return Check(text, not lost and not twice)
