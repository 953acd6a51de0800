"""The only room that acts: claim, look, decide, write the intent, set the comment, settle.

`attempt` makes one attempt at one file, `trouble` says what a failure of the portal means
for the file and for everything else, `loop` hands due files to threads.
"""

from reconciler.worker.attempt import Attempt, Attempts, Terms
from reconciler.worker.loop import Worker
from reconciler.worker.trouble import ailment_of

__all__ = ["Attempt", "Attempts", "Terms", "Worker", "ailment_of"]
