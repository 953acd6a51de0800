"""The demonstration: a portal in memory, the real daemon, a few users, and checks.

`scenes` plays the scenes on the `stage` (portal and daemon) and checks what the portal recorded;
`tutorial` is the obvious script, to compare with.
"""

from reconciler.demo.scenes import Scene, SceneCheck, play

__all__ = ["Scene", "SceneCheck", "play"]
