"""`python -m tests.soak --minutes 60`, and `python -m tests.soak judge DIR` for one that was killed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from . import limits
from .parents import exit_on_sigterm
from .plan import Places, Plan
from .run import run as run_plan
from .verdict import judge_files

OUT = Path("build/soak")


@click.group(invoke_without_command=True)
@click.option("--minutes", default=60.0, show_default=True, type=click.FloatRange(0.01))
@click.option("--sockets", default=5_000, show_default=True, type=click.IntRange(1))
@click.option("--rooms", default=500, show_default=True, type=click.IntRange(5))
@click.option(
    "--rate", default=float(limits.DEFAULT_RATE), show_default=True, help="Actions a second."
)
@click.option("--loads", default=1, show_default=True, help="Processes of clients.")
@click.option("--seed", default=1, show_default=True)
@click.option("--census", is_flag=True, help="Count the objects of the host by type, each minute.")
@click.option("--out", default=OUT, show_default=True, type=click.Path(path_type=Path))
@click.pass_context
def soak(
    context: click.Context,
    minutes: float,
    sockets: int,
    rooms: int,
    rate: float,
    loads: int,
    seed: int,
    census: bool,
    out: Path,
) -> None:
    """A real host under mixed traffic for a long time, sampled, and judged at the end.

    What an earlier run left in the directory goes. The exit status is 1 where the verdict is not good.
    """
    if context.invoked_subcommand is not None:
        return

    plan = Plan(
        minutes=minutes,
        sockets=sockets,
        rooms=rooms,
        rate=rate,
        loads=loads,
        seed=seed,
        census=census,
    )
    exit_on_sigterm()
    try:
        places = Places(out, earlier=False)
        run_plan(places, plan, click.echo)
    except (OSError, ValueError, RuntimeError) as error:
        raise click.ClickException(str(error)) from None

    tell(places)


@soak.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
def judge(directory: Path) -> None:
    """Judge what a run has left, also one that was killed."""
    tell(Places(directory))


def tell(places: Places) -> None:
    """The verdict, on standard output and as files."""
    verdict = judge_files(places)
    click.echo(places.report.read_text())
    sys.exit(0 if verdict.is_good else 1)


if __name__ == "__main__":
    soak()
