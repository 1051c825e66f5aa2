"""When to ask again for the events of a stream."""

import random
import time
from typing import TYPE_CHECKING

from .errors import PorticoError

if TYPE_CHECKING:
    from .types import Events

_SHORTEST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
# A daemon that is stopping answers long polls at once. After an answer as quick as this, pause.
_SUSPICIOUSLY_SOON = 0.2


class Following:
    """Where a follower is in a stream, and how long it waits before the next try. Times in seconds."""

    def __init__(self, after: int, patience: float) -> None:
        self.after = after
        self._patience = patience
        self._failures = 0
        self._heard = self._asked = time.monotonic()

    def ask(self) -> None:
        """Note that a question is sent now."""
        self._asked = time.monotonic()

    def failed(self, error: PorticoError) -> float:
        """Return how long to wait before the next try. Raise the error if no try is left, or none can help."""
        if not error.is_passing or time.monotonic() - self._heard > self._patience:
            raise error
        return self._pause(error.retry_after or 0)

    def heard(self, page: "Events") -> float:
        """Return how long to wait before the next question."""
        self._heard = time.monotonic()
        if page["events"]:
            self.after = page["events"][-1]["index"]
        elif self._heard - self._asked < _SUSPICIOUSLY_SOON:
            return self._pause(0)
        self._failures = 0
        return 0

    def _pause(self, at_least: float) -> float:
        grown = min(_SHORTEST_PAUSE * 2.0 ** min(self._failures, 16), _LONGEST_PAUSE)
        self._failures += 1
        # Chance spreads the tries of many clients.
        return max(at_least, grown * random.uniform(0.5, 1))  # noqa: S311
