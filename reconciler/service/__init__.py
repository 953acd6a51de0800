"""Builds everything from the configuration, runs it, and stops it in order.

`server` serves WSGI over waitress, `log` writes the log, `service` wires the rooms together.
"""

from reconciler.service.log import configure_log
from reconciler.service.service import Service

__all__ = ["Service", "configure_log"]
