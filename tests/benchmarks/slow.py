"""`python -m tests.benchmarks.slow serve`: reconciler on a disk whose commits take longer."""

import os
import time

from sqlalchemy import Connection, Engine, event
from sqlalchemy.pool import QueuePool

from reconciler.cli import main

if __name__ == "__main__":
    seconds = float(os.environ["BENCHMARK_COMMIT_SECONDS"])

    @event.listens_for(Engine, "commit")
    def _wait(connection: Connection) -> None:
        pool = connection.engine.pool
        if isinstance(pool, QueuePool) and pool.size() == 1:  # the connection that writes
            time.sleep(seconds)

    main()
