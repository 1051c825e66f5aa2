"""PyPI's standardwebhooks, as a receiver would use it."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

asked = json.load(sys.stdin)
webhook = Webhook(asked["secret"])


def read(case):
    try:
        return webhook.verify(case["body"], case["headers"])
    except WebhookVerificationError:
        return None


print(json.dumps([read(case) for case in asked["cases"]]))
