"""What goes wrong."""

_PASSING_CODES = frozenset({"unreachable", "no_answer"})
_PASSING_STATUSES = frozenset({408, 429, 502, 503, 504})


class PorticoError(Exception):
    """
    The daemon rejected the request, or did not answer.

    `code` is the daemon's, such as `token_expired`, or one of the client's own:

    - `unreachable`: the client cannot connect (status 0)
    - `no_answer`: the daemon did not answer in time (status 0)
    - `malformed_answer`: the answer is not one of the daemon
    - `bad_options`: an option of the client is wrong

    It never contains a token, a stream id or the body of an answer.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 0,
        retry_after: float | None = None,
        detail: str | None = None,
        renewable: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        """The HTTP status of the answer; 0 without one. If the error is about a request to your app: your answer."""
        self.retry_after = retry_after
        """Seconds to wait before the next try, if the daemon said so."""
        self.detail = detail
        """A second code, if the first one leaves the reason open."""
        self.renewable = renewable
        """Only the access token has expired: `refresh` returns a new one."""

    @property
    def is_passing(self) -> bool:
        """Whether the same request may succeed later: the daemon restarts, is overloaded, or was too slow."""
        return self.code in _PASSING_CODES or self.status in _PASSING_STATUSES

    def __str__(self) -> str:
        return f"{self.code}: {super().__str__()}"
