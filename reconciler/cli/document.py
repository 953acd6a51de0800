"""A file on the command line: its id, or the address of the opened document."""

import re
from typing import Annotated
from urllib.parse import urlsplit

import typer

from reconciler.cli.options import LAST_FILE_ID

# As the editors, a room's list and the viewer of pictures write it.
_IN_ADDRESS = re.compile(
    r"[?&]file_?id=(?P<editor>[^&#]+)|#preview/(?P<list>[^/?&]+)|/media/view/(?P<viewer>[^/?#]+)",
    re.IGNORECASE,
)
_NEITHER = (
    "{} is neither a file's id nor the address of an opened document, such as "
    "https://portal.example.com/doceditor?fileId=4711"
)


def document(text: str) -> int:
    """Return the id of the file that is meant. Raises BadParameter."""
    found = _IN_ADDRESS.search(text)
    number = next(filter(None, found.groups())) if found is not None else text.strip()
    if found is not None and not number.isdecimal():
        raise typer.BadParameter(
            f"{number} is a file of a connected storage, which takes no comments: nothing is "
            "known of it"
        )
    if not (number.isascii() and number.isdecimal()) or not 0 < int(number[:20]) <= LAST_FILE_ID:
        raise typer.BadParameter(_NEITHER.format(text))
    return int(number)


def is_elsewhere(text: str, portal: str) -> bool:
    """Return whether an address is another portal's than the configured one."""
    host = urlsplit(text).netloc
    return bool(host) and host.lower() != urlsplit(portal).netloc.lower()


Document = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="The file's id, or the address of the opened document.",
    ),
]
