"""What must be true of every recorded history, as pure functions over it."""

from collections.abc import Iterator


def named(*found: Iterator[str]) -> Iterator[str]:
    """What several checks yield, each complaint with the name of the function that has it."""
    for complaints in found:
        name = getattr(complaints, "__name__", "a check")
        yield from (f"{name}: {complaint}" for complaint in complaints)
