"""The portal's accounts and keys, its clock and its lock."""

import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from reconciler.sandbox import dates
from reconciler.sandbox.store import FolderRow, Section, Store
from reconciler.sandbox.texts import EPOCH, Comment, Comments
from reconciler.sandbox.values import Clock, Key, Kind, User

GUEST = "712d9ec3-5d2b-4b13-824f-71f00191dcca"
"""The id under which people without an account act, who come by a link (docspace.md 4.2)."""


def system_clock() -> datetime:
    """Return the current time, aware UTC."""
    return datetime.now(UTC)


class People:
    """Accounts, keys, and everyone's own section roots."""

    def __init__(
        self,
        clock: Clock = system_clock,
        zone: tzinfo = timezone(timedelta(hours=3)),
        culture: str = "en",
        *,
        round_dates: bool = True,
    ) -> None:
        """Start an empty portal; ``round_dates`` False cuts fractions instead (docspace.md 3)."""
        self.mutex = threading.RLock()
        self.clock = clock
        self.zone = zone
        self.culture = culture
        self.round_dates = round_dates
        self.texts = Comments()
        self.store = Store()
        self.users: dict[str, User] = {}
        self.keys: dict[str, Key] = {}
        self._personal: dict[str, int] = {}
        self._trash: dict[str, int] = {}

    @property
    def anonymous(self) -> User:
        """Whoever has no account: may save, in the portal's language."""
        return User(GUEST, "Anonymous", Kind.GUEST, self.culture, "", EPOCH)

    def text(self, comment: Comment, by: User, value: str = "") -> str:
        """Return a comment of the portal's in the user's language."""
        return self.texts.say(comment, by.culture, value)

    def now(self) -> datetime:
        """Return the clock's time as the database would store it."""
        return dates.stored(self.clock(), rounded=self.round_dates)

    def add_user(
        self,
        name: str,
        *,
        kind: str | Kind = Kind.USER,
        culture: str = "",
        email: str = "",
        user_id: str = "",
    ) -> User:
        """Add an account; all but guests get "My documents", everybody a trash."""
        with self.mutex:
            user = User(
                id=user_id or str(uuid.uuid4()),
                name=name,
                kind=Kind(kind),
                culture=culture or self.culture,
                email=email or f"{name.lower().replace(' ', '.')}@example.com",
                registered=self.now(),
            )
            self.users[user.id] = user
            if user.kind is not Kind.GUEST:
                self._personal[user.id] = self._add_root("My documents", Section.USER, user)
            self._trash[user.id] = self._add_root("Trash", Section.TRASH, user)
            return user

    def personal(self, user: User) -> int:
        """Return the id of the user's "My documents"; KeyError for a guest."""
        return self._personal[user.id]

    def has_personal(self, user: User) -> bool:
        """Whether the user has "My documents": guests do not."""
        return user.id in self._personal

    def trash_of(self, user: User) -> int:
        """Return the id of the user's trash."""
        return self._trash[user.id]

    def add_key(
        self,
        user: User,
        permissions: tuple[str, ...] = (
            "files:read",
            "files:write",
            "rooms:read",
            "accounts.self:read",
        ),
        expires: datetime | None = None,
    ) -> str:
        """Create an API key that acts as ``user``; no permissions means all.

        Raises ValueError for a guest, who cannot have one (docspace.md 5).
        """
        if user.kind is Kind.GUEST:
            raise ValueError("guests cannot create keys")
        secret = f"sk-{uuid.uuid4().hex}"
        with self.mutex:
            self.keys[secret] = Key(
                id=str(uuid.uuid4()),
                secret=secret,
                user_id=user.id,
                permissions=permissions,
                created=self.now(),
                expires=expires,
            )
        return secret

    def disable_key(self, key: str) -> None:
        """Switch a key off: it is answered as if it were unknown."""
        with self.mutex:
            self.keys[key] = replace(self.keys[key], active=False)

    def enable_key(self, key: str) -> None:
        """Switch a key on again."""
        with self.mutex:
            self.keys[key] = replace(self.keys[key], active=True)

    def use_key(self, key: str) -> Key | None:
        """Return a key that is valid now, noting its use; None for any other."""
        with self.mutex:
            found = self.keys.get(key)
            if found is None or not found.active:
                return None
            if found.expires is not None and found.expires <= self.clock():
                return None
            self.keys[key] = replace(found, last_used=self.now())
            return found

    def person(self, user_id: str) -> User:
        """Return an account, or the system account for ids of the portal's own."""
        if user_id == GUEST:
            return self.anonymous
        known = self.users.get(user_id)
        if known:
            return known
        return User(user_id, "System", Kind.ADMIN, self.culture, "", self.now())

    def _add_root(self, title: str, section: Section, owner: User) -> int:
        folder_id = self.store.next_folder
        self.store.next_folder += 1
        now = self.now()
        self.store.put_folder(
            FolderRow(folder_id, None, title, now, owner.id, now, owner.id, section=section)
        )
        return folder_id
