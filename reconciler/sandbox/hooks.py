"""Webhooks: who listens, what is published, and the log (docspace.md 4.1, 6)."""

from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from reconciler.sandbox import dates, rights
from reconciler.sandbox.addresses import Resolve, resolve
from reconciler.sandbox.configs import TRIGGERS, Config, Log, mask, names
from reconciler.sandbox.outbox import Job, Outbox
from reconciler.sandbox.people import system_clock
from reconciler.sandbox.rooms import Rooms
from reconciler.sandbox.store import FileRow
from reconciler.sandbox.values import Clock, Delivery, EntryId, Event, Network, User
from reconciler.sandbox.wire import webhook_json

GIVE_UP = timedelta(days=3)
"""A webhook that failed and had no success for this long is disabled."""


class Hooks(Rooms):
    """The portal's webhooks, and everything it published."""

    def __init__(
        self,
        clock: Clock = system_clock,
        zone: tzinfo | None = None,
        culture: str = "en",
        *,
        round_dates: bool = True,
        poll_seconds: float = 0.0,
    ) -> None:
        """Start without webhooks; ``poll_seconds`` is how often the queue is looked at.

        A delivery is given up after ``delivery_timeout`` seconds, the question whether an
        address is there after ``head_timeout``. ``resolve`` returns the IP addresses of a host.
        """
        super().__init__(clock, zone, culture, round_dates=round_dates)
        self.poll_seconds = poll_seconds
        self.retry_seconds: tuple[float, ...] = (1, 2, 4, 8, 16)
        self.delivery_timeout = 100.0
        self.head_timeout = 10.0
        self.resolve: Resolve = resolve
        self.refuse_private_addresses = False
        self.webhooks: dict[int, Config] = {}
        self.logs: dict[int, Log] = {}
        self.outbox = Outbox()
        self.next_webhook_id = 1
        self.next_log_id = 1
        self._network = Network()
        self._events: list[Event] = []
        self._deliveries: list[Delivery] = []

    @property
    def network(self) -> Network:
        """How deliveries travel; may be set."""
        return self._network

    @network.setter
    def network(self, network: Network) -> None:
        self._network = network
        self.outbox.use(network)

    @property
    def events(self) -> tuple[Event, ...]:
        """Everything published so far."""
        with self.mutex:
            return tuple(self._events)

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Every attempt to deliver so far."""
        with self.mutex:
            return tuple(self._deliveries)

    def hold_deliveries(self) -> None:
        """Keep deliveries in the queue until released."""
        self.outbox.hold(held=True)

    def release_deliveries(self) -> None:
        """Send what was held."""
        self.outbox.hold(held=False)

    def add_webhook(
        self,
        *,
        by: User,
        url: str,
        secret: str,
        triggers: tuple[str, ...] = ("file.updated",),
        enabled: bool = True,
        target_id: str = "",
        name: str = "need-review",
        ssl: bool | None = None,
    ) -> int:
        """Add a webhook without asking its URL; no triggers means all.

        ``ssl`` asks for HTTPS; by default as the address says.
        """
        with self.mutex:
            number = self.next_webhook_id
            self.next_webhook_id += 1
            self.webhooks[number] = Config(
                id=number,
                name=name,
                url=url,
                secret=secret,
                triggers=mask(triggers),
                enabled=enabled,
                target_id=target_id,
                created_by=by.id,
                created_on=self.now(),
                ssl=url.startswith("https:") if ssl is None else ssl,
            )
            return number

    def publish(
        self,
        trigger: str,
        row: FileRow,
        by: User,
        *,
        payload: dict[str, object] | None = None,
        readers: frozenset[int] | None = None,
    ) -> None:
        """Publish an event about a file as the database holds it now.

        Only webhooks whose creator can read the file hear of it, or acts himself: ``readers``,
        when the file has meanwhile gone where they cannot.
        """
        at = self.clock().replace(microsecond=0)
        self._events.append(Event(trigger, row.id, by, at))
        if not self.webhooks:
            return
        readers = self.readers(row) if readers is None else readers
        for config in tuple(self.webhooks.values()):
            hears = config.id in readers or config.created_by == by.id
            if hears and config.wants(trigger, row.id):
                shown = payload or self.payload(row, self.person(config.created_by))
                self._log(config, trigger, row.id, self._event(trigger, by, at), shown)

    def readers(self, row: FileRow) -> frozenset[int]:
        """Return the webhooks whose creator can read the file."""
        return frozenset(
            config.id
            for config in self.webhooks.values()
            if rights.reads_file(self.store, self.person(config.created_by), row)
        )

    def payload(self, row: FileRow, creator: User) -> dict[str, object]:
        """Return the payload: the declared base type only, default values omitted."""
        root = self.store.root(row.folder_id)
        third = isinstance(row.id, str)
        head: dict[str, object] = {"id": row.id, "parentId": row.folder_id}
        place: dict[str, object] = {"folderIdDisplay": row.folder_id, "rootId": root.id}
        if third:
            room = self.store.room(row.folder_id)
            head |= {**place, "rootId": room.id if room else root.id, "securityByUsers": {}}
        else:
            head |= {"securityByUsers": {}, **place}
        head |= {
            "title": row.current.title,
            "createBy": row.created_by,
            "modifiedBy": row.current.modified_by,
        }
        if third:
            provider = self.store.folders[row.folder_id]
            head |= {"providerId": provider.provider_id, "providerKey": provider.provider_key}
        head |= {
            "createOn": dates.webhook(row.created, self.zone),
            "modifiedOn": dates.webhook(row.current.modified, self.zone),
            "rootFolderType": int(root.section or 0),
            "rootCreateBy": row.created_by if third else root.created_by,
            "fileEntryType": 2,
        }
        access = rights.in_file(self.store, creator, row).access
        return head | {"access": access} if access and not third else head

    def body(self, log: Log, config: Config, job: Job | None) -> str:
        """Return the body of one attempt; without a job that of a row never sent."""
        event = {"id": log.id, **log.event} if job else log.event
        hook: dict[str, object] = {
            "id": config.id,
            "name": config.name,
            "url": config.url,
            "triggers": names(config.triggers),
        }
        if job and job.failed_on:
            hook |= {"lastFailureOn": dates.webhook(job.failed_on)}
            hook |= {"lastFailureContent": job.failure}
            if config.last_success_on:
                # MySQL returns it without a kind, so it loses its Z (docspace.md 3).
                hook |= {"lastSuccessOn": dates.webhook(config.last_success_on)[:-1]}
            hook |= {"retryCount": job.attempt - 1}
            if job.retry_on:
                hook |= {"retryOn": dates.webhook(job.retry_on)}
        return webhook_json({"event": event, "payload": log.payload, "webhook": hook})

    def retry_log(self, log_id: int) -> int:
        """Send a log entry again by hand: a new id, the same event and payload."""
        with self.mutex:
            old = self.logs[log_id]
            config = self.webhooks[old.config_id]
            return self._log(config, old.trigger, old.file_id, old.event, old.payload)

    def note_attempt(self, log: Log, attempt: int, status: int) -> None:
        """Record one attempt to deliver."""
        at = self.clock()
        self._deliveries.append(Delivery(log.id, log.file_id, attempt, status, at))

    def succeed(self, config: Config) -> None:
        """Write a webhook back after a delivery that arrived."""
        self._write_back(replace(config, last_success_on=self.clock().replace(microsecond=0)))

    def fail(self, config: Config, failure: str, failed_on: datetime, *, disable: bool) -> None:
        """Write a webhook back after a delivery that failed for good."""
        self._write_back(
            replace(
                config,
                last_failure_on=failed_on,
                last_failure=failure,
                enabled=config.enabled and not disable,
            )
        )

    def is_hopeless(self, config: Config) -> bool:
        """Whether the last success, or the creation, is too long ago."""
        return self.clock() - (config.last_success_on or config.created_on) > GIVE_UP

    def _write_back(self, config: Config) -> None:
        """Store a webhook as it was read before the delivery, with the outcome.

        Edits made meanwhile are lost, as on the real portal (docspace.md 6).
        """
        if config.id in self.webhooks:
            self.webhooks[config.id] = config

    def _event(self, trigger: str, by: User, at: datetime) -> dict[str, object]:
        return {
            "createOn": dates.webhook(at),
            "createBy": by.id,
            "trigger": trigger,
            "triggerId": TRIGGERS[trigger],
        }

    def _log(
        self,
        config: Config,
        trigger: str,
        file_id: EntryId,
        event: dict[str, object],
        payload: dict[str, object],
    ) -> int:
        log = Log(
            id=self.next_log_id,
            config_id=config.id,
            trigger=trigger,
            file_id=file_id,
            created=self.clock().replace(microsecond=0),
            event=event,
            payload=payload,
            body="",
        )
        log.body = self.body(log, config, None)
        self.next_log_id += 1
        self.logs[log.id] = log
        copies = self.outbox.copies()
        if not copies:
            self.note_attempt(log, 1, 0)
        for _ in range(copies):
            self.outbox.put(Job(log.id))
        return log.id
