"""Blocks that no interpreter runs: each is read by what reads such a file, as far as that is here."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import click
import yaml

from roomhost.runtime.commands import roomhost
from roomhost.runtime.settings import load_settings

from .doc_page import Block

PROXY_DIRECTIVES = ("proxy_pass", "reverse_proxy")


def check_command(words: list[str]) -> None:
    """Assert that these are arguments `roomhost` takes, without running anything."""
    name, *arguments = words
    context = click.Context(roomhost, info_name="roomhost")
    command = roomhost.get_command(context, name)
    assert command is not None, f"no command {name}"
    command.make_context(name, arguments, parent=context).close()


def check_toml(block: Block, directory: Path) -> None:
    """TOML; a `roomhost.toml` is what the host takes."""
    tomllib.loads(block.text)
    if block.title == "roomhost.toml":
        load_settings(environ={}, directory=directory)


def check_json(block: Block, directory: Path) -> None:
    """JSON."""
    json.loads(block.text)


def check_yaml(block: Block, directory: Path) -> None:
    """YAML; the commands of services are ours."""
    loaded: Any = yaml.safe_load(block.text)
    for service in (loaded or {}).get("services", {}).values():
        if "command" in service:
            check_command(list(service["command"])[1:])


def words_of(line: str) -> list[str]:
    """What a unit starts, by a shell or without one; what the shell computes is a word."""
    words = shlex.split(re.sub(r"\$\$\([^)]*\)", "computed", line))
    return shlex.split(words[2]) if words[:2] == ["/bin/sh", "-c"] else words


def check_ini(block: Block, directory: Path) -> None:
    """A unit of systemd, which systemd reads where it is; what it starts is a command of ours."""
    assert block.title is not None and block.title.endswith((".service", ".timer")), block.title
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(block.text)
    if parser.has_option("Service", "ExecStart"):
        command, *words = words_of(parser["Service"]["ExecStart"])
        assert Path(command).name == "roomhost", command
        check_command(words)
    if shutil.which("systemd-analyze"):
        _systemd(block, directory)


def _systemd(block: Block, directory: Path) -> None:
    # Users and programs of the page's machine are not here: /bin/true stands for the program.
    assert block.title is not None
    lines = [
        "ExecStart=/bin/true" if line.startswith("ExecStart=") else line
        for line in block.text.splitlines()
        if not line.startswith(("User=", "Group=", "EnvironmentFile="))
    ]
    unit = directory / "verify" / Path(block.title).name
    unit.parent.mkdir(exist_ok=True)
    unit.write_text("\n".join(lines) + "\n")
    if unit.suffix == ".timer":
        (unit.with_suffix(".service")).touch()
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", str(unit)],
        capture_output=True,
        text=True,
    )
    found = [line for line in done.stderr.splitlines() if unit.name in line]
    assert not found, "\n".join(found)


def check_dockerfile(block: Block, directory: Path) -> None:
    """Instructions that exist; what is copied is on the page; what is started is a command of ours."""
    text = block.text.replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and line[0] != "#"]
    assert lines[0][0] == "FROM", "a Dockerfile begins with FROM"
    for instruction, rest in lines:
        match instruction:
            case "COPY":
                sources = [word for word in rest.split()[:-1] if not word.startswith("--")]
                for source in sources:
                    assert (directory / source).exists(), f"COPY {source}: it is not on the page"
            case "CMD" | "ENTRYPOINT":
                command, *words = json.loads(rest)
                assert command == "roomhost", command
                check_command(words)
            case _:
                assert instruction in {"FROM", "RUN", "WORKDIR", "ENV", "USER", "EXPOSE", "VOLUME",
                                       "HEALTHCHECK", "STOPSIGNAL"}, instruction  # fmt: skip


def check_blocks(block: Block, directory: Path) -> None:
    """nginx and Caddy: braces in pairs, each directive ended, and something passed to our port."""
    depth, passed = 0, False
    for line in block.text.splitlines():
        stripped = line.partition("#")[0].strip()
        passed |= stripped.startswith(PROXY_DIRECTIVES) and ":8787" in stripped
        depth += stripped.count("{") - stripped.count("}")
        assert depth >= 0, f"{line!r} closes what is not open"
        if block.language == "nginx" and stripped:
            assert stripped[-1] in "{};", f"{line!r} does not end"
    assert depth == 0, f"{depth} braces are not closed"
    assert passed or "server" not in block.text, "nothing is passed to the host"


class _Tags(HTMLParser):
    """Which elements are open."""

    VOID = frozenset(("meta", "link", "input", "br", "img", "hr"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes what is not open"


def check_html(block: Block, directory: Path) -> None:
    """Elements that are closed, each where it was opened."""
    tags = _Tags()
    tags.feed(block.text)
    optional = {"html", "body", "head", "p", "li"}
    assert not set(tags.open) - optional, f"not closed: {tags.open}"


CHECKS: Mapping[str, Callable[[Block, Path], None]] = {
    "toml": check_toml,
    "json": check_json,
    "yaml": check_yaml,
    "ini": check_ini,
    "dockerfile": check_dockerfile,
    "nginx": check_blocks,
    "caddyfile": check_blocks,
    "html": check_html,
}
