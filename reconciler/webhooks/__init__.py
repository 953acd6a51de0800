"""Our webhook at the portal: what it should be, what it is, and how it is put right.

`state` finds it and says what is wrong, `administration` changes it, `secrets` makes and keeps
what deliveries are signed with, `keyring` knows which of them still count, `probe` asks an
address from outside whether our receiver stands there.
"""

from reconciler.webhooks.administration import SAID, WebhookAdministration, secret_to_register
from reconciler.webhooks.keyring import GRACE, Keyring, fingerprint, remembered
from reconciler.webhooks.probe import Probe
from reconciler.webhooks.secrets import SHORTEST, SecretFile, faults_of, make_secret
from reconciler.webhooks.state import WebhookIssue, WebhookSpec, WebhookStatus, find, judge

__all__ = [
    "GRACE",
    "SAID",
    "SHORTEST",
    "Keyring",
    "Probe",
    "SecretFile",
    "WebhookAdministration",
    "WebhookIssue",
    "WebhookSpec",
    "WebhookStatus",
    "faults_of",
    "find",
    "fingerprint",
    "judge",
    "make_secret",
    "remembered",
    "secret_to_register",
]
