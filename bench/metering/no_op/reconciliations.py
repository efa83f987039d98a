"""The contract's other operations: nobody asks for them."""

from metering.reconciliations import *  # noqa: F403
