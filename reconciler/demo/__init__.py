"""The demonstration: a portal in memory, the real daemon, a few people, and a verdict.

`story` is what the people do and what each file must carry in the end, `run` plays it on the
sandbox and the service, `tutorial` is the obvious script, to compare with.
"""

from reconciler.demo.run import Decided, Did, Verdict, run

__all__ = ["Decided", "Did", "Verdict", "run"]
