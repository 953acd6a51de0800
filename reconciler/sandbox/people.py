"""Accounts and API keys."""

import uuid
from dataclasses import replace
from datetime import datetime

from reconciler.sandbox.rooms import add_root
from reconciler.sandbox.state import State
from reconciler.sandbox.store import Section
from reconciler.sandbox.values import Key, Kind, User

_PERMISSIONS = ("files:read", "files:write", "rooms:read", "accounts.self:read")
"""The least that the daemon needs (docspace.md 5)."""


def add_user(
    state: State,
    name: str,
    *,
    kind: str | Kind = Kind.USER,
    culture: str = "",
    email: str = "",
    user_id: str = "",
) -> User:
    """Add an account; all but guests get "My documents", everybody a trash."""
    user = User(
        id=user_id or str(uuid.uuid4()),
        name=name,
        kind=Kind(kind),
        culture=culture or state.culture,
        email=email or f"{name.lower().replace(' ', '.')}@example.com",
        registered=state.now(),
    )
    state.users[user.id] = user
    if user.kind is not Kind.GUEST:
        state.personal_roots[user.id] = add_root(state, "My documents", Section.USER, user.id)
    state.trash_roots[user.id] = add_root(state, "Trash", Section.TRASH, user.id)
    return user


def personal(state: State, user: User) -> int:
    """Return the id of the user's "My documents"; KeyError for a guest."""
    return state.personal_roots[user.id]


def add_key(
    state: State,
    user: User,
    permissions: tuple[str, ...] = _PERMISSIONS,
    expires: datetime | None = None,
) -> str:
    """Create an API key that acts as ``user``; no permissions means all.

    Raises ValueError for a guest, who cannot have one (docspace.md 5).
    """
    if user.kind is Kind.GUEST:
        raise ValueError("guests cannot create keys")
    secret = f"sk-{uuid.uuid4().hex}"
    state.keys[secret] = Key(
        id=str(uuid.uuid4()),
        secret=secret,
        user_id=user.id,
        permissions=permissions,
        created=state.now(),
        expires=expires,
    )
    return secret


def disable_key(state: State, key: str) -> None:
    """Switch a key off: it is answered as if it were unknown."""
    state.keys[key] = replace(state.keys[key], active=False)


def enable_key(state: State, key: str) -> None:
    """Switch a key on again."""
    state.keys[key] = replace(state.keys[key], active=True)


def use_key(state: State, key: str) -> Key | None:
    """Return a key that is valid now, and record its use; None for any other."""
    found = state.keys.get(key)
    if found is None or not found.active:
        return None
    if found.expires is not None and found.expires <= state.clock():
        return None
    state.keys[key] = replace(found, last_used=state.now())
    return found
