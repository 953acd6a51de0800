"""How the demonstration looks: who did what, what was found, what was decided, and a verdict."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.demo import Decided, Did, Verdict

_STYLE = {"marked": "bold yellow", "kept": "green", "waiting": "magenta", "failed": "bold red"}


class Demonstration:
    """Prints the demonstration line by line, with colours on a terminal."""

    def __init__(self) -> None:
        """Say what is about to happen."""
        self._console = Console(highlight=False, soft_wrap=True)
        self._console.print(
            "A DocSpace portal in memory, the real daemon, real HTTP between them.\n"
            'Promise: an updated file carries "Need Review", once; a person\'s word stands.\n'
        )

    def tell(self, line: Did | Decided) -> None:
        """Print one line."""
        if isinstance(line, Did):
            step = line.step
            self._console.print(Text(f"{step.who:>4} {step.what} {step.file}", style="bold"))
            return
        text = Text(f"       {line.file:16} found {line.found!r:14} ")
        text.append(f"{line.outcome:8}", style=_STYLE.get(line.outcome, ""))
        text.append(f" {line.why} ")
        text.append(f"(API calls so far: {line.calls})", style="dim")
        self._console.print(text)

    def verdict(self, verdict: Verdict) -> None:
        """Print what stands on each file now, what it cost, and whether it is as promised."""
        self._console.print(_comments(verdict.comments))
        self._console.print(_sides(verdict))
        self._console.print(
            f"{verdict.acts} user actions cost {verdict.gets} reads and {verdict.puts} writes, "
            f"sweeps included.\n"
            f"The tutorial's script made {verdict.tutorial} writes for ONE edit within "
            f"{verdict.tutorial_seconds:.1f} s and had not stopped: each write is an update.\n"
        )
        for line in verdict.wrong:
            self._console.print(Text(f"WRONG: {line}", style="bold red"))
        if not verdict.wrong:
            self._console.print(Text("Every file is as promised.", style="bold green"))


def _comments(comments: dict[str, str]) -> Table:
    table = Table("file", "comment", title="In the end", title_justify="left")
    for name, comment in comments.items():
        table.add_row(name, comment)
    return table


def _sides(verdict: Verdict) -> Table:
    storm = verdict.storm
    table = Table(
        "updates",
        "received by webhook",
        "missed by webhook",
        "repaired by the sweep",
        title="With 40 % of the deliveries lost, and uploads that are never announced",
        title_justify="left",
    )
    table.add_row(*map(str, (storm.updated, storm.received, storm.missed, storm.repaired)))
    return table
