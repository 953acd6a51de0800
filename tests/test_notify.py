"""Which messages are sent, to whom and when: real addresses on the loopback, a real ledger, a
test's clock.
"""

import threading
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import ConfigError, LedgerError
from reconciler.ledger import NOTIFIED, Ledger
from reconciler.notify.addresses import open_addresses
from reconciler.notify.messages import Alert, Alerts, NotifySettings, trial_message
from reconciler.notify.notifier import Notifier
from tests import support_ledger as kit
from tests.support_http import StubServer, answering
from tests.support_ledger import HOUR, MINUTE, NOW, PORTAL, event, mark, opened
from tests.support_notify import ACCEPTED, BROKEN, as_json, mailbox, messages, titles

DAY = 24 * HOUR
DIGEST, WRONG, OVER = (
    "1 file newly needs review on p.example",
    "Needs attention on p.example",
    "Resolved on p.example",
)
DEAD = Alert("dead_key", "the portal refuses the API key", "make a new one")
IS_WRONG = Alerts([DEAD], frozenset({"dead_key"}))
NOTHING = Alerts()


def notifier(ledger: Ledger, *urls: str, reminders: bool = False) -> Notifier:
    """Return a notifier for these addresses, with an hourly digest or a reminder after a day."""
    settings = NotifySettings(PORTAL, *(None, DAY) if reminders else (HOUR, None))
    stop = threading.Event()
    return Notifier(ledger, settings, lambda: open_addresses(urls), stop, lambda *_: None)


def run(ledger: Ledger, after: timedelta, alerts: Alerts, *urls: str) -> None:
    """Notify as a newly started process does."""
    notifier(ledger, *urls).run(NOW + after, alerts)


# What arrives.


def test_a_digest_arrives_by_mail(ledger: Ledger) -> None:
    """A digest arrives by mail, with a readable title and text."""
    with mailbox() as box:
        run(ledger, 0 * HOUR, NOTHING, box.url)
        mark(ledger, 7, NOW + MINUTE)
        run(ledger, HOUR, NOTHING, box.url)
    (mail,) = box.mails
    assert (mail["Subject"], mail["To"]) == (DIGEST, "ann@example.com")
    assert "https://p.example/doceditor?fileid=7" in mail.get_content()


def test_a_problem_arrives_as_a_warning(ledger: Ledger, service: StubServer) -> None:
    """An alert arrives as a warning, its end as a success, in Apprise's terms."""
    run(ledger, 0 * HOUR, IS_WRONG, as_json(service))
    run(ledger, MINUTE, NOTHING, as_json(service))
    assert [(one["title"], one["type"]) for one in messages(service)] == [
        (WRONG, "warning"),
        (OVER, "success"),
    ]


# Digests.


def test_there_is_one_digest_in_its_time(ledger: Ledger, service: StubServer) -> None:
    """A digest is sent once per interval; what is marked later is in the next one."""
    run(ledger, 0 * HOUR, NOTHING, as_json(service))
    for minutes in (1, 30, 61, 90):
        mark(ledger, minutes, NOW + minutes * MINUTE)
        run(ledger, minutes * MINUTE, NOTHING, as_json(service))
    run(ledger, 2 * HOUR + MINUTE, NOTHING, as_json(service))
    assert titles(service) == [f"2 files newly need review on {host}" for host in ["p.example"] * 2]


def test_without_news_there_is_no_digest(ledger: Ledger, service: StubServer) -> None:
    """Without newly marked files there is no digest."""
    for hours in range(5):
        run(ledger, hours * HOUR, NOTHING, as_json(service))
    assert titles(service) == []


def test_a_new_address_is_not_told_of_the_past(ledger: Ledger, service: StubServer) -> None:
    """A new address gets no past events: its first digest begins when it was configured."""
    mark(ledger, 1, NOW - DAY)
    run(ledger, 0 * HOUR, NOTHING, as_json(service))
    run(ledger, HOUR, NOTHING, as_json(service))
    assert titles(service) == []


def test_a_clock_that_was_set_back_costs_one_digest_at_most(
    ledger: Ledger, service: StubServer
) -> None:
    """A clock that is set back costs at most one digest."""
    run(ledger, 1000 * DAY, NOTHING, as_json(service))
    run(ledger, 0 * HOUR, NOTHING, as_json(service))
    mark(ledger, 1, NOW + MINUTE)
    run(ledger, HOUR, NOTHING, as_json(service))
    assert titles(service) == [DIGEST]


# Reminders.


def test_what_waits_too_long_is_told_once_a_day(ledger: Ledger, service: StubServer) -> None:
    """A file that waits too long is in one reminder a day until a person has decided."""
    mark(ledger, 1, NOW)
    for hours in (1, 25, 26, 48, 49):
        notifier(ledger, as_json(service), reminders=True).run(NOW + hours * HOUR, NOTHING)
    assert titles(service) == ["1 file waits for review for more than 1 day on p.example"] * 2


# Alert.


def test_a_problem_is_told_once_and_once_that_it_is_over(
    ledger: Ledger, service: StubServer
) -> None:
    """A problem is sent once, and once that it is over, also across restarts."""
    for minutes in range(3):
        run(ledger, minutes * MINUTE, IS_WRONG, as_json(service))
    for minutes in range(3, 6):
        run(ledger, minutes * MINUTE, NOTHING, as_json(service))
    run(ledger, HOUR, IS_WRONG, as_json(service))
    assert titles(service) == [WRONG, OVER, WRONG]


def test_a_problem_is_not_over_while_it_is_only_less_urgent(
    ledger: Ledger, service: StubServer
) -> None:
    """A problem that only became less urgent is not reported as over."""
    run(ledger, 0 * HOUR, IS_WRONG, as_json(service))
    run(ledger, MINUTE, Alerts([], IS_WRONG.open), as_json(service))
    assert titles(service) == [WRONG]


# Addresses that fail.


def test_a_failing_address_holds_up_no_other(ledger: Ledger, service: StubServer) -> None:
    """A failing address neither delays the others nor repeats their messages."""
    with answering(BROKEN) as broken:
        for minutes in range(3):
            run(ledger, minutes * MINUTE, IS_WRONG, as_json(broken), as_json(service))
    assert titles(service) == [WRONG]
    assert titles(broken) == [WRONG] * 2


def test_a_failing_address_is_told_in_the_overview(ledger: Ledger) -> None:
    """A failing address is in the overview with the reason and since when, without its secrets."""
    with answering(BROKEN) as broken:
        run(ledger, 0 * HOUR, IS_WRONG, as_json(broken).replace("//", "//ann:hunter2@"))
    (failing,) = ledger.health.overview(NOW + MINUTE).unreachable
    assert (failing.name, failing.failing_since) == ("address 1 (json)", NOW)
    assert "error=500" in failing.error
    known = ledger.settings.get(NOTIFIED)
    assert "hunter2" not in repr(known)


def test_what_could_not_be_told_is_told_when_it_can(ledger: Ledger) -> None:
    """A message that could not be sent is sent later, complete, and the failure is deleted."""
    with answering(ACCEPTED, BROKEN, ACCEPTED) as line:
        run(ledger, 0 * HOUR, IS_WRONG, as_json(line))
        mark(ledger, 1, NOW + MINUTE)
        for minutes in (60, 61, 62):
            run(ledger, minutes * MINUTE, IS_WRONG, as_json(line))
    assert titles(line) == [WRONG, DIGEST, DIGEST]
    assert ledger.health.overview(NOW + HOUR).unreachable == ()


def test_an_address_is_known_by_itself_and_not_by_its_line(
    ledger: Ledger, service: StubServer
) -> None:
    """An address is identified by its content, not by its line in the file."""
    with answering(ACCEPTED) as other:
        run(ledger, 0 * HOUR, IS_WRONG, as_json(service))
        run(ledger, MINUTE, IS_WRONG, as_json(other), as_json(service))
    assert (titles(service), titles(other)) == ([WRONG], [WRONG])


def test_nothing_is_sent_that_cannot_be_remembered(tmp_path: Path, service: StubServer) -> None:
    """No message is sent if that cannot be recorded: it would be sent again and again."""
    with opened(tmp_path) as ledger:
        ledger.record(event(1), NOW)
    reader = Ledger(kit.url(tmp_path), PORTAL, read_only=True)
    with suppress(LedgerError):
        run(reader, 0 * HOUR, IS_WRONG, as_json(service))
    reader.close()
    assert titles(service) == []


def test_a_service_that_is_told_to_stop_sends_nothing_more(
    ledger: Ledger, service: StubServer
) -> None:
    """A service that is told to stop sends nothing more; the rest is sent after the next start."""
    stop = threading.Event()
    stop.set()
    urls = (as_json(service),)
    settings = NotifySettings(PORTAL)
    Notifier(ledger, settings, lambda: open_addresses(urls), stop, lambda *_: None).run(
        NOW, IS_WRONG
    )
    assert titles(service) == []


# The addresses.


def test_what_is_no_address_is_named_by_its_place(ledger: Ledger) -> None:
    """Invalid addresses are all named at once by their line, without any secret."""
    with pytest.raises(ConfigError) as caught:
        open_addresses(["hunter2", "json://localhost", "nosuch://hunter2"])
    first, second = caught.value.problems
    assert first.startswith("address 1 of notify.urls_file is not an address that Apprise knows")
    assert second.startswith("address 3 (nosuch) of notify.urls_file")
    assert "hunter2" not in str(caught.value)


def test_an_address_where_nobody_listens_says_so() -> None:
    """An address that refuses the connection is reported with Apprise's own reason."""
    with answering(ACCEPTED) as gone:
        url = as_json(gone)
    (address,) = open_addresses([url])
    assert "onnection error" in address.send(trial_message())
