"""The demonstration: a portal in memory, the real daemon, a few people, and a summary.

`scenes` is what happens, on the `stage` (portal and daemon), and judges what the portal recorded
of it; `tutorial` is the obvious script, to compare with.
"""

from reconciler.demo.scenes import Check, Scene, play

__all__ = ["Check", "Scene", "play"]
