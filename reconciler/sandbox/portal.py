"""The portal: people, rooms, files and webhooks, with a journal and knobs for trouble."""

from collections.abc import Callable, Mapping
from datetime import tzinfo

from reconciler.sandbox.faults import Faults
from reconciler.sandbox.files import Files
from reconciler.sandbox.limits import Meter
from reconciler.sandbox.people import system_clock
from reconciler.sandbox.texts import Comments
from reconciler.sandbox.values import Clock, EntryId, Limits, Request

Hook = Callable[[str, str, EntryId | None], None]
"""Called with the method, the route and the file id of a request."""


class Portal(Files):
    """A DocSpace portal in memory. All its methods may be called from any thread.

    ``latency`` delays every API answer (seconds), ``down`` resets every connection.
    ``tie_step`` is by how many places files of the same second change places from one
    listing to the next (0: stable). ``form_rooms_apart`` lists form rooms in ``@forms`` alone,
    ``refuse_private_addresses`` takes no webhook to them. ``on_request`` runs before an answer
    is computed, ``on_answer`` after its effect and before it is sent; neither holds the lock.
    """

    def __init__(
        self,
        clock: Clock = system_clock,
        zone: tzinfo | None = None,
        culture: str = "en",
        *,
        round_dates: bool = True,
        poll_seconds: float = 0.0,
        retry_seconds: tuple[float, ...] = (1, 2, 4, 8, 16),
        texts: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Start an empty portal; ``zone`` defaults to UTC+3.

        ``culture`` is everybody's who has no other. ``texts`` are the comments of further
        cultures, by culture and by the names of ``portal_texts``.
        """
        super().__init__(clock, zone, culture, round_dates=round_dates, poll_seconds=poll_seconds)
        self.retry_seconds = retry_seconds
        self.texts = Comments(texts)
        self.limits = Limits()
        self.meter = Meter()
        self.faults = Faults()
        self.latency = 0.0
        self.down = False
        self.tie_step = 1
        self.on_request: Hook | None = None
        self.on_answer: Hook | None = None
        self.default_sort: dict[str, tuple[str, bool]] = {}
        self.listings: dict[tuple[object, ...], tuple[int, list[EntryId]]] = {}
        self.listing_count = 0
        self._requests: list[Request] = []

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every API request so far, oldest first."""
        with self.mutex:
            return tuple(self._requests)

    def count(self, method: str, path: str | None = None) -> int:
        """Return how many requests of a method, and of a route if given, there were."""
        with self.mutex:
            return sum(
                one.method == method and (path is None or one.path.endswith(path))
                for one in self._requests
            )

    def clear_requests(self) -> None:
        """Forget the journal of requests."""
        with self.mutex:
            self._requests.clear()

    def note_request(self, request: Request) -> None:
        """Add a request to the journal."""
        with self.mutex:
            self._requests.append(request)
