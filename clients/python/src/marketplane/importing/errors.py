"""What ends an import."""

from marketplane.errors import MarketplaneError


class FileError(MarketplaneError):
    """The file, or what was said about it, cannot be used. The text says what to do."""
