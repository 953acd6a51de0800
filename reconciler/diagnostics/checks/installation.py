"""Checks of the installation: configuration, ledger, disk, files, address, processes. Pure."""

from collections.abc import Collection
from datetime import timedelta

from reconciler.config import Config
from reconciler.diagnostics.checks.config_warnings import ConfigWarningKind
from reconciler.diagnostics.checks.findings import Fault, Finding, error, ok, skipped, warning
from reconciler.diagnostics.checks.snapshot import LedgerSnapshot, Snapshot
from reconciler.diagnostics.problems import TEXTS_KEPT, Problem, ProblemKind, portal_texts_hint
from reconciler.errors import AddressUnreachableError, LedgerError
from reconciler.hints import hint_for

_MEGABYTE = 2**20
_LOW, _TOO_LOW = 200 * _MEGABYTE, 20 * _MEGABYTE  # free space
_FIXED_SQLITE = (3, 51, 3)
_RECENT = timedelta(days=1)
_OF_SETTINGS = {
    ConfigWarningKind.UNSIGNED_EVENTS_ALLOWED,
    ConfigWarningKind.WEAK_WEBHOOK_SECRET,
    ConfigWarningKind.UPDATES_IGNORED,
}
_PORTAL_READS, _PORTAL_WRITES = 50, 15  # at once, for one user (docspace.md 2)


def configuration(snapshot: Snapshot) -> list[Finding]:
    """Whether the configuration is complete, for the worker and for the receiver."""
    about, webhook = "configuration", snapshot.config.webhook
    findings = [
        error(about, problem, "see config.toml", Fault.CONFIG) for problem in snapshot.problems
    ]
    unsigned = webhook.secret is None and webhook.secret_file is None
    if unsigned and not webhook.allow_unsigned:
        message = "there is no webhook secret, so serve refuses to start; reconcile works"
        findings.append(
            warning(about, message, "set webhook.secret_file: webhook register fills it")
        )
    findings += _warned(snapshot, about, _OF_SETTINGS)
    if snapshot.config.review.observe:
        message = "review.observe is true: everything is decided and nothing is written"
        findings.append(warning(about, message, "set review.observe to false to mark files"))
    return findings or [ok(about, "complete")]


def _warned(snapshot: Snapshot, about: str, kinds: Collection[ConfigWarningKind]) -> list[Finding]:
    """Return the warnings of these kinds, with the messages of the log."""
    found = (one for one in snapshot.warnings if one.kind in kinds)
    return [warning(about, one.message, one.hint) for one in found]


def proxy(snapshot: Snapshot) -> list[Finding]:
    """Whether deliveries that must come over HTTPS can be accepted."""
    return [
        error("https", one.message, one.hint, Fault.CONFIG)
        for one in snapshot.warnings
        if one.kind is ConfigWarningKind.DELIVERIES_REFUSED
    ]


def ledger(snapshot: Snapshot) -> list[Finding]:
    """Whether the ledger is this portal's and can be written."""
    found = snapshot.ledger
    if found is None:
        return [skipped("ledger", "portal.url is missing")]
    if isinstance(found, LedgerError):
        return [error("ledger", str(found), hint_for(found), Fault.LEDGER)]
    if not found.is_there:
        return [ok("ledger", "there is none yet: the first start of serve or reconcile makes it")]
    version = ".".join(map(str, found.version))
    message = f"can be written, {found.engine} {version}"
    if found.engine == "sqlite" and found.version < _FIXED_SQLITE:
        message += " (before 3.51.3: processes write one at a time, under a lock of the file)"
    return [ok("ledger", message)]


def disk(snapshot: Snapshot) -> list[Finding]:
    """Whether the ledger can grow."""
    if snapshot.free is None:
        return [skipped("disk", "the ledger's folder is not visible from here")]
    message = f"{snapshot.free // _MEGABYTE} MB free beside the ledger"
    if snapshot.free < _TOO_LOW:
        return [error("disk", message, "make room: without it deliveries get 503", Fault.LEDGER)]
    if snapshot.free < _LOW:
        return [warning("disk", message, "make room: without it deliveries get 503")]
    return [ok("disk", message)]


def instances(snapshot: Snapshot) -> list[Finding]:
    """Which processes use this ledger."""
    found = snapshot.ledger
    if not isinstance(found, LedgerSnapshot):
        return [skipped("instances", "the ledger cannot be used")]
    held = ", ".join(f"{who} holds {role}" for role, who in sorted(found.holders.items()))
    findings = [ok("instances", held or "nothing runs at this moment")]
    return findings + _parallel_limits(snapshot.config, found.processes)


def _parallel_limits(config: Config, processes: int) -> list[Finding]:
    """Warn where the processes' parallel requests add up to more than the portal allows."""
    most = {
        "concurrent_reads": (config.limits.concurrent_reads, _PORTAL_READS),
        "concurrent_writes": (config.limits.concurrent_writes, _PORTAL_WRITES),
    }
    return [
        warning(
            "instances",
            f"{processes} processes with limits.{name} = {limit} may send {processes * limit} "
            f"requests at once; the portal allows {allowed}",
            f"set limits.{name} to {max(allowed // processes, 1)} in each",
        )
        for name, (limit, allowed) in most.items()
        if processes > 1 and processes * limit > allowed
    ]


def service(snapshot: Snapshot) -> list[Finding]:
    """The problems that `status` reports, without the webhook's, which `check` asks the portal."""
    found = snapshot.ledger
    if not isinstance(found, LedgerSnapshot):
        return [skipped("service", "the ledger cannot be used")]
    problems = [one for one in found.problems if one.kind is not ProblemKind.WEBHOOK]
    findings = [_service_line(one, found.has_run) for one in problems]
    return findings or [ok("service", "updates are marked")]


def _service_line(problem: Problem, has_run: bool) -> Finding:
    """Return an error where updates are not marked, but a warning before a first start.

    A refused file is a warning, as rooms without the right to comment are: a person must act at
    the portal.
    """
    not_started = problem.kind is ProblemKind.NO_SERVE and not has_run
    mild = problem.is_harmless or problem.kind is ProblemKind.REFUSED or not_started
    return (warning if mild else error)(
        "service", problem.message, problem.hint or "see: reconciler status"
    )


def files(snapshot: Snapshot) -> list[Finding]:
    """Whether others can read our secrets, and whether older ones are still accepted."""
    findings = _warned(snapshot, "files", {ConfigWarningKind.SECRET_FILE_EXPOSED})
    return [*findings, _older_secrets(snapshot)] if snapshot.older_secrets else findings


def _older_secrets(snapshot: Snapshot) -> Finding:
    """Warn of older secrets until they are removed, and say when they may be.

    The ledger has the time of the last accepted delivery. The portal's own dates cannot be compared
    with the file's, because their zone is not known (docspace.md 3).
    """
    number, changed = snapshot.older_secrets, snapshot.secrets_changed
    message = f"webhook.secret_file has older secrets, which are still accepted: {number}"
    delivered = snapshot.ledger.delivered if isinstance(snapshot.ledger, LedgerSnapshot) else None
    if changed is None or delivered is None or delivered <= changed:
        return warning("files", message, "after the next delivery run: reconciler check")
    hint = "remove all lines but the first, unless the log of serve still shows older_secret"
    return warning("files", f"{message}; a delivery was accepted since the file changed", hint)


def address(snapshot: Snapshot) -> list[Finding]:
    """Whether our receiver answers at its public address."""
    found = snapshot.address
    if found is None:
        return [skipped("address", "webhook.public_url is not set")]
    if found is True:
        return [ok("address", f"{snapshot.config.webhook.public_url} answers and knows the secret")]
    if isinstance(found, AddressUnreachableError) and _deliveries_arrive(snapshot):
        message = f"{found}, asked from here; but deliveries arrive, so the portal reaches it"
        hint = "nothing, if this network leads no way back to it; webhook commands: --no-probe"
        return [warning("address", message, hint)]
    return [error("address", str(found), hint_for(found))]


def _deliveries_arrive(snapshot: Snapshot) -> bool:
    """Whether the last known delivery of the portal reached a daemon that still runs.

    The portal's dates can be compared only with each other (docspace.md 3).
    """
    ledger, state = snapshot.ledger, snapshot.portal.state
    if not isinstance(ledger, LedgerSnapshot):
        return False
    if any(one.kind is ProblemKind.NO_SERVE for one in ledger.problems):
        return False
    webhook = None if state is None else state.webhook
    if webhook is not None and (webhook.failed_on or webhook.succeeded_on):
        return webhook.succeeded_on > webhook.failed_on
    return ledger.delivered is not None and snapshot.portal.at - ledger.delivered < _RECENT


def texts(snapshot: Snapshot) -> list[Finding]:
    """Whether a text that was kept may be one of the portal's own."""
    found = snapshot.ledger
    if not isinstance(found, LedgerSnapshot):
        return [skipped("texts", "the ledger cannot be used")]
    if not found.texts:
        return [ok("texts", "no person's comment was kept so far")]
    message = "kept most often: " + ", ".join(f"{text!r} ({n} times)" for text, n in found.texts)
    if found.unknown_texts:
        return [warning("texts", TEXTS_KEPT, portal_texts_hint(found.unknown_texts))]
    return [ok("texts", message)]


def dates(snapshot: Snapshot) -> list[Finding]:
    """Whether the full scan found updates that no folder's date had shown."""
    found = snapshot.ledger
    if not isinstance(found, LedgerSnapshot) or found.undated is None:
        return []
    at, updates = found.undated.at, found.undated.updates
    message = f"the full scan of {at:%Y-%m-%d} found {updates} updates in rooms of unchanged dates"
    hint = (
        "files were moved or restored; if not, the portal raises no dates: lower sweep.full_every"
    )
    return [warning("sweep", message, hint)]
