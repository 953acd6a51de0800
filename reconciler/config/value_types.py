"""The types of single values of the configuration; each refuses values that cannot work."""

import difflib
import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from reconciler.config.addresses import has_valid_port
from reconciler.decision import Policy
from reconciler.triggers import OF_FILES, UPDATED

DURATION = 'a number and a unit, such as "30s", "5m", "24h" or "7d"'
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MAX_COMMENT = 255  # the portal cuts the rest (docspace.md 2, 9)
_BASIC_PLANE = 0xFFFF  # its MySQL column loses later characters (docspace.md 9)
_MAX_DURATION = timedelta(days=3650)  # longer ones are mistakes, and dates would overflow


def duration(text: object) -> timedelta:
    """Return the length that ``5m``, ``24h``, ``30s`` or ``7d`` names. Raises ValueError."""
    match = re.fullmatch(r"(\d{1,6})([smhd])", text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"must be {DURATION}")
    found = timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if found > _MAX_DURATION:
        raise ValueError(f"must be at most {_MAX_DURATION.days}d")
    return found


def duration_text(length: timedelta) -> str:
    """Return what `duration` reads as the same, in the largest unit that fits."""
    seconds = int(length.total_seconds())
    unit = next(unit for unit in reversed(_UNITS) if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


def _not_bool(value: object) -> object:
    """Refuse true and false, which count as 1 and 0. Raises ValueError."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def _comment(text: str) -> str:
    """Refuse a comment that the portal would lose or change. Raises ValueError."""
    if not text.strip():
        raise ValueError("must not be empty")
    if len(text) > _MAX_COMMENT:
        raise ValueError(f"has {len(text)} characters; the portal keeps {_MAX_COMMENT}")
    if any(ord(c) > _BASIC_PLANE or not c.isprintable() for c in text):
        raise ValueError("must have neither control characters nor emoji: the portal loses them")
    if Policy().texts.is_portal_text(text):
        raise ValueError("is a text that the portal itself writes: it would mark nothing")
    return text


def _trigger(text: str) -> str:
    """Refuse an event that the portal does not send, or that names no file. Raises ValueError."""
    if text in OF_FILES:
        return text
    near = difflib.get_close_matches(text, OF_FILES, n=1, cutoff=0.8)
    meant = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(OF_FILES)}"
    raise ValueError(f"must be events of the portal about files ({meant})")


def _not_empty(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError(f'must name an event, such as ["{UPDATED}"]')
    return names


def _user(text: str) -> str:
    """Return a user's id. Raises ValueError: a name would never match."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise ValueError(
            "must be ids of users, such as 4a515a15-d4d6-4b8e-828e-e0586f18f3a3, not their names"
        ) from error


def _extension(text: str) -> str:
    """Return an extension in lower case, without its dot. Raises ValueError."""
    found = text.strip().lower().lstrip("*.")
    if not re.fullmatch(r"[\w-]+", found):
        raise ValueError('must be extensions, such as ["docx", "xlsx"]')
    return found


def _portal_text(text: str) -> str:
    """Refuse a text of nothing but ``{0}``, which every comment would match."""
    if not text.replace("{0}", "").strip():
        raise ValueError("must have at least one word besides {0}")
    return text


def _url(text: str) -> str:
    """Return the portal's address alone, without the path of its API. Raises ValueError."""
    text = text.strip()
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be the portal's address, such as https://portal.example.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must be the address alone, without user, password, ? or #")
    if re.search(r"\s", text) or not has_valid_port(parts):
        raise ValueError("has white space, or a port that is not valid")
    address = parts._replace(netloc=parts.netloc.lower()).geturl()
    return address.rstrip("/").removesuffix("/api/2.0").rstrip("/")


def public_address(text: str) -> str:
    """Return an address that a portal can call. Raises ValueError."""
    text = text.strip()
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host")
    if parts.username or parts.password or parts.fragment:
        raise ValueError("must have neither user, password nor #")
    if re.search(r"\s", text) or not text.isascii() or not has_valid_port(parts):
        raise ValueError(
            "has white space, a port that is not valid, or characters that no address has"
        )
    return parts._replace(netloc=parts.netloc.lower()).geturl()


def _address(text: str) -> str:
    """Return an IP address. Raises ValueError."""
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise ValueError("must be the proxy's IP address, such as 127.0.0.1") from error


def _path(text: str) -> str:
    """Refuse a path that changes on its way: the receiver compares the decoded path."""
    if not text.startswith("/"):
        raise ValueError('must be a path that starts with "/"')
    if found := re.search(r"[?#]", text):
        raise ValueError(f'must be the path alone: what follows "{found[0]}" is no part of it')
    if "%" in text:
        raise ValueError('must have no "%": a request is compared decoded, and would never match')
    if "//" in text or {".", ".."} & set(text.split("/")):
        raise ValueError('must have no empty part, "." or "..": they are changed on the way')
    if not re.fullmatch(r"[A-Za-z0-9/._~!$&'()*+,;=:@-]+", text):
        raise ValueError("must have no blanks, and only letters, digits and URL characters")
    return text


def checked_key(secret: SecretStr) -> SecretStr:
    """Return an API key without white space around it. Raises ValueError."""
    text = secret.get_secret_value().strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ValueError("has quotes around it, which are no part of a key: remove them")
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(
            "must be one word of plain characters, as the portal showed it, and nothing else"
        )
    return SecretStr(text)


def _secret(secret: SecretStr) -> SecretStr:
    """Refuse a blank secret, and one that is not UTF-8 text, which cannot sign."""
    text = secret.get_secret_value()
    if not text.strip():
        raise ValueError("must not be empty")
    if text.encode("utf-8", "replace").decode() != text:
        raise ValueError("must be UTF-8 text")
    return secret


Duration = Annotated[timedelta, BeforeValidator(duration)]
Interval = Annotated[Duration, Field(ge=timedelta(seconds=1))]
Whole = Annotated[int, BeforeValidator(_not_bool)]
Real = Annotated[float, BeforeValidator(_not_bool)]
Port = Annotated[Whole, Field(ge=0, le=65535)]
PortalText = Annotated[str, AfterValidator(_portal_text)]
Positive = Annotated[Whole, Field(ge=1)]
ApiKey = Annotated[SecretStr, AfterValidator(checked_key)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_secret)]
ProxyAddress = Annotated[str, AfterValidator(_address)]
Triggers = Annotated[
    tuple[Annotated[str, AfterValidator(_trigger)], ...], AfterValidator(_not_empty)
]
UserId = Annotated[str, AfterValidator(_user)]
Extension = Annotated[str, AfterValidator(_extension)]
Comment = Annotated[str, AfterValidator(_comment)]
WebhookPath = Annotated[str, AfterValidator(_path)]
PortalUrl = Annotated[str, AfterValidator(_url)]
PublicAddress = Annotated[str, AfterValidator(public_address)]
