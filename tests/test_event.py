"""The webhook's body as an event: what it must contain, and the forms that are accepted."""

import json

import pytest

from reconciler.event import IgnoredDelivery, parse_event
from reconciler.model import LAST_FILE_ID

UPDATED = frozenset({"file.updated"})


def delivery(file_id: object) -> bytes:
    """Return a delivery about a file."""
    event = {"event": {"trigger": "file.updated"}, "payload": {"id": file_id}}
    return json.dumps(event).encode()


@pytest.mark.parametrize("file_id", [13, "13", "0013"])
def test_an_id_in_quotes_is_a_number(file_id: object) -> None:
    """An id in quotes is read as a number."""
    assert parse_event(delivery(file_id), UPDATED).file == 13


@pytest.mark.parametrize(
    "file_id", ["drive-4-|1", "sbox-1245", "13a", "-13", "1.3", "\u0661\u0663", " 13", "9" * 30]
)
def test_an_id_that_is_no_number_is_third_partys(file_id: str) -> None:
    """An id that is no number is third-party storage's, without comments (docspace.md 8)."""
    with pytest.raises(IgnoredDelivery, match="third_party"):
        parse_event(delivery(file_id), UPDATED)


IDS_OF_NO_FILE: list[object] = [0, "0", LAST_FILE_ID + 1, "2147483648", 2**63, 10**400, -1]
IDS_OF_NO_FILE += [True, False, 1.0, 1.5, float("inf"), float("nan"), "", None, [], [1], {"id": 1}]


@pytest.mark.parametrize("file_id", IDS_OF_NO_FILE)
def test_an_id_that_no_file_has_is_ignored(file_id: object) -> None:
    """An id outside the positive 31-bit numbers of internal files is ignored (docspace.md 5)."""
    with pytest.raises(IgnoredDelivery, match="file_id"):
        parse_event(delivery(file_id), UPDATED)
