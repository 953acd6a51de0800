"""The portal: one object with the acts of people and admins as its methods."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from reconciler.sandbox import files, people, rooms, saves, webhooks
from reconciler.sandbox.state import State
from reconciler.sandbox.values import Network

P = ParamSpec("P")
R = TypeVar("R")


def _locked(act: Callable[Concatenate[State, P], R]) -> Callable[Concatenate[State, P], R]:
    """Return the function as a method that holds the portal's lock."""

    @wraps(act)
    def run(state: State, /, *args: P.args, **options: P.kwargs) -> R:
        with state.mutex:
            return act(state, *args, **options)

    return run


@dataclass(eq=False)
class Portal(State):
    """A DocSpace portal in memory. Its methods may be called from any thread.

    Its state and settings are those of `State`, its methods the functions of other modules,
    called under the lock.
    """

    def __post_init__(self) -> None:
        """Start with the roots of the shared sections."""
        rooms.add_shared_roots(self)

    add_user = _locked(people.add_user)
    personal = _locked(people.personal)
    add_key = _locked(people.add_key)
    enable_key = _locked(people.enable_key)
    disable_key = _locked(people.disable_key)

    add_room = _locked(rooms.add_room)
    add_folder = _locked(rooms.add_folder)
    invite = _locked(rooms.invite)
    pin = _locked(rooms.pin)
    archive_room = _locked(rooms.archive_room)
    unarchive_room = _locked(rooms.unarchive_room)
    folder_updated = _locked(rooms.folder_updated)
    backup = _locked(rooms.backup)
    restore_backup = _locked(rooms.restore_backup)

    create = _locked(saves.create)
    upload = _locked(saves.upload)
    replace_content = _locked(saves.replace_content)
    save = _locked(saves.save)
    forcesave = _locked(saves.forcesave)
    save_by_api = _locked(saves.save_by_api)
    save_failed = _locked(saves.save_failed)
    submit_form = _locked(saves.submit_form)

    file = _locked(files.file)
    versions = _locked(files.versions)
    file_ids = _locked(files.file_ids)
    comment_writes = _locked(files.comment_writes)
    rename = _locked(files.rename)
    comment = _locked(files.comment)
    lock = _locked(files.lock)
    unlock = _locked(files.unlock)
    trash = _locked(files.trash)
    restore = _locked(files.restore)
    delete = _locked(files.delete)
    move = _locked(files.move)
    copy = _locked(files.copy)
    convert = _locked(files.convert)
    restore_version = _locked(files.restore_version)
    complete_version = _locked(files.complete_version)
    continue_version = _locked(files.continue_version)
    delete_version = _locked(files.delete_version)
    reorder = _locked(files.reorder)
    change_owner = _locked(files.change_owner)
    share = _locked(files.share)
    start_converting = _locked(files.start_converting)
    stop_converting = _locked(files.stop_converting)

    add_webhook = _locked(webhooks.add_webhook)
    retry_log = _locked(webhooks.retry_log)

    @property
    def next_id(self) -> int:
        """The id the next file gets; may be set back, so that ids are used again."""
        return self.store.next_file

    @next_id.setter
    def next_id(self, value: int) -> None:
        self.store.next_file = value

    @property
    def network(self) -> Network:
        """The faults of deliveries; may be set."""
        return self.outbox.network

    @network.setter
    def network(self, network: Network) -> None:
        self.outbox.network = network

    def hold_deliveries(self) -> None:
        """Hold deliveries in the queue."""
        self.outbox.hold(held=True)

    def release_deliveries(self) -> None:
        """Send the deliveries that were held."""
        self.outbox.hold(held=False)

    def count(self, method: str, path: str | None = None) -> int:
        """Return how many requests of a method, and of a route if given, there were."""
        return sum(
            one.method == method and (path is None or one.path.endswith(path))
            for one in tuple(self.requests)
        )
