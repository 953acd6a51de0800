"""A delivery as an event: what it must say, and in how many ways it may say it."""

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
    """Its digits are what the file is asked for with."""
    assert parse_event(delivery(file_id), UPDATED).file == 13


@pytest.mark.parametrize(
    "file_id", ["drive-4-|1", "sbox-1245", "13a", "-13", "1.3", "\u0661\u0663", " 13", "9" * 30]
)
def test_an_id_that_is_no_number_is_third_partys(file_id: str) -> None:
    """Comments cannot be set there (docspace.md 8)."""
    with pytest.raises(IgnoredDelivery, match="third_party"):
        parse_event(delivery(file_id), UPDATED)


IDS_OF_NO_FILE: list[object] = [0, "0", LAST_FILE_ID + 1, "2147483648", 2**63, 10**400, -1]
IDS_OF_NO_FILE += [True, False, 1.0, 1.5, float("inf"), float("nan"), "", None, [], [1], {"id": 1}]


@pytest.mark.parametrize("file_id", IDS_OF_NO_FILE)
def test_an_id_that_no_file_has_is_ignored(file_id: object) -> None:
    """The ids of internal files are positive and have 31 bits (docspace.md 5)."""
    with pytest.raises(IgnoredDelivery, match="file_id"):
        parse_event(delivery(file_id), UPDATED)
