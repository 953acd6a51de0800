"""The only room that acts: claim, look, decide, write the intent, set the comment, settle.

`attempt` makes one attempt at one file, `breaker` says when to try again what failed, `health` how
looks, writes and the key do, `loop` hands due files to threads.
"""

from reconciler.worker.loop import Worker
from reconciler.worker.portal_health import PortalHealth
from reconciler.worker.processor import FileProcessor, Processed, WorkerSettings

__all__ = ["FileProcessor", "PortalHealth", "Processed", "Worker", "WorkerSettings"]
