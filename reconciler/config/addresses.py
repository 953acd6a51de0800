"""The form of a database's address, and its password apart from it.

An error never repeats an address: with a misplaced character its password may be read as a host.
"""

from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit

from reconciler.formats import DATABASE_ADDRESS, POSTGRESQL_SCHEMES

_SQLITE = "sqlite:///"


def sqlite_path(url: str) -> Path | None:
    """Return the path of a database file, None where a server keeps the database."""
    return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None


def sqlite_url(path: Path) -> str:
    """Return the address of a database file."""
    return f"{_SQLITE}{path}"


def database(text: str) -> str:
    """Return the address of a ledger as it came. Raises ValueError with what it should be."""
    if text.startswith("sqlite"):
        if not text.startswith(_SQLITE) or text == _SQLITE:
            raise ValueError("must be sqlite:/// and a path, such as sqlite:///reconciler.db")
        return text
    parts = _split(text)
    if parts is None or parts.scheme not in POSTGRESQL_SCHEMES:
        raise ValueError(
            f"must be {DATABASE_ADDRESS}, where "
            "special characters in the user and the password are percent-encoded (@ as %40)"
        )
    if not parts.path.strip("/"):
        raise ValueError("must name a database after the host")
    return text


def split_password(url: str) -> tuple[str, str | None]:
    """Return a database's address without its password, and the password; an empty one is none."""
    parts = None if url.startswith("sqlite") else _split(url)
    if parts is None or parts.password is None:
        return url, None
    host = parts.netloc.rpartition("@")[2]
    alone = parts._replace(netloc=f"{parts.username or ''}@{host}")
    return alone.geturl(), unquote(parts.password) or None


def with_password(url: str, password: str) -> str:
    """Return a database's address with its password; a file has none."""
    if not password or url.startswith("sqlite"):
        return url
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def has_valid_port(parts: SplitResult) -> bool:
    """Return whether the port is a number or absent."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def _split(url: str) -> SplitResult | None:
    """Return the parts of a server's address, None when a character is misplaced in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    strange = parts.fragment or "@" in parts.netloc.rpartition("@")[0]
    return parts if not strange and has_valid_port(parts) else None
