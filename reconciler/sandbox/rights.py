"""The rights of users: the rules of docspace.md 5, and the ``security`` members that show them."""

from dataclasses import dataclass, replace

from reconciler.sandbox.store import FileRow, Section, Store
from reconciler.sandbox.values import EntryId, Kind, User

READ, RESTRICT, REVIEW, COMMENT, FILL_FORMS = 2, 3, 5, 6, 7
ROOM_MANAGER, EDITING, CONTENT_CREATOR = 9, 10, 11

_OF_FILES = """
    Read Comment FillForms Review Edit Delete CustomFilter Rename ReadHistory Lock EditHistory
    Copy Move Duplicate SubmitToFormGallery Download Convert CreateRoomFrom CopyLink Embed
    StartFilling FillingStatus ResetFilling StopFilling OpenForm Vectorization AskAi
"""
_OF_FOLDERS = """
    Read Create Delete EditRoom Rename CopyTo MoveTo Copy Move Pin Mute EditAccess Duplicate
    Download CopySharedLink Reconnect CreateRoomFrom CopyLink Embed ChangeOwner IndexExport UseChat
"""
_FILE_RIGHTS, _FOLDER_RIGHTS = tuple(_OF_FILES.split()), tuple(_OF_FOLDERS.split())

_VISIT = frozenset({"Read", "Copy", "Download", "CopyLink"})
_EDIT = _VISIT | {"Comment", "Review", "Edit", "CustomFilter", "ReadHistory"}
_MANAGE = _EDIT | {"Delete", "Rename", "Lock", "EditHistory", "Move", "Duplicate"}
_MANAGE |= {"SubmitToFormGallery", "Convert"}
_BY_ACCESS = {
    READ: _VISIT,
    REVIEW: _VISIT | {"Comment", "Review"},
    COMMENT: _VISIT | {"Comment"},
    FILL_FORMS: frozenset({"Read", "FillForms"}),
    ROOM_MANAGER: _MANAGE,
    EDITING: _EDIT,
    CONTENT_CREATOR: _MANAGE,
}
_LOCKED = frozenset({"Read", "ReadHistory", "Copy", "Duplicate", "Download"})
_ARCHIVED = frozenset({"Read", "ReadHistory", "Copy", "Download"})
_TRASHED = frozenset({"Read", "Delete", "Move", "Download"})
_MEMBER_FOLDER = _VISIT - {"Copy"} | {"Create", "CopyTo", "MoveTo", "Pin", "Mute"}
_OWNER_FOLDER = _MEMBER_FOLDER | {"Delete", "EditRoom", "Rename", "Copy", "Move", "EditAccess"}


@dataclass(frozen=True, slots=True)
class Role:
    """The role of a user at a place: its owner, a member with ``access``, a visiting admin.

    ``public`` is a place that everybody reads; ``private`` is an encrypted file or one in a
    private room: only its owner sets comments.
    """

    section: Section
    owner: bool
    access: int
    admin: bool
    guest: bool
    third_party: bool
    public: bool
    private: bool = False

    @property
    def is_member(self) -> bool:
        """Whether the place is the user's, or was opened to the user."""
        return self.owner or self.access not in (0, RESTRICT)

    @property
    def reads(self) -> bool:
        """Whether the user may read there."""
        if self.section in (Section.USER, Section.TRASH):
            return self.is_member
        return self.is_member or self.admin or self.public

    @property
    def edits_history(self) -> bool:
        """Whether the user may set comments there (EditHistory, docspace.md 5)."""
        if self.third_party or self.guest or (self.private and not self.owner):
            return False
        if self.section is Section.USER:
            return self.owner or self.access == EDITING
        if self.section is Section.ROOMS:
            return self.owner or self.access in (ROOM_MANAGER, CONTENT_CREATOR)
        return False

    @property
    def shown_access(self) -> int:
        """The ``access`` number of a DTO: 0 for the owner, 3 for a visiting admin."""
        return 0 if self.owner or self.public else self.access or RESTRICT


def role_in_folder(store: Store, user: User, folder_id: EntryId) -> Role:
    """Return the role of a user in a folder."""
    root, room = store.root(folder_id), store.room(folder_id)
    section = root.section or Section.USER
    personal = section in (Section.USER, Section.TRASH)
    if personal:
        owner = root.created_by == user.id
    else:
        owner = room is not None and room.created_by == user.id and user.may_own_rooms
    return Role(
        section=section,
        owner=owner,
        access=room.members.get(user.id, 0) if room and not personal else 0,
        admin=user.is_admin,
        guest=user.kind is Kind.GUEST,
        third_party=isinstance(folder_id, str),
        public=room is None and not personal,
        private=room is not None and room.private,
    )


def role_in_file(store: Store, user: User, row: FileRow) -> Role:
    """Return the role of a user for a file: that of its folder, or of its share."""
    role = role_in_folder(store, user, row.folder_id)
    if row.current.encrypted:
        role = replace(role, private=True)
    share = row.shares.get(user.id, 0)
    if not share or role.owner or role.section is Section.TRASH:
        return role
    return replace(role, access=share, public=False)


def file_security(role: Role, *, locked_by_other: bool) -> dict[str, bool]:
    """Return the 27 ``security`` members of a file (docspace.md 5)."""
    granted = _granted(role)
    if locked_by_other:
        granted &= _LOCKED
    return {right: right in granted for right in _FILE_RIGHTS}


def folder_security(role: Role) -> dict[str, bool]:
    """Return the ``security`` members of a folder or room."""
    granted = _OWNER_FOLDER if role.owner else _MEMBER_FOLDER
    return {right: role.reads and right in granted for right in _FOLDER_RIGHTS}


def _granted(role: Role) -> frozenset[str]:
    if not role.reads:
        return frozenset()
    if role.section is Section.TRASH:
        return _TRASHED
    if role.section is Section.ARCHIVE:
        return _ARCHIVED
    granted = _MANAGE if role.owner else _BY_ACCESS.get(role.access, _VISIT)
    if role.edits_history:
        return granted | {"EditHistory"}
    granted -= {"EditHistory"}
    return granted - {"Lock", "ReadHistory"} if role.third_party else granted
