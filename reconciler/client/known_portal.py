"""Whether the portal writes comments of its own that we know: asked before a text is classified."""

from collections.abc import Iterable

from reconciler.client.docspace import DocSpace
from reconciler.decision import Policy
from reconciler.model import File


def knows_portal(
    docspace: DocSpace, policy: Policy, known: bool | None, files: Iterable[File]
) -> bool | None:
    """Return whether the portal has shown a text that we know; ``known`` is what we knew before.

    Where nothing is known, older versions of the first file and other files are read, once. None
    where no file needs the answer yet. Raises TransientError.
    """
    if known:
        return True
    unclear = [file for file in files if not policy.is_target(file.comment)]
    if policy.recognizes(file.comment for file in unclear):
        return True
    samples = [file.id for file in unclear if isinstance(file.id, int)]
    if known is not None or not samples:
        return known
    return policy.recognizes(docspace.sample_comments(samples[0]))
