"""`python -m tests.faults`: each kind of fault has its command."""

from __future__ import annotations

import click

from .resources_command import resources


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def faults() -> None:
    """Real faults under a real host, for as long as you like."""


faults.add_command(resources)

if __name__ == "__main__":
    faults()
