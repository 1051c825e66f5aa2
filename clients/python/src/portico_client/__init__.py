"""The client of the Portico daemon."""

from .client import AsyncLogin, AsyncPortico, Login, Portico
from .errors import PorticoError
from .login import Approved, Declined, Failed, Result, Step
from .webhook import verify_webhook

__all__ = [
    "Approved",
    "AsyncLogin",
    "AsyncPortico",
    "Declined",
    "Failed",
    "Login",
    "Portico",
    "PorticoError",
    "Result",
    "Step",
    "verify_webhook",
]
