"""Fixtures that several test modules share."""

import gc
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import responses
from hypothesis import HealthCheck, settings

from reconciler.ledger import Ledger
from reconciler.model import UNLIMITED
from tests import postgres, support_sandbox
from tests.support_http import StubServer, answering
from tests.support_ledger import ADDRESS, opened
from tests.support_notify import ACCEPTED
from tests.support_sweep import Stage, stage
from tests.world import World, world

# Times are printed in the zone of TZ, which is UTC in the tests.
os.environ["TZ"] = "UTC"
time.tzset()

# How long one example takes depends on the machine and on what else it does.
settings.register_profile(
    "suite", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

# The slowest test files, the slowest first: one of them started last would delay the end.
LONGEST = (
    "test_standin",
    "test_ledger",
    "test_sweep",
    "test_reconcile",
    "test_liveness",
    "test_demo",
    "test_page",
    "test_webhook",
    "test_backfill",
    "test_daemon",
    "test_benchmarks",
    "test_overview",
    "test_languages",
    "test_check",
    "test_chaos_postgres",
    "test_looks",
    "test_decision_model",
    "test_faults",
    "test_ledger_file",
    "test_ledger_postgres",
    "test_watch",
    "test_standin_texts",
    "test_worker",
    "test_storm",
    "test_portal_identity",
    "test_status",
    "test_admin",
    "test_crash",
    "test_cli",
    "test_locale",
    "test_ledger_shared",
    "test_copying",
    "test_sandbox_sdk",
    "test_failover_postgres",
    "test_convergence",
    "test_connections",
    "test_notifying",
    "test_service_postgres",
    "test_fuzz",
    "test_reviews",
    "test_webhooks",
    "test_limits",
    "test_help",
    "test_init",
    "test_client_errors",
    "test_logging",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest tests first."""
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


def pytest_collection_finish() -> None:
    """Exclude the present objects from garbage collection, which took a fifth of the time."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    """A fresh world."""
    with world(tmp_path / "ledger.db") as built:
        yield built


@pytest.fixture
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger, with the quota that an indirect parameter names."""
    with opened(tmp_path, getattr(request, "param", UNLIMITED)) as one:
        yield one


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Stage]:
    """Three files, saved an hour ago without any event."""
    with stage(tmp_path) as built:
        yield built


@pytest.fixture
def portal() -> Iterator[responses.RequestsMock]:
    """A portal that answers only what a test has scripted."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(name="world")
def sandbox_world() -> Iterator[support_sandbox.World]:
    """A sandbox portal with a server."""
    with support_sandbox.served() as served:
        yield served


@pytest.fixture
def endpoint() -> Iterator[support_sandbox.Receiver]:
    """A receiver of the sandbox's webhooks."""
    with support_sandbox.receiver() as receiver:
        yield receiver


@pytest.fixture
def service() -> Iterator[StubServer]:
    """A notification service that accepts every message."""
    with answering(ACCEPTED) as line:
        yield line


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a PostgreSQL server on which databases can be created."""
    postgres.needed()
    with ExitStack() as stack:
        named = os.environ.get(postgres.NAMED)
        yield named or stack.enter_context(postgres.server()).url


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """A database shared by the tests of this process; each has its own schema."""
    with postgres.database(postgres_server) as address:
        yield address


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL server of this module, which its tests may stop."""
    postgres.needed(own=True)
    with postgres.server() as own:
        yield own


@pytest.fixture
def address(server: postgres.PostgresServer) -> Iterator[str]:
    """The address of an empty database on that server."""
    with postgres.database(server.url) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgres"])
def each_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Run the test on each database, with the ledger of ``tmp_path``."""
    with ExitStack() as stack:
        if request.param == "postgres":
            place = request.getfixturevalue("postgres_database")
            address = stack.enter_context(postgres.schema(place))
            (tmp_path / ADDRESS).write_text(address, encoding="utf-8")
        yield
