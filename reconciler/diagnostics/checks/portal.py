"""Checks of the portal: its version, clock, our key, account, rooms and webhook. Pure."""

from collections.abc import Sequence
from datetime import timedelta

from reconciler.client import (
    NEEDED,
    READ_ALL,
    READ_SELF,
    WRITE_ALL,
    Build,
    FailedDeliveries,
    Key,
    Person,
    Webhook,
    portal_time,
)
from reconciler.diagnostics.checks.findings import Fault, Finding, error, ok, skipped, warning
from reconciler.diagnostics.checks.snapshot import LedgerSnapshot, Snapshot
from reconciler.errors import PortalError
from reconciler.formats import local_time
from reconciler.hints import hint_for
from reconciler.webhooks import find_duplicate
from reconciler.webhooks.delivery_log import is_under_way

_OFF, _SOON = timedelta(seconds=60), timedelta(days=14)
_SHOWN = 10
_REFUSED = 401


def portal(snapshot: Snapshot) -> list[Finding]:
    """Whether there is a DocSpace portal at the address."""
    build = snapshot.portal.build
    if build is None:
        return [skipped("portal", "portal.url or the API key is missing")]
    if isinstance(build, PortalError):
        if isinstance(snapshot.portal.key, Key) and snapshot.portal.key.owner:
            return [warning("portal", f"it does not report its version: {build}", "nothing to do")]
        return [error("portal", str(build), hint_for(build), Fault.PORTAL)]
    return [ok("portal", f"{snapshot.config.portal.url} is DocSpace {build.docspace}")]


def clock(snapshot: Snapshot) -> list[Finding]:
    """Whether the portal's clock and ours agree."""
    build = snapshot.portal.build
    if not isinstance(build, Build):
        return [skipped("clock", "the portal does not report its time")]
    if build.date is None:
        return [skipped("clock", "the portal sends no Date")]
    off = snapshot.portal.at - build.date
    message = f"ours and the portal's differ by {abs(off.total_seconds()):.0f} s"
    if abs(off) > _OFF:
        return [warning("clock", message, "set the clock (NTP): dates decide what is new")]
    return [ok("clock", message)]


def key(snapshot: Snapshot) -> list[Finding]:
    """Whether the key works, until when, and what it may do."""
    found = snapshot.portal.key
    if found is None:
        return [skipped("key", "the portal does not answer")]
    if isinstance(found, PortalError):
        return [error("key", str(found), hint_for(found), Fault.PORTAL)]
    if not found.owner:
        message = "the key's account is not known: keys/@self and people/@self are missing"
        return [warning("key", message, "nothing to do: each echo of our comments costs a look")]
    if not found.active:
        return [error("key", "the key is disabled", "enable it at the portal", Fault.PORTAL)]
    return [_end_of(snapshot, found), *_scopes(snapshot, found)]


def _end_of(snapshot: Snapshot, found: Key) -> Finding:
    if found.expires is None:
        return ok("key", "valid, without an expiry date")
    message = f"valid until {local_time(found.expires)}"
    if found.expires - snapshot.portal.at < _SOON:
        return warning("key", message, "make a new key in time; then set DOCSPACE_API_KEY")
    return ok("key", message)


def _scopes(snapshot: Snapshot, found: Key) -> list[Finding]:
    missing = [lacks for scopes in NEEDED if (lacks := found.missing_scope(*scopes))]
    findings = []
    if missing:
        message = f"the key lacks {', '.join(missing)}"
        hint = "make a key with these scopes too; then set DOCSPACE_API_KEY"
        findings.append(error("scopes", message, hint, Fault.PORTAL))
    if found.missing_scope(*READ_SELF):
        message = f"without {READ_SELF[0]} it cannot be checked who the key acts as"
        findings.append(
            warning("scopes", message, "make a key that has it too, when it is renewed")
        )
    if snapshot.config.webhook.self_heal and found.missing_scope(*WRITE_ALL):
        message = "webhook.self_heal needs *:write, which the key lacks"
        findings.append(warning("scopes", message, "make a key that has *:write too"))
    if found.missing_scope(*READ_ALL):
        message = "without *:read the portal's log of deliveries is not read: the sweep alone finds"
        findings.append(ok("scopes", f"{message} what is lost"))
    return findings or [ok("scopes", "all that is needed")]


def account(snapshot: Snapshot) -> list[Finding]:
    """Who the key acts as."""
    found = snapshot.portal.person
    if not isinstance(found, Person):
        return [skipped("account", "needs a working key with accounts.self:read")]
    if found.guest:
        message = f"the key acts as {found.name}, a guest: guests may not comment"
        return [warning("account", message, "make it a user, and room manager where it reviews")]
    if found.admin:
        message = f"the key acts as {found.name}, an administrator: an account of its own is better"
        return [ok("account", message)]
    return [ok("account", f"the key acts as {found.name}")]


def rooms(snapshot: Snapshot) -> list[Finding]:
    """In how many rooms the account may comment, by its role there; a single file may differ."""
    found = snapshot.portal.rooms
    if found is None or isinstance(found, PortalError):
        reason = "needs a working key with rooms:read" if found is None else str(found)
        return [skipped("rooms", reason)]
    scope = snapshot.config.review.policy().scope
    wanted = [
        room
        for room in found
        if isinstance(room.id, int) and room.active and scope.holds_room(room.id)
    ]
    barred = [room for room in wanted if not room.commentable]
    hint = "invite the account there as room manager or content creator, or exclude the rooms"
    if not wanted:
        return [warning("rooms", "the account sees no room that is to be reviewed", hint)]
    message = f"may comment in {len(wanted) - len(barred)} of {len(wanted)} rooms"
    if not barred:
        return [ok("rooms", message)]
    names = ", ".join(f"{room.title} ({room.id})" for room in barred[:_SHOWN])
    more = " and more" if len(barred) > _SHOWN else ""
    make = error if len(barred) == len(wanted) else warning
    return [make("rooms", f"{message}, not in {names}{more}", hint)]


def webhook(snapshot: Snapshot) -> list[Finding]:
    """Whether our webhook is there, enabled, and calls the right address about the right events."""
    webhooks, state = snapshot.portal.webhooks, snapshot.portal.state
    if isinstance(webhooks, PortalError):
        return [
            warning("webhook", str(webhooks), "guests may not see webhooks: use another account")
        ]
    if webhooks is None or state is None:
        return [skipped("webhook", "needs a working key with *:read")]
    url = snapshot.config.webhook.public_url
    message = state.message(snapshot.spec)
    webhook = state.webhook
    if webhook is None:
        others = "; ".join(f"{one.id} calls {one.url}" for one in webhooks[:_SHOWN])
        message += f" (there are: {others})" if others else ""
        known = not isinstance(snapshot.ledger, LedgerSnapshot) or snapshot.ledger.webhook_id
        if url is None and not known:
            hint = "set webhook.public_url; another account's webhook is not visible"
            return [warning("webhook", message, hint)]
        return [error("webhook", message, "run: reconciler webhook register")]
    if state.issues:
        return [error("webhook", message, state.hint)]
    return [
        ok("webhook", f"{webhook.id} calls {webhook.url}, enabled"),
        *_of_webhook(snapshot, webhook),
        *_duplicate(webhooks, webhook),
    ]


def _of_webhook(snapshot: Snapshot, webhook: Webhook) -> list[Finding]:
    findings, person = [], snapshot.portal.key
    owner = person.owner if isinstance(person, Key) and person.owner else webhook.creator
    if webhook.creator and webhook.creator != owner:
        message = (
            f"it belongs to {webhook.creator_name or webhook.creator}: it delivers only files that "
        )
        hint = "register it with the key's own account, which is in the rooms"
        findings.append(warning("webhook", message + "that account may read", hint))
    if webhook.target:
        message = f"it delivers one entry alone ({webhook.target})"
        findings.append(
            warning("webhook", message, "remove it, and run: reconciler webhook register")
        )
    return findings


def _duplicate(webhooks: Sequence[Webhook], own: Webhook) -> list[Finding]:
    other = find_duplicate(webhooks, own)
    if other is None:
        return []
    message = f"webhook {other.id} calls this receiver too: rotate changes {own.id} alone"
    return [warning("webhook", message, f"run: reconciler webhook remove {other.id}")]


def deliveries(snapshot: Snapshot) -> list[Finding]:
    """When a delivery last succeeded and failed, and what failed since the log was last read."""
    state, failures = snapshot.portal.state, snapshot.portal.failures
    if state is None or state.webhook is None or not isinstance(failures, FailedDeliveries):
        return [skipped("deliveries", "needs our webhook, and *:read")]
    webhook = state.webhook
    good, bad = portal_time(webhook.succeeded_on), portal_time(webhook.failed_on)
    message = f"last success {good or 'never'}, last failure {bad or 'never'}"
    read = snapshot.ledger.log_entry if isinstance(snapshot.ledger, LedgerSnapshot) else 0
    now = failures.date or snapshot.portal.at
    ended = [entry for entry in failures.entries if not is_under_way(entry, now)]
    fresh = [entry for entry in ended if entry.id > read]
    failing = webhook.failed_on > webhook.succeeded_on
    if failing and ended and ended[0].status == _REFUSED:
        message = f"the receiver refuses the portal's signature: {message}"
        hint = "run: reconciler webhook rotate (or set the portal's secret to ours)"
        return [error("deliveries", message, hint)]
    if fresh:
        number = f"{len(fresh)}{' or more' if failures.has_more else ''}"
        message += f", {number} failures not read yet"
        if webhook.failure:
            message += f" ({webhook.failure})"
        return [warning("deliveries", message, "serve and reconcile read them; or find the cause")]
    if failing:
        return [warning("deliveries", f"{message} ({webhook.failure})", "see address and webhook")]
    return [ok("deliveries", message)]
