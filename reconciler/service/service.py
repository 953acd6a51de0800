"""Wires the rooms together: one ledger, one client, the worker, the receiver, in order.

Starting goes from the ledger outward to the address; stopping goes back: accept nothing more,
answer what was read, finish what is under way, give back what was not begun.
"""

import random
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from reconciler.client import DocSpace, Transport
from reconciler.config import Config, require
from reconciler.errors import PortalError
from reconciler.ledger import Ledger, Role
from reconciler.receiver import Gate, Receiver, Reply
from reconciler.service.log import log, tell_attempt, tell_error, tell_reply
from reconciler.service.server import Server
from reconciler.worker import Attempt, Attempts, Terms, Worker

GRACE = 20.0  # seconds for what is under way when we are told to stop
_OWNER_AGAIN = 15.0  # seconds between tries to learn whose key it is


def utcnow() -> datetime:
    """Return the time. Everything below is given it, nothing else asks."""
    return datetime.now(UTC)


class Service:
    """The daemon: receiver and worker on one ledger. Use it once."""

    def __init__(
        self,
        config: Config,
        *,
        on_attempt: Callable[[Attempt], None] = tell_attempt,
        on_reply: Callable[[Reply], None] = tell_reply,
    ) -> None:
        """Open the ledger, take the worker's role, bind the address; start nothing.

        Raises ConfigError, LedgerError, Busy or AddressInUse, with nothing left open.
        """
        self._stop, self._stack = threading.Event(), ExitStack()
        require(config, webhook=True)
        with ExitStack() as opened:
            gate = gate_of(config)
            self.ledger = Ledger(config.state.url, config.portal_url())
            opened.callback(self.ledger.close)
            opened.enter_context(self.ledger.role(Role.WORKER))
            self.ledger.release(utcnow())
            self.docspace = DocSpace(transport_of(config, self._stop))
            opened.callback(self.docspace.close)
            attempts = Attempts(self.ledger, self.docspace, terms_of(config), utcnow, random.random)
            self._worker = Worker(self.ledger, attempts, utcnow, on_attempt, tell_error)
            receiver = Receiver(gate, self.ledger.record, utcnow, on_reply)
            self._server = Server(
                receiver,
                config.webhook.host,
                config.webhook.port,
                threads=config.webhook.threads,
                max_bytes=config.webhook.max_body_bytes,
                trusted_proxy=config.webhook.trusted_proxy,
            )
            self._stack = opened.pop_all()
        self._threads = [
            threading.Thread(target=self._worker.run, name="worker", daemon=True),
            threading.Thread(target=self._learn_owner, name="owner", daemon=True),
        ]
        host = f"[{self._server.host}]" if ":" in self._server.host else self._server.host
        self.address = f"http://{host}:{self._server.port}{config.webhook.path}"

    def start(self) -> None:
        """Begin to work and to accept."""
        for thread in self._threads:
            thread.start()
        self._server.start()

    def stop(self, grace: float = GRACE) -> bool:
        """Stop in order within about ``grace`` seconds; return whether all work was finished.

        An answer of the portal that does not come in time is left behind: its intent is on
        disk, and the next start looks what became of it.
        """
        half = grace / 2
        self._server.stop(half)
        self._worker.stop()
        self._stop.set()
        for thread in self._threads:
            thread.join(half)
        finished = not any(thread.is_alive() for thread in self._threads)
        if not finished:
            self.ledger.release(utcnow())
        self._stack.close()
        return finished

    def _learn_owner(self) -> None:
        """Learn whose comments are ours, so that their echoes cost nothing."""
        while not self._stop.is_set():
            try:
                key = self.docspace.key()
            except PortalError as error:
                tell_error(error)
                self._stop.wait(_OWNER_AGAIN)
            else:
                self.ledger.learn_owner(key.owner)
                log.info("acting_as", user=key.owner, name=key.owner_name)
                return


def gate_of(config: Config) -> Gate:
    """Return what the receiver lets in."""
    webhook = config.webhook
    return Gate(
        webhook.path,
        config.secrets(),
        frozenset(webhook.triggers),
        webhook.max_body_bytes,
        webhook.require_https,
    )


def transport_of(config: Config, stop: threading.Event) -> Transport:
    """Return the connection to the portal. Raises ConfigError without address or key."""
    return Transport(
        config.portal_url(),
        config.api_key(),
        timeout=config.portal.timeout_seconds,
        ca_bundle=None if config.portal.ca_bundle is None else str(config.portal.ca_bundle),
        per_minute=config.limits.requests_per_minute,
        reads=config.limits.concurrent_reads,
        writes=config.limits.concurrent_writes,
        stop=stop,
    )


def terms_of(config: Config) -> Terms:
    """Return how the worker works; its lease outlasts the portal's longest answers."""
    answer = timedelta(seconds=2 * config.portal.timeout_seconds + 5)
    return Terms(
        policy=config.review.policy(),
        lookback=config.sweep.first_lookback,
        writes_per_day=config.limits.writes_per_day,
        threads=config.limits.concurrent_reads,
        lease=3 * answer,
        answer=answer,
    )
