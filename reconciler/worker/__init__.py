"""The only room that acts: claim, look, decide, write the intent, set the comment, settle.

`attempt` makes one attempt at one file, `breaker` says when to try again what failed, `health` how
looks, writes and the key do, `loop` hands due files to threads.
"""

from reconciler.worker.attempt import Attempt, Attempts, Terms
from reconciler.worker.health import PortalHealth
from reconciler.worker.loop import Worker

__all__ = ["Attempt", "Attempts", "PortalHealth", "Terms", "Worker"]
