"""A terminal session as a page shows it: commands after `$ `, and what they print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PROMPT = "$ "
INTERRUPT = "^C"
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SERVERS = re.compile(r"^(?:\w+=\S+ )*(?:roomhost (?:serve|dev)|uvicorn) ")


@dataclass(frozen=True, slots=True)
class Step:
    """A command and its output. Without a command: more output of what serves. `interrupted`: what
    it prints after Ctrl-C."""

    command: str | None
    expected: str
    interrupted: str | None = None

    @property
    def serves(self) -> bool:
        """Whether it goes on until it is told to stop."""
        return self.command is not None and SERVERS.match(self.command) is not None


def read_steps(text: str) -> Iterator[Step]:
    """The steps of one block. A command goes on in the next line after a backslash."""
    command: str | None = None
    output: list[str] = []
    open_line = False
    for line in text.splitlines():
        if open_line and command is not None:
            command += f"\n{line}"
        elif line.startswith(PROMPT):
            if command is not None or output:
                yield _step(command, output)
            command, output = line.removeprefix(PROMPT), []
        else:
            output.append(line)
            continue
        open_line = line.endswith("\\")
    yield _step(command, output)


def _step(command: str | None, output: list[str]) -> Step:
    if INTERRUPT not in output:
        return Step(command, "\n".join(output))

    at = output.index(INTERRUPT)
    return Step(command, "\n".join(output[:at]), "\n".join(output[at + 1 :]))


def pattern_of(expected: str) -> re.Pattern[str]:
    """What an output matches: `...` stands for any text of a line, alone in a line for any lines."""
    parts: list[str] = []
    for line in expected.splitlines():
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(r"[^\n]*".join(map(re.escape, line.rstrip().split("..."))) + r" *\n")
    return re.compile("".join(parts))


def matches(expected: str, output: str) -> bool:
    """Whether a command printed what the page says, all of it and nothing more."""
    return pattern_of(expected).fullmatch(plain(output)) is not None


def begins(expected: str, output: str) -> bool:
    """Whether what still runs has printed what the page says, so far."""
    return pattern_of(expected).match(plain(output)) is not None


def plain(output: str) -> str:
    """An output without colours and spaces at the ends of lines; each line ends."""
    lines = ANSI.sub("", output).replace("\r\n", "\n").splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    return "".join(f"{line.rstrip()}\n" for line in lines)
