"""The contract's other operations: nobody asks for them."""

from metering.endpoints import *  # noqa: F403
