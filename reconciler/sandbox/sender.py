"""Delivery of webhooks: ten at a time, five retries, every body signed (docspace.md 6).

A batch of ten holds its places through all retries: the next begins when its last delivery
has ended, so one receiver that hangs keeps all webhooks of the portal waiting.
"""

import http.client
import json
import socket
import threading
from dataclasses import dataclass
from datetime import timedelta

from reconciler.sandbox import webhooks
from reconciler.sandbox.addresses import AddressFault, connect, find_fault
from reconciler.sandbox.outbox import Job
from reconciler.sandbox.state import State
from reconciler.sandbox.store import WebhookConfig, WebhookLog
from reconciler.signature import HEADER, sign

_PARALLEL = 10
"""How many deliveries are under way at a time."""

_GONE = 410
_ERROR_TEXT = "An error occurred while sending the request."
_TIMEOUT_TEXT = "The request was canceled due to the configured HttpClient.Timeout of {0:g} seconds"


@dataclass(frozen=True, slots=True)
class _Result:
    """The result of one attempt; ``headers`` None means that no answer came."""

    status: int
    text: str
    headers: dict[str, list[str]] | None = None
    timed_out: bool = False

    @property
    def arrived(self) -> bool:
        return 200 <= self.status < 300

    @property
    def failure(self) -> str:
        if self.headers is None:
            return self.text
        phrase = http.client.responses.get(self.status, "")
        return f"Response status code does not indicate success: {self.status} ({phrase})."


class WebhookSender:
    """The threads that deliver what a portal publishes, until they are stopped."""

    def __init__(self, state: State) -> None:
        """Start delivering."""
        self._state = state
        self._stopping = threading.Event()
        self._mutex = threading.Lock()
        self._connections: set[http.client.HTTPConnection] = set()
        self._thread = threading.Thread(target=self._run, name="sandbox-sender", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop all threads; unfinished deliveries stay in the queue."""
        self._stopping.set()
        self._state.outbox.wake()
        with self._mutex:
            connections = tuple(self._connections)
        for connection in connections:
            if connection.sock is not None:
                _shut(connection.sock)
        self._thread.join(5.0)

    def _run(self) -> None:
        state = self._state
        while jobs := state.outbox.take(_PARALLEL, state.poll_seconds, self._stopping):
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
        outbox = self._state.outbox
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
        if job.attempt == 1 and self._refuse(log, config):
            return None
        signature = sign(body.encode(), config.secret)
        result = self._post(config.url, body.encode(), signature)
        with self._state.mutex:
            webhooks.record_attempt(self._state, log, result.status)
            wait = self._retry_wait(job, result)
            if wait is None:
                _record(log, body, signature, result)
                self._settle(log, job, config, result)
            return wait

    def _prepare(self, job: Job) -> tuple[WebhookLog, WebhookConfig, str] | None:
        """Return what to send, or None when the webhook was deleted."""
        with self._state.mutex:
            log = self._state.logs[job.log_id]
            current = self._state.webhooks.get(log.config_id)
            if current is None:
                return None
            job.config = job.config or current
            job.attempt += 1
            return log, job.config, webhooks.body(log, job.config, job)

    def _refuse(self, log: WebhookLog, config: WebhookConfig) -> bool:
        """Return whether the address is at fault.

        A private one deletes the webhook, another fault disables it.
        """
        state = self._state
        fault = find_fault(state, config)
        if fault is None:
            return False
        with state.mutex:
            webhooks.record_attempt(state, log, 0)
            log.response = fault.value
            if fault is AddressFault.PRIVATE:
                state.webhooks.pop(config.id, None)
            else:
                at = state.whole_second()
                webhooks.record_failure(state, config, fault.value, at, disable=True)
        return True

    def _retry_wait(self, job: Job, result: _Result) -> float | None:
        """Return the seconds until the next attempt, None after a success or the last one."""
        if result.arrived:
            return None
        job.failed_on, job.failure = self._state.whole_second(), result.failure
        if job.attempt > len(self._state.retry_seconds):
            return None
        wait = self._state.retry_seconds[job.attempt - 1]
        job.retry_on = job.failed_on + timedelta(seconds=wait)
        return wait

    def _settle(self, log: WebhookLog, job: Job, config: WebhookConfig, result: _Result) -> None:
        """Write the outcome back; a 410 to the last attempt deletes the webhook."""
        state = self._state
        if result.arrived:
            log.delivery = state.whole_second()
            webhooks.record_success(state, config)
        elif result.status == _GONE:
            state.webhooks.pop(config.id, None)
        elif job.failed_on is not None:
            disable = not result.timed_out and webhooks.is_hopeless(state, config)
            webhooks.record_failure(state, config, job.failure, job.failed_on, disable=disable)

    def _post(self, url: str, body: bytes, signature: str) -> _Result:
        connection, target = connect(self._state, url, self._state.delivery_timeout)
        with self._mutex:
            self._connections.add(connection)
        try:
            return _exchange(connection, target, body, signature)
        except TimeoutError:
            text = _TIMEOUT_TEXT.format(self._state.delivery_timeout)
            return _Result(500, text, timed_out=True)
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, ConnectionRefusedError)
            text = "Connection refused" if refused else _ERROR_TEXT
            return _Result(0, f"{text} ({connection.host}:{connection.port})")
        finally:
            with self._mutex:
                self._connections.discard(connection)
            connection.close()


def _record(log: WebhookLog, body: str, signature: str, result: _Result) -> None:
    """Fill in the log entry, which has status 0 until the delivery has ended."""
    log.body = body
    log.request_headers = json.dumps({"Accept": ["*/*"], HEADER: [signature]})
    log.status = result.status
    log.response = result.text if result.arrived else result.failure
    if result.headers is not None:
        log.response_headers = json.dumps(result.headers)


def _exchange(
    connection: http.client.HTTPConnection, target: str, body: bytes, signature: str
) -> _Result:
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


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
