"""The only package that acts: claim, look, decide, write the intent, set the comment, settle.

The service runs it. `loop` hands due files to threads, `processor` makes one attempt at one file,
`look` asks for it and decides, `portal_health` says how looks, writes and the key do, and
`circuit_breaker` when to try again what failed.
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
