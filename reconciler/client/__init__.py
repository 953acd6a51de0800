"""DocSpace over HTTP, in our words: frozen values out, typed errors up, no decision made.

`transport` exchanges requests within the portal's limits and translates its errors,
`parse` and `listing` turn its JSON into values, `docspace` says which request answers which
question.
"""

from reconciler.client.docspace import DocSpace
from reconciler.client.listing import PAGE, FilePage, Room, RoomPage
from reconciler.client.parse import Key
from reconciler.client.transport import Transport

__all__ = ["PAGE", "DocSpace", "FilePage", "Key", "Room", "RoomPage", "Transport"]
