"""Every update of a DocSpace file gets the comment "Need Review", once.

A delivery's path, module by module: ``service.server`` takes the request, ``receiver`` verifies its
signature and parses it (``event``), ``ledger`` records it and makes its file due, ``worker.loop``
claims the file, ``worker.processor`` calls ``worker.look``, which reads the file through
``client.docspace`` and decides by ``decision``; then it stores the intent in ``ledger``, sets the
comment through ``client.docspace`` and stores the result in ``ledger``. ``service.daemon`` connects
these modules; ``ledger.store`` commits the events of several requests together.

``sweep`` finds what no delivery announced: ``client.docspace`` lists the folders,
``sweep.planning`` decides on each page, ``ledger`` makes the files due, and the same worker does
the rest.

A webhook says where to look; the portal's current state says what to do. Only the worker acts, and
a crash at any line loses nothing.
"""

DISTRIBUTION = "docspace-reconciler"
"""The name in the package index, where ``reconciler`` is somebody else's."""


def version() -> str:
    """Return the version that is installed."""
    from importlib import metadata  # noqa: PLC0415 - help must be quick

    return metadata.version(DISTRIBUTION)
