"""What can go wrong with values and with the disk."""

from __future__ import annotations


class DataCloneError(TypeError):
    """A value cannot be stored or sent; the message names the type and the path inside the value."""


class StorageError(Exception):
    """A commit failed, or storage cannot be used any more; the message says what to do.

    Nothing of a failed commit is stored.
    """


class DataDirectoryError(Exception):
    """A data directory cannot be used: another host has it, or it is no roomhost directory of a
    known format. The message is one line that says what to do."""


class DataDirectoryHeldError(DataDirectoryError):
    """Another host has the data directory; `holder` says which."""

    def __init__(self, message: str, holder: str) -> None:
        super().__init__(message)
        self.holder = holder
