"""When a host is killed."""

from __future__ import annotations

from enum import Enum
from random import Random


class Moment(Enum):
    """What it is doing."""

    TIME = "at a random time under load"
    COUNT = "after a number of acknowledgements"
    APPEND = "before, within or after a write to the commit log"
    APPLY = "before, within or after a commit of LMDB"
    START = "at a random time while it starts"
    REPLAY = "at a call to the disk while it starts"
    BACKUP = "in a backup"
    DEPLOY = "in a deploy, or the migration it records"
    COMPACT = "under load; then in a compaction of what it left"


# One data directory lives through all of these: a host that begins it is killed first.
LIFE = (
    *(Moment.START, Moment.REPLAY, Moment.TIME, Moment.APPEND, Moment.REPLAY, Moment.COUNT),
    *(Moment.DEPLOY, Moment.APPLY, Moment.START, Moment.APPEND, Moment.REPLAY, Moment.BACKUP),
    *(Moment.TIME, Moment.DEPLOY, Moment.COMPACT),
)
FIRST = 2  # of them are when it begins; the rest comes in any order
PLACES = ("before", "within", "after")
START_SEAMS = (
    *("apply.before:1", "apply.within:1", "apply.after:1"),
    *("record.before:1", "record.within:1", "record.after:1"),
    *("pwritev.before:1", "pwritev.within:1", "pwritev.after:1"),
    *("fsync.before:1", "fsync.after:1", "fsync.before:2", "fsync.after:2", "fsync.after:3"),
    *("replace.before:1", "replace.after:1", "rename.before:1", "rename.after:1"),
    *("unlink.before:1", "unlink.after:1", "ftruncate.before:1", "ftruncate.after:1"),
)
COMPACT_SEAMS = (
    *("apply.before:1", "apply.within:1", "apply.after:1"),
    *("fsync.before:1", "fsync.after:1", "fsync.before:2", "fsync.after:2", "fsync.after:3"),
    *("rename.before:1", "rename.after:1", "unlink.before:1", "unlink.after:1"),
)


def moments_of(random: Random) -> list[Moment]:
    """Those of one life of a data directory."""
    first, rest = list(LIFE[:FIRST]), list(LIFE[FIRST:])
    random.shuffle(rest)
    return first + rest


def load_seam(moment: Moment, random: Random) -> str:
    """Where in the load it dies."""
    place = random.choice(PLACES)
    if moment is Moment.APPEND:
        return f"pwritev.{place}:{random.randint(1, 60)}"

    return f"apply.{place}:{random.randint(1, 3)}"


def deploy_seam(random: Random) -> str:
    """Where in a deploy: at the record of the migration, or at a deletion of objects after it."""
    return f"record.{random.choice(PLACES)}:{random.choice((1, 1, 2, 3))}"
