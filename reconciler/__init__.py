"""Every update of a DocSpace file gets the comment "Need Review", once.

The path: ``receiver -> ledger -> worker -> client -> DocSpace``, and
``sweep -> client (list) -> ledger -> the same worker``. A webhook says where to look; the
portal's current state says what to do. Only the worker acts, and anything may die at any line.
"""
