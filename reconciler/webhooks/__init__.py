"""Our webhook at the portal: what it should be, what it is, and how it is put right.

`state` finds it and says what is wrong, `administration` changes it, `secrets` generates
and checks secrets, `secret_file` stores them and reads them again, `probe` asks an address from
outside whether our receiver answers there.
"""

from reconciler.webhooks.administration import SAID, WebhookAdministration
from reconciler.webhooks.probe import Probe
from reconciler.webhooks.secret_file import ReloadingSecrets, SecretFile
from reconciler.webhooks.secrets import (
    MIN_LENGTH,
    make_secret,
    secret_faults,
    secret_to_register,
)
from reconciler.webhooks.state import WebhookIssue, WebhookSpec, WebhookStatus, find, judge

__all__ = [
    "MIN_LENGTH",
    "SAID",
    "Probe",
    "ReloadingSecrets",
    "SecretFile",
    "WebhookAdministration",
    "WebhookIssue",
    "WebhookSpec",
    "WebhookStatus",
    "find",
    "judge",
    "make_secret",
    "secret_faults",
    "secret_to_register",
]
