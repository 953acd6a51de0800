"""The scopes of an API key: any one of each group lets the key ask that (docspace.md 5)."""

READ_FILES = ("files:read", "files:write")
WRITE_FILES = ("files:write",)
READ_ROOMS = ("rooms:read", "rooms:write")
READ_SELF = ("accounts.self:read", "accounts.self:write")
READ_ALL = ("*:read", "*:write")
WRITE_ALL = ("*:write",)
NEEDED = (READ_FILES, WRITE_FILES, READ_ROOMS)
"""What marking needs. READ_SELF tells who the key acts as, READ_ALL and WRITE_ALL the webhooks."""
