"""Values for the formats of the document: what they mean, JSON Schema cannot say."""

from datetime import datetime

import schemathesis
from hypothesis import strategies

# A key is a point of a curve, and an npub has a checksum. These are good.
KEYS = [
    "d1a5ac9a015fac2ef7b341673635512a1511f41fe37d111b267f039eec5d4f58",
    "6AB9F1EB8F7D3388F4F9D586F66E99FD54080DF2C446F0E58668B09C08A16DD0",
    "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6",
]
HOST = r"[a-z][a-z0-9]{0,9}\.[a-z]{2,5}"

FORMATS = {
    "entity-tags": strategies.sampled_from(["*", '"1"', 'W/"1", "2"', '"", "a"']),
    "nip05": strategies.from_regex(rf"\A[a-z0-9._-]{{1,20}}@{HOST}\Z"),
    "nostr-public-key": strategies.sampled_from(KEYS),
    "relay-url": strategies.from_regex(rf"\Awss?://{HOST}(:[1-9][0-9]{{0,3}})?(/[a-z0-9]{{0,9}})?\Z"),
    "utc-time": strategies.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 1, 1)).map(
        lambda at: f"{at.isoformat()}Z"
    ),
}
for name, values in FORMATS.items():
    schemathesis.openapi.format(name, values)
