"""When a host is killed: drawn from a seed, before it runs."""

from __future__ import annotations

from dataclasses import dataclass
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
    BACKUP = "in a backup; then, if there is one, in its restore"
    DEPLOY = "in a deploy, or the migration it records"
    COMPACT = "under load; then in a compaction of what it left"


# One data directory lives through all of these: a host that begins it is killed first.
LIFE = (
    *(Moment.START, Moment.REPLAY, Moment.TIME, Moment.APPEND, Moment.REPLAY, Moment.COUNT),
    *(Moment.DEPLOY, Moment.APPLY, Moment.APPEND, Moment.BACKUP, Moment.COMPACT),
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
RESTORE_SEAMS = (
    *("fsync.before:1", "fsync.after:1", "fsync.after:2", "fsync.after:3", "fsync.after:4"),
    *("rename.before:1", "rename.after:1", "rename.after:2", "replace.before:1", "replace.after:1"),
)
COMPACT_SEAMS = (
    *("apply.before:1", "apply.within:1", "apply.after:1"),
    *("fsync.before:1", "fsync.after:1", "fsync.before:2", "fsync.after:2", "fsync.after:3"),
    *("rename.before:1", "rename.after:1", "unlink.before:1", "unlink.after:1"),
)


class Victim(Enum):
    """Who is killed in a backup."""

    HOST = "host"
    COPY = "copy"  # the process that copies; then the host
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Blow:
    """One kill. `seconds`: after which it comes, or the backup begins; `seam`: at which call to the disk it
    comes instead (see `kill_seams`), of a compaction, or of the restore of a backup, where there is
    one; `count`: of acknowledgements, or of lines that a backup says of its progress; `victim`: of a
    backup."""

    moment: Moment
    seconds: float = 0.0
    seam: str = ""
    count: int = 0
    victim: Victim = Victim.HOST


START_SECONDS = 0.8  # a little more than a start takes
LOAD_SECONDS = (0.05, 0.5)  # under load
DEPLOY_SECONDS = 0.15
COUNTS = (5, 200)  # acknowledgements
LINES = (1, 9)  # of the progress of a backup, which may have fewer
TIMED_DEPLOYS = 0.3  # of all


def blows_of(seed: int) -> list[Blow]:
    """Those of one life of a data directory."""
    random = Random(seed)
    first, rest = list(LIFE[:FIRST]), list(LIFE[FIRST:])
    random.shuffle(rest)
    return [blow_at(moment, random) for moment in first + rest]


def blow_at(moment: Moment, random: Random) -> Blow:
    """One of a kind."""
    place = random.choice(PLACES)
    match moment:
        case Moment.START:
            return Blow(moment, seconds=random.uniform(0, START_SECONDS))
        case Moment.REPLAY:
            return Blow(moment, seam=random.choice(START_SEAMS))
        case Moment.APPEND:
            return Blow(moment, seam=f"pwritev.{place}:{random.randint(1, 60)}")
        case Moment.APPLY:
            return Blow(moment, seam=f"apply.{place}:{random.randint(1, 3)}")
        case Moment.COUNT:
            return Blow(moment, count=random.randint(*COUNTS))
        case Moment.BACKUP:
            seconds, count = random.uniform(*LOAD_SECONDS), random.randint(*LINES)
            seam, victim = random.choice(RESTORE_SEAMS), random.choice(list(Victim))
            return Blow(moment, seconds, seam, count, victim)
        case Moment.DEPLOY if random.random() < TIMED_DEPLOYS:
            return Blow(moment, seconds=random.uniform(0, DEPLOY_SECONDS))
        case Moment.DEPLOY:  # the record of the migration; then the objects that it deletes
            return Blow(moment, seam=f"record.{place}:{random.choice((1, 1, 2, 3))}")
        case Moment.TIME:
            return Blow(moment, seconds=random.uniform(*LOAD_SECONDS))
        case Moment.COMPACT:
            seam = random.choice(COMPACT_SEAMS)
            return Blow(moment, seconds=random.uniform(*LOAD_SECONDS), seam=seam)
