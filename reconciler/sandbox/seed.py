"""A small realistic portal, for ``reconciler sandbox``, on which integrations are tried."""

from dataclasses import dataclass

from reconciler.sandbox.portal import Portal
from reconciler.sandbox.rights import EDITING, ROOM_MANAGER
from reconciler.sandbox.values import EntryId, Kind, User


@dataclass(frozen=True, slots=True)
class Seeded:
    """The people and files of the portal; ``key`` and ``wide_key`` are the bot's API keys."""

    admin: User
    ann: User
    bob: User
    bot: User
    key: str
    wide_key: str
    rooms: tuple[EntryId, ...]
    files: tuple[EntryId, ...]


def populate(portal: Portal) -> Seeded:
    """Add people, two rooms with a few files, and a bot that manages both rooms."""
    admin = portal.add_user("Portal Admin", kind=Kind.OWNER)
    ann = portal.add_user("Ann Lee", kind=Kind.ROOM_ADMIN)
    bob = portal.add_user("Bob Stone", kind=Kind.USER)
    bot = portal.add_user("Review Bot", kind=Kind.ROOM_ADMIN, email="bot@example.com")
    key, wide_key = portal.add_key(bot), portal.add_key(bot, ())  # no scope named is every scope
    legal = portal.add_room("Legal", owner=ann)
    sales = portal.add_room("Sales", owner=admin)
    for room in (legal, sales):
        portal.invite(room, bot, access=ROOM_MANAGER)
        portal.invite(room, bob, access=EDITING)
    drafts = portal.add_folder(legal, "Drafts", by=ann)
    files = (
        portal.create(legal, "Contract.docx", by=ann, size=24_699),
        portal.create(legal, "Annex.docx", by=ann, size=11_204),
        portal.create(drafts, "Letter of intent.docx", by=bob, size=9_310),
        portal.upload(sales, "Forecast.xlsx", by=bob, size=48_120),
        portal.create(sales, "Pitch.pptx", by=admin, size=310_772),
    )
    return Seeded(admin, ann, bob, bot, key, wide_key, (legal, sales), files)
