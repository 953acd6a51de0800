"""Runs `reconciler` in a process of its own and measures what it used.

Where only requests are counted it runs in this process, which saves a start.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.config import load
from reconciler.service import reconcile

HERE = Path(__file__).parent
PER_MINUTE = 10_000_000  # the client's own pacing is not what is measured


@dataclass(frozen=True)
class Run:
    """The result of a process: its last line of output, its seconds, its peak memory in MB."""

    said: Any
    wall: float
    cpu: float
    peak: float

    @property
    def waiting(self) -> float:
        """The time in which it used no CPU."""
        return max(self.wall - self.cpu, 0)


@dataclass(frozen=True)
class Runner:
    """Runs commands against one portal in ``folder``, which has the ledger."""

    url: str
    key: str
    folder: Path
    profiles: Path | None = None

    def reconciler(self, *words: str) -> Run:
        """Run one command of the CLI, under the profiler if profiles are requested."""
        profiler = []
        if self.profiles is not None:
            self.profiles.mkdir(parents=True, exist_ok=True)
            number = len(list(self.profiles.iterdir()))
            name = self.profiles.absolute() / f"{number:02}-{words[0]}.prof"
            profiler = ["-m", "cProfile", "-o", str(name)]
        return self._run([*profiler, "-m", "reconciler", *words])

    def sweep(self) -> None:
        """Reconcile in this process."""
        reconcile(load(None, self._environ), dry_run=False, on_planned=lambda _: None)

    def bare(self) -> Run:
        """Read every page and do nothing with it."""
        return self._run([str(HERE / "bare.py"), self.url, self.key])

    @property
    def _environ(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return inherited | {
            "DOCSPACE_API_HOST": self.url,
            "DOCSPACE_API_KEY": self.key,
            "RECONCILER_STATE__URL": f"sqlite:///{self.folder / 'ledger.db'}",
            "RECONCILER_LIMITS__REQUESTS_PER_MINUTE": str(PER_MINUTE),
        }

    def _run(self, words: list[str]) -> Run:
        command = [sys.executable, str(HERE / "launcher.py"), sys.executable, *words]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        *said, used = done.stdout.splitlines() or ["null"]
        measured = json.loads(used)
        if done.returncode != 0 or not said or measured["code"] != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return Run(json.loads(said[-1]), measured["wall"], measured["cpu"], measured["peak_mb"])
