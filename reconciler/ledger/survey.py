"""What `check` asks of a ledger: its engine, and the texts that were kept most often."""

from datetime import datetime

from sqlalchemy import func, select

from reconciler.ledger.schema import files, texts
from reconciler.ledger.store import Store
from reconciler.model import Source


class Survey:
    """Questions that nothing else needs. Each is one short transaction."""

    def __init__(self, store: Store) -> None:
        """Share the ledger's store."""
        self._store = store

    def engine(self) -> tuple[str, tuple[int, ...]]:
        """Return the name and the version of the database."""

        dialect = self._store.read(lambda c: c.dialect)
        return dialect.name, tuple(getattr(dialect, "server_version_info", None) or ())

    def delivered(self) -> datetime | None:
        """Return when the newest event was accepted that a webhook brought; no echo counts."""
        newest = select(func.max(files.c.event_at)).where(files.c.source == Source.WEBHOOK.value)
        return self._store.read(lambda c: c.execute(newest).scalar())

    def texts(self, most: int) -> list[tuple[str, int]]:
        """Return the texts that were kept as unknown, those kept most often first."""
        ordered = select(texts).order_by(texts.c.number.desc(), texts.c.text).limit(most)
        return self._store.read(lambda c: [(row.text, row.number) for row in c.execute(ordered)])
