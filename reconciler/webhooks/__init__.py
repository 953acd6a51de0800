"""Our webhook at the portal: what it should be, what it is, and how it is repaired.

`status` finds it and returns what is wrong, `administration` changes it, `watch` looks at it
every few minutes, `delivery_log` reads the deliveries that failed. `secrets` generates and checks
secrets, `secret_file` stores them and reads them again, `probe` tests an address from outside,
`event_log` is the port to the log. `service` calls them.
"""

from reconciler.webhooks.administration import WebhookAdministration
from reconciler.webhooks.delivery_log import DeliveryLog
from reconciler.webhooks.probe import Probe
from reconciler.webhooks.secret_file import ReloadingSecrets, SecretFile
from reconciler.webhooks.secrets import (
    MIN_LENGTH,
    make_secret,
    secret_faults,
    secret_to_register,
)
from reconciler.webhooks.status import (
    WebhookIssue,
    WebhookSpec,
    WebhookStatus,
    assess_webhook,
    find_duplicate,
    find_webhook,
)
from reconciler.webhooks.watch import RepairPolicy, WebhookWatch

__all__ = [
    "MIN_LENGTH",
    "DeliveryLog",
    "Probe",
    "ReloadingSecrets",
    "RepairPolicy",
    "SecretFile",
    "WebhookAdministration",
    "WebhookIssue",
    "WebhookSpec",
    "WebhookStatus",
    "WebhookWatch",
    "assess_webhook",
    "find_duplicate",
    "find_webhook",
    "make_secret",
    "secret_faults",
    "secret_to_register",
]
