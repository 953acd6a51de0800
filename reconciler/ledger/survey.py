"""What `check` asks of a ledger: its engine, and the texts that were kept most often."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from reconciler.ledger.overview import unknown_texts
from reconciler.ledger.store.schema import files, texts
from reconciler.ledger.store.store import Store
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

    def unknown_texts(self) -> tuple[str, ...]:
        """Return the kept texts that may be the portal's own."""
        return self._store.read(unknown_texts)

    def forget_texts(self, known: Callable[[str], bool]) -> None:
        """Forget the counts of kept texts that are known to be the portal's own by now."""

        def job(c: Connection) -> None:
            found = [text for text in c.execute(select(texts.c.text)).scalars() if known(text)]
            c.execute(delete(texts).where(texts.c.text.in_(found)))

        self._store.write(job)

    def delivered(self) -> datetime | None:
        """Return when the newest event was accepted that a webhook brought; no echo counts."""
        newest = select(func.max(files.c.event_at)).where(files.c.source == Source.WEBHOOK.value)
        return self._store.read(lambda c: c.execute(newest).scalar())

    def texts(self, most: int) -> list[tuple[str, int]]:
        """Return the texts that were kept as unknown, those kept most often first."""
        ordered = select(texts).order_by(texts.c.number.desc(), texts.c.text).limit(most)
        return self._store.read(lambda c: [(row.text, row.number) for row in c.execute(ordered)])
