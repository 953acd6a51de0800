"""The portal of most tests: a room of Ann's in which the bot may comment."""

from dataclasses import dataclass
from typing import Any

from reconciler.sandbox import Portal, User


@dataclass
class Office:
    """The users, the room and the portal."""

    portal: Portal
    ann: User
    bot: User
    room: int

    def create(self, title: str = "Contract.docx") -> int:
        """Let Ann create a file in the room."""
        return int(self.portal.create(self.room, title, by=self.ann))


def office(bot: str = "user", **options: Any) -> Office:
    """Return a portal with these ``options`` and a bot of this kind."""
    portal = Portal(**options)
    ann = portal.add_user("Ann Lee", kind="room_admin")
    made = Office(portal, ann, portal.add_user("Review Bot", kind=bot), 0)
    made.room = int(portal.add_room("Legal", owner=ann))
    portal.invite(made.room, made.bot, access=9)
    return made
