"""Our webhook at the portal: what it should be, what it is, and how it is repaired.

`status` finds it and returns what is wrong, `administration` changes it and tests its address,
`watch` looks at it every few minutes, `delivery_log` reads the deliveries that failed, `secrets`
makes, checks and stores secrets. `service` calls them.
"""

from reconciler.webhooks.administration import AddressTester, WebhookAdministration
from reconciler.webhooks.delivery_log import DeliveryLog
from reconciler.webhooks.secrets import (
    MIN_LENGTH,
    ReloadingSecrets,
    SecretFile,
    make_secret,
    secret_faults,
    secret_to_register,
)
from reconciler.webhooks.status import (
    WebhookSpec,
    WebhookStatus,
    assess_webhook,
    find_duplicate,
    find_webhook,
)
from reconciler.webhooks.watch import RepairPolicy, WebhookWatch

__all__ = [
    "MIN_LENGTH",
    "AddressTester",
    "DeliveryLog",
    "ReloadingSecrets",
    "RepairPolicy",
    "SecretFile",
    "WebhookAdministration",
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
