"""Summaries and explanations as text or JSON."""

from datetime import datetime
from typing import Any

import typer

from reconciler.cli.options import json_text
from reconciler.formats import local_time, shown
from reconciler.model import Outcome
from reconciler.service import Explanation, PlannedAction, Summary

_PAST = {"event": "event", "look": "looked", "mark": "marked"}


def as_json(summary: Summary) -> str:
    """Return the summary as one JSON object."""
    report = summary.report
    return json_text(
        {
            "scanned": report.scanned,
            **{str(outcome): summary.number(outcome) for outcome in Outcome},
            "requests": summary.requests,
            "seconds": round(summary.seconds, 3),
            "dry_run": summary.dry_run,
            "since": report.since,
            "until": report.until,
            "folders": report.folders,
            "incomplete_folders": report.incomplete,
            "skipped_folders": dict(report.skipped),
            "remaining": summary.remaining,
            "resume_at": summary.resume_at,
        }
    )


def in_a_line(summary: Summary) -> str:
    """Return the summary in one line."""
    ended = [f"{summary.number(o)} {o}" for o in Outcome if summary.number(o)]
    prefix = "would be: " if summary.dry_run else ""
    parts = [f"{summary.report.scanned} scanned", prefix + (", ".join(ended) or "nothing to do")]
    if summary.report.skipped:
        reasons = [f"{n} {reason}" for reason, n in sorted(summary.report.skipped.items())]
        parts.append(f"folders skipped: {', '.join(reasons)}")
    if summary.report.incomplete:
        parts.append(f"{len(summary.report.incomplete)} folders to be read again")
    if summary.remaining:
        parts.append(f"{summary.remaining} left")
    if summary.resume_at is not None and summary.remaining:
        parts.append(f"go on after {local_time(summary.resume_at)}")
    requests = summary.requests
    parts.append(f"{requests['get']} GET, {requests['put']} PUT, {summary.seconds:.1f} s")
    return "; ".join(parts)


def print_planned(planned: PlannedAction) -> None:
    """Print what a dry run would do with one file."""
    change = f"{planned.comment!r} -> {planned.outcome}: {planned.reason}"
    typer.echo(f"{planned.file}  {shown(planned.title)}  {change}")


def explanation_text(explanation: Explanation) -> str:
    """Return an explanation as text, the cause first."""
    lines = [f"File {explanation.file_id}"]
    if explanation.decision is not None:
        rule = explanation.decision.rule
        outcome = "to be marked" if rule.outcome is Outcome.MARKED else rule.outcome
        lines.append(f"  decision   {outcome}: {rule.description} (rule {rule.value})")
        if explanation.decision.is_new_identity:
            lines.append("             what was known is of another file of this id: forgotten")
    lines += _portal(explanation) + _ledger(explanation.known)
    return "\n".join(lines)


def _portal(explanation: Explanation) -> list[str]:
    if explanation.error is not None:
        return [f"  portal     {shown(str(explanation.error))}"]
    file = explanation.file
    if file is None:
        return ["  portal     shows no such file"]
    state = "locked by someone else" if file.locked else "not locked"
    rights = "may be commented" if file.editable else "may not be commented by the key's account"
    where = file.section.value + ("" if file.room is None else f", room {file.room}")
    return [
        f"  portal     {file.title!r} in {where}; {state}, {rights}",
        f"             version {file.revision.version}, updated {_time(file.revision.updated)}, "
        f"{file.revision.size} bytes",
        f"             comment {file.comment!r}",
    ]


def _ledger(known: Any) -> list[str]:
    if known is None:
        return ["  ledger     has never heard of it"]
    lines = [
        "  ledger     " + ", ".join(_times(known, what) for what in _PAST),
        f"             last: {known['outcome']}: {known['reason']} {known['error']}".rstrip(),
    ]
    if known["settled_version"] is not None:
        whose = "ours: it carried the comment" if known["marked_by_us"] else "left as it was found"
        lines.append(
            f"             settled version {known['settled_version']} of "
            f"{_time(known['settled_updated'])}, {whose}"
        )
    if known["intent_version"] is not None:
        lines.append(
            f"             a write to version {known['intent_version']} is under way, "
            f"over {known['intent_before']!r}"
        )
    if known["due_at"] is not None:
        doing = "in work until" if known["claim"] else "due"
        lines.append(f"             {doing} {_time(known['due_at'])}")
    return lines


def _times(known: Any, what: str) -> str:
    number, last = known[f"{what}s"], known[f"{_PAST[what]}_at"]
    when = f" (last {_time(last)})" if last else ""
    return f"{number} {what}s{when}"


def _time(moment: datetime | None) -> str:
    return "never" if moment is None else local_time(moment)
