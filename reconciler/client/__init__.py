"""DocSpace over HTTP, in our words: frozen values out, typed errors up, no decision made.

`transport` exchanges requests and translates errors, `pace` keeps them below the limits,
`parse` and `listing` turn its JSON into values, `docspace` says which request answers which
question.
"""

from reconciler.client.docspace import DocSpace
from reconciler.client.listing import PAGE, FilePage, Room, RoomPage
from reconciler.client.pace import Pace
from reconciler.client.parse import Key
from reconciler.client.transport import Transport

__all__ = ["PAGE", "DocSpace", "FilePage", "Key", "Pace", "Room", "RoomPage", "Transport"]
