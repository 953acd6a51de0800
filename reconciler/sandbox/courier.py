"""Delivery of webhooks: ten at a time, five retries, every body signed (docspace.md 6).

A batch of ten holds its places through all retries: the next begins when its last delivery
has ended, so one receiver that hangs keeps all webhooks of the portal waiting.
"""

import http.client
import json
import socket
import threading
import urllib.parse
from dataclasses import dataclass
from datetime import timedelta

from reconciler.sandbox.addresses import AddressFault, find_fault
from reconciler.sandbox.configs import Config, Log
from reconciler.sandbox.outbox import Job
from reconciler.sandbox.portal import Portal
from reconciler.signature import HEADER, sign

PARALLEL = 10
GONE = 410
_TIMEOUT_TEXT = "The request was canceled due to the configured HttpClient.Timeout of {0:g} seconds"


@dataclass(frozen=True, slots=True)
class _Result:
    status: int
    text: str
    headers: dict[str, list[str]] | None
    timed_out: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failure(self) -> str:
        if self.headers is None:
            return self.text
        phrase = http.client.responses.get(self.status, "")
        return f"Response status code does not indicate success: {self.status} ({phrase})."


class Couriers:
    """The threads that deliver what a portal publishes, until they are stopped."""

    def __init__(self, portal: Portal) -> None:
        """Start delivering."""
        self._portal = portal
        self._stopping = threading.Event()
        self._mutex = threading.Lock()
        self._connections: set[http.client.HTTPConnection] = set()
        self._thread = threading.Thread(target=self._run, name="sandbox-courier", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop all threads; what did not end stays in the queue."""
        self._stopping.set()
        self._portal.outbox.wake()
        with self._mutex:
            connections = tuple(self._connections)
        for connection in connections:
            if connection.sock is not None:
                _shut(connection.sock)
        self._thread.join(5.0)

    def _run(self) -> None:
        portal = self._portal
        while jobs := portal.outbox.take(PARALLEL, portal.poll_seconds, self._stopping):
            first, *others = jobs
            threads = [
                threading.Thread(target=self._deliver, args=(job,), daemon=True) for job in others
            ]
            for thread in threads:
                thread.start()
            self._deliver(first)
            for thread in threads:
                thread.join()

    def _deliver(self, job: Job) -> None:
        """Send until one attempt succeeds or none is left."""
        outbox = self._portal.outbox
        try:
            while (wait := self._attempt(job)) is not None:
                if not outbox.pause(wait, self._stopping):
                    outbox.put(job)
                    return
        finally:
            outbox.done()

    def _attempt(self, job: Job) -> float | None:
        """Send once; return after how many seconds to send again, None when that was all."""
        prepared = self._prepare(job)
        if prepared is None:
            return None
        log, config, body = prepared
        fault = self._fault(config) if job.attempt == 1 else None
        if fault is not None:
            self._refuse(log, config, fault)
            return None
        signature = sign(body.encode(), config.secret)
        result = self._post(config.url, body.encode(), signature)
        with self._portal.mutex:
            self._portal.note_attempt(log, job.attempt, result.status)
            wait = self._wait(job, result)
            if wait is None:
                _note(log, body, signature, result)
                self._settle(log, job, config, result)
            return wait

    def _prepare(self, job: Job) -> tuple[Log, Config, str] | None:
        """Return what to send, or None when the webhook was deleted."""
        with self._portal.mutex:
            log = self._portal.logs[job.log_id]
            current = self._portal.webhooks.get(log.config_id)
            if current is None:
                return None
            job.config = job.config or current
            job.attempt += 1
            return log, job.config, self._portal.body(log, job.config, job)

    def _fault(self, config: Config) -> AddressFault | None:
        portal = self._portal
        return find_fault(
            config.url,
            ssl=config.ssl,
            resolve=portal.resolve,
            refuse_private=portal.refuse_private_addresses,
        )

    def _refuse(self, log: Log, config: Config, fault: AddressFault) -> None:
        """Send nothing: a private address deletes the webhook, another fault disables it."""
        with self._portal.mutex:
            self._portal.note_attempt(log, 1, 0)
            log.response = fault.value
            if fault is AddressFault.PRIVATE:
                self._portal.webhooks.pop(config.id, None)
                return
            at = self._portal.clock().replace(microsecond=0)
            self._portal.fail(config, fault.value, at, disable=True)

    def _wait(self, job: Job, result: _Result) -> float | None:
        """Return the seconds until the next attempt, None after a success or the last one."""
        if result.good:
            return None
        job.failed_on = self._portal.clock().replace(microsecond=0)
        job.failure = result.failure
        if job.attempt > len(self._portal.retry_seconds):
            return None
        wait = self._portal.retry_seconds[job.attempt - 1]
        job.retry_on = job.failed_on + timedelta(seconds=wait)
        return wait

    def _settle(self, log: Log, job: Job, config: Config, result: _Result) -> None:
        """Write the outcome back; a 410 to the last attempt deletes the webhook."""
        portal = self._portal
        if result.good:
            log.delivery = portal.clock().replace(microsecond=0)
            portal.succeed(config)
        elif result.status == GONE:
            portal.webhooks.pop(config.id, None)
        elif job.failed_on is not None:
            disable = not result.timed_out and portal.is_hopeless(config)
            portal.fail(config, job.failure, job.failed_on, disable=disable)

    def _post(self, url: str, body: bytes, signature: str) -> _Result:
        parts = urllib.parse.urlsplit(url)
        secure = parts.scheme == "https"
        factory = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        host = parts.hostname or ""
        connection = factory(host, parts.port, timeout=self._portal.delivery_timeout)
        with self._mutex:
            self._connections.add(connection)
        try:
            return _exchange(connection, parts, body, signature)
        except TimeoutError:
            text = _TIMEOUT_TEXT.format(self._portal.delivery_timeout)
            return _Result(500, text, None, timed_out=True)
        except (OSError, http.client.HTTPException) as error:
            port = parts.port or (443 if secure else 80)
            return _Result(0, f"{_reason(error)} ({host}:{port})", None)
        finally:
            with self._mutex:
                self._connections.discard(connection)
            connection.close()


def _note(log: Log, body: str, signature: str, result: _Result) -> None:
    """Fill in the log's row, which until the delivery has ended is one of status 0."""
    log.body = body
    log.request_headers = json.dumps({"Accept": ["*/*"], HEADER: [signature]})
    log.status = result.status
    log.response = result.text if result.good else result.failure
    if result.headers is not None:
        log.response_headers = json.dumps(result.headers)


def _exchange(
    connection: http.client.HTTPConnection,
    parts: urllib.parse.SplitResult,
    body: bytes,
    signature: str,
) -> _Result:
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    headers = {
        "Accept": "*/*",
        "Content-Type": "application/json; charset=utf-8",
        HEADER: signature,
    }
    connection.request("POST", target, body, headers)
    response = connection.getresponse()
    text = response.read().decode("utf-8", "replace")
    shown: dict[str, list[str]] = {}
    for name, value in response.getheaders():
        shown.setdefault(name, []).append(value)
    return _Result(response.status, text, shown)


def _reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "Connection refused"
    return "An error occurred while sending the request."


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
