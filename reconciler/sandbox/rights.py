"""Who may do what: the rules of docspace.md 5, and the ``security`` members that show them."""

from dataclasses import dataclass, replace

from reconciler.sandbox.store import FileRow, FolderRow, Section, Store
from reconciler.sandbox.values import EntryId, Kind, User

READ, RESTRICT, REVIEW, COMMENT, FILL_FORMS = 2, 3, 5, 6, 7
ROOM_MANAGER, EDITING, CONTENT_CREATOR = 9, 10, 11

FILE_RIGHTS = (
    "Read",
    "Comment",
    "FillForms",
    "Review",
    "Edit",
    "Delete",
    "CustomFilter",
    "Rename",
    "ReadHistory",
    "Lock",
    "EditHistory",
    "Copy",
    "Move",
    "Duplicate",
    "SubmitToFormGallery",
    "Download",
    "Convert",
    "CreateRoomFrom",
    "CopyLink",
    "Embed",
    "StartFilling",
    "FillingStatus",
    "ResetFilling",
    "StopFilling",
    "OpenForm",
    "Vectorization",
    "AskAi",
)
FOLDER_RIGHTS = (
    "Read",
    "Create",
    "Delete",
    "EditRoom",
    "Rename",
    "CopyTo",
    "MoveTo",
    "Copy",
    "Move",
    "Pin",
    "Mute",
    "EditAccess",
    "Duplicate",
    "Download",
    "CopySharedLink",
    "Reconnect",
    "CreateRoomFrom",
    "CopyLink",
    "Embed",
    "ChangeOwner",
    "IndexExport",
    "UseChat",
)

_VISIT = frozenset({"Read", "Copy", "Download", "CopyLink"})
_EDIT = _VISIT | {"Comment", "Review", "Edit", "CustomFilter", "ReadHistory"}
_MANAGE = _EDIT | {
    "Delete",
    "Rename",
    "Lock",
    "EditHistory",
    "Move",
    "Duplicate",
    "SubmitToFormGallery",
    "Convert",
}
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
_MEMBER_FOLDER = frozenset({"Read", "Create", "CopyTo", "MoveTo", "Pin", "Mute"}) | {
    "Download",
    "CopyLink",
}
_OWNER_FOLDER = _MEMBER_FOLDER | {"Delete", "EditRoom", "Rename", "Copy", "Move", "EditAccess"}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a user is to a place: its owner, a member with ``access``, a visiting admin.

    ``private`` is an encrypted file or one in a private room: comments are its owner's.
    """

    section: Section
    owner: bool
    access: int
    admin: bool
    guest: bool
    external: bool
    shared: bool
    private: bool = False

    @property
    def reads(self) -> bool:
        """Whether the user may read there."""
        if self.section in (Section.USER, Section.TRASH):
            return self.owner or self.access not in (0, RESTRICT)
        return self.owner or self.admin or self.shared or self.access not in (0, RESTRICT)

    @property
    def edits_history(self) -> bool:
        """Whether the user may set comments there (EditHistory, docspace.md 5)."""
        if self.external or self.guest or (self.private and not self.owner):
            return False
        if self.section is Section.USER:
            return self.owner or self.access == EDITING
        if self.section is Section.ROOMS:
            return self.owner or self.access in (ROOM_MANAGER, CONTENT_CREATOR)
        return False

    @property
    def shown_access(self) -> int:
        """The ``access`` number of a DTO: 0 for the owner, 3 for a visiting admin."""
        if self.owner or self.shared:
            return 0
        return self.access or RESTRICT


def in_folder(store: Store, user: User, folder_id: EntryId) -> Standing:
    """Return what the user is to a folder."""
    chain = store.ancestors(folder_id)
    root = chain[-1]
    room = next((folder for folder in chain if folder.room_type is not None), None)
    section = root.section or Section.USER
    if section in (Section.USER, Section.TRASH):
        owner, access = root.created_by == user.id, 0
    else:
        owner = room is not None and room.created_by == user.id and user.may_own_rooms
        access = room.members.get(user.id, 0) if room else 0
    return Standing(
        section=section,
        owner=owner,
        access=access,
        admin=user.is_admin,
        guest=user.kind is Kind.GUEST,
        external=isinstance(folder_id, str),
        shared=room is None and section not in (Section.USER, Section.TRASH),
        private=room is not None and room.private,
    )


def in_file(store: Store, user: User, row: FileRow) -> Standing:
    """Return what the user is to a file: its folder's standing, or what was shared."""
    standing = in_folder(store, user, row.folder_id)
    if row.current.encrypted:
        standing = replace(standing, private=True)
    share = (row.shares or {}).get(user.id, 0)
    if not share or standing.owner or standing.section is Section.TRASH:
        return standing
    return replace(standing, access=share, shared=False)


def reads_file(store: Store, user: User | None, row: FileRow) -> bool:
    """Whether the user may read the file; nobody unknown may."""
    return user is not None and in_file(store, user, row).reads


def reads_folder(store: Store, user: User | None, folder: FolderRow) -> bool:
    """Whether the user may read the folder; nobody unknown may."""
    return user is not None and in_folder(store, user, folder.id).reads


def file_security(standing: Standing, *, locked_by_other: bool) -> dict[str, bool]:
    """Return the 27 ``security`` members of a file (docspace.md 5)."""
    granted = _granted(standing)
    if locked_by_other:
        granted &= _LOCKED
    return {right: right in granted for right in FILE_RIGHTS}


def folder_security(standing: Standing) -> dict[str, bool]:
    """Return the ``security`` members of a folder or room."""
    granted = _OWNER_FOLDER if standing.owner else _MEMBER_FOLDER
    if not standing.reads:
        granted = frozenset()
    return {right: right in granted for right in FOLDER_RIGHTS}


def _granted(standing: Standing) -> frozenset[str]:
    if not standing.reads:
        return frozenset()
    if standing.section is Section.TRASH:
        return _TRASHED
    if standing.section is Section.ARCHIVE:
        return _ARCHIVED
    granted = _MANAGE if standing.owner else _BY_ACCESS.get(standing.access, _VISIT)
    if standing.edits_history:
        return granted | {"EditHistory"}
    granted -= {"EditHistory"}
    return granted - {"Lock", "ReadHistory"} if standing.external else granted
