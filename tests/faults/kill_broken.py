"""broken"""

VARIABLE = "KILL_BROKEN"


def install(names: str) -> None: ...
