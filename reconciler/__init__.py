"""Every update of a DocSpace file gets the comment "Need Review", once.

The path: ``receiver -> ledger -> worker -> client -> DocSpace``, and
``sweep -> client (list) -> ledger -> the same worker``. A webhook says where to look; the
portal's current state says what to do. Only the worker acts, and anything may die at any line.
"""

DISTRIBUTION = "docspace-reconciler"
"""The name in the package index, where ``reconciler`` is somebody else's."""


def version() -> str:
    """Return the version that is installed."""
    from importlib import metadata  # noqa: PLC0415 - help must be quick

    return metadata.version(DISTRIBUTION)
