"""What can go wrong, by name. None of these texts holds a key, nor what an event says."""


class MarketplaneError(Exception):
    """Every error of this package."""


class InvalidEvent(MarketplaneError, ValueError):
    """The event cannot be sent as it is. Nothing of it was kept."""


class BufferFull(MarketplaneError):
    """As many events as the caller allowed are waiting to be acknowledged. This one was not taken."""


class Closed(MarketplaneError):
    """The reporter is closed. The event was not taken."""


class NotAllSent(MarketplaneError, TimeoutError):
    """The time was over before all events were acknowledged.

    Attributes:
        count: how many are not. They are still in the buffer, and in the spool if there is one.
    """

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} events were not acknowledged in time.")
        self.count = count


class Stopped(MarketplaneError):
    """Sending has stopped until a person has acted: the credentials or the address are wrong, or nothing was
    acknowledged for as long as the caller allowed. All events are kept."""


class SpoolInUse(MarketplaneError):
    """The spool directory belongs to another reporter, of this process or of another."""
