"""Times as a person reads and types them."""

import os
import subprocess
import sys
from datetime import UTC, datetime

from reconciler.formats import local_time

MOMENT = datetime(2026, 1, 31, 8, 30, 5, tzinfo=UTC)


def test_a_time_names_its_zone() -> None:
    """A time is printed with its zone."""
    assert local_time(MOMENT) == "2026-01-31 08:30:05 UTC"


CODE = f"""
from datetime import datetime
from reconciler.cli.runs import moment
from reconciler.formats import local_time
print(local_time(datetime.fromisoformat("{MOMENT}")), moment("2026-01-31", "--since"), sep=", ")
"""


def test_a_time_is_told_in_the_zone_of_the_reader() -> None:
    """A time is printed in the zone of TZ, and a date without a zone is read in it."""
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PATH": os.environ["PATH"], "TZ": "XST-9"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "2026-01-31 17:30:05 XST, 2026-01-30 15:00:00+00:00\n"
