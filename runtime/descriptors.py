"""How many connections the system lets this process have: each is a file descriptor."""

from __future__ import annotations

import logging
import resource

from . import limits

logger = logging.getLogger("roomhost.runtime")


def connection_limit(wanted: int) -> int:
    """As many connections as wanted, as far as this process may open files; the system is asked for
    more first. Some descriptors are left to storage, which is to go on when no client can be accepted.
    """
    needed = wanted + limits.RESERVED_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted

    allowed = max(soft - limits.RESERVED_FILES, 1)
    logger.log(
        logging.WARNING if allowed < limits.FEW_CONNECTIONS else logging.DEBUG,
        "at most %d connections at a time, not %d: this process may open %d files (ulimit -n); "
        "raise that, or lower max_connections",
        allowed,
        wanted,
        soft,
    )
    return allowed
