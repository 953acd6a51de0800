"""The only package that writes to files: claim, look, decide, store the intent, comment, settle.

The service runs it. `loop` claims due files and gives them to threads, `processor` makes one
attempt at a file: `look` reads it and decides, then the processor writes and settles.
`portal_health` has the circuit breakers for looks, writes and the key, and the retry delays.
"""

from reconciler.worker.look import Look, Looker
from reconciler.worker.loop import Worker
from reconciler.worker.portal_health import PortalHealth
from reconciler.worker.processor import FileProcessor, Processed, WorkerSettings

__all__ = [
    "FileProcessor",
    "Look",
    "Looker",
    "PortalHealth",
    "Processed",
    "Worker",
    "WorkerSettings",
]
