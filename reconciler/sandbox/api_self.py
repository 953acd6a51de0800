"""The caller's account and key, and the portal's version (docspace.md 7)."""

from reconciler.sandbox import texts
from reconciler.sandbox.calls import Call
from reconciler.sandbox.dto import present
from reconciler.sandbox.responses import Response
from reconciler.sandbox.values import Kind

_VERSION, _EDITOR_VERSION = "3.7.2", "9.2.0"


def get_self(call: Call) -> Response:
    """``GET people/@self``: the account the key acts as."""
    user = call.person
    first, _, last = user.name.partition(" ")
    return call.respond(
        {
            "firstName": first,
            "lastName": last,
            "userName": f"{first}.{last}".lower().strip("."),
            "email": user.email,
            "contacts": [],
            "status": 1,
            "activationStatus": 1,
            "department": "",
            "groups": [],
            "isAdmin": user.is_admin,
            "isRoomAdmin": user.kind is Kind.ROOM_ADMIN,
            "isLDAP": False,
            "listAdminModules": [],
            "isOwner": user.kind is Kind.OWNER,
            "isVisitor": user.kind is Kind.GUEST,
            "isCollaborator": user.kind is Kind.USER,
            "cultureName": texts.region(user.culture),
            "mobilePhoneActivationStatus": 0,
            "isSSO": False,
            "theme": "Base",
            "loginEventId": 0,
            "registrationDate": call.dto.date(user.registered),
            "hasPersonalFolder": user.id in call.state.personal_roots,
            **call.dto.employee(user.id),
        }
    )


def get_key(call: Call) -> Response:
    """``GET keys/@self``: the key itself, with any scope."""
    key = call.key
    if key is None:
        raise call.denied()
    dto = call.dto
    return call.respond(
        present(
            id=key.id,
            name="need-review",
            key=f"sk-***{key.secret[-4:]}",
            keyPostfix=key.secret[-4:],
            permissions=list(key.permissions),
            lastUsed=dto.date(key.last_used) if key.last_used else None,
            createOn=dto.date(key.created),
            createBy=dto.employee(key.user_id),
            expiresAt=dto.date(key.expires) if key.expires else None,
            isActive=key.active,
        )
    )


def get_build(call: Call) -> Response:
    """``GET settings/version/build``."""
    return call.respond({"docSpace": _VERSION, "documentServer": _EDITOR_VERSION})
