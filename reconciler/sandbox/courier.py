"""Delivery of webhooks: ten at a time, five retries, every body signed (docspace.md 6)."""

import http.client
import json
import socket
import threading
import urllib.parse
from dataclasses import dataclass
from datetime import timedelta

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
        self._threads = [
            threading.Thread(target=self._run, name=f"sandbox-courier-{number}", daemon=True)
            for number in range(PARALLEL)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop all threads; what is still queued stays in the queue."""
        self._stopping.set()
        self._portal.outbox.wake()
        with self._mutex:
            connections = tuple(self._connections)
        for connection in connections:
            if connection.sock is not None:
                _shut(connection.sock)
        for thread in self._threads:
            thread.join(5.0)

    def _run(self) -> None:
        while True:
            job = self._portal.outbox.take(self._stopping)
            if job is None:
                return
            try:
                self._attempt(job)
            finally:
                self._portal.outbox.done()

    def _attempt(self, job: Job) -> None:
        """Send once and note the outcome; queue the next attempt when there is one."""
        prepared = self._prepare(job)
        if prepared is None:
            return
        log, config, body = prepared
        signature = sign(body.encode(), config.secret)
        result = self._post(config.url, body.encode(), signature)
        with self._portal.mutex:
            self._note(job, log, signature, result)
            self._settle(job, config, result)

    def _prepare(self, job: Job) -> tuple[Log, Config, str] | None:
        """Return what to send, or None when the webhook was deleted."""
        with self._portal.mutex:
            log = self._portal.logs[job.log_id]
            current = self._portal.webhooks.get(log.config_id)
            if current is None:
                return None
            job.config = job.config or current
            job.attempt += 1
            log.body = self._portal.body(log, job.config, job)
            return log, job.config, log.body

    def _note(self, job: Job, log: Log, signature: str, result: _Result) -> None:
        log.request_headers = json.dumps({"Accept": ["*/*"], HEADER: [signature]})
        log.status = result.status
        log.response = result.text if result.good else result.failure
        if result.headers is not None:
            log.response_headers = json.dumps(result.headers)
        if result.good:
            log.delivery = self._portal.clock().replace(microsecond=0)
        self._portal.note_attempt(log, job.attempt, result.status)

    def _settle(self, job: Job, config: Config, result: _Result) -> None:
        portal = self._portal
        if result.good:
            portal.finish(config, failure=None, failed_on=None)
            return
        if result.status == GONE:
            portal.webhooks.pop(config.id, None)
            return
        job.failed_on = portal.clock().replace(microsecond=0)
        job.failure = result.failure
        if job.attempt > len(portal.retry_seconds):
            portal.finish(config, failure=job.failure, failed_on=job.failed_on)
            return
        wait = portal.retry_seconds[job.attempt - 1]
        job.retry_on = job.failed_on + timedelta(seconds=wait)
        portal.outbox.put(job, wait)

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
            return _Result(500, _TIMEOUT_TEXT.format(self._portal.delivery_timeout), None)
        except (OSError, http.client.HTTPException) as error:
            port = parts.port or (443 if secure else 80)
            return _Result(0, f"{_reason(error)} ({host}:{port})", None)
        finally:
            with self._mutex:
                self._connections.discard(connection)
            connection.close()


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
