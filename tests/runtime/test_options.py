"""The options of a command are the settings that have a flag."""

from __future__ import annotations

from typing import Any

import click
from click.testing import CliRunner

from roomhost.runtime.commands import serve
from roomhost.runtime.host_settings import fields
from roomhost.runtime.options import settings_options


def test_serve_has_an_option_for_every_flag_and_for_no_secret() -> None:
    """Under the name that the page of the settings gives it."""
    options = {option for parameter in serve.params for option in parameter.opts}
    flags = {field.flag for field in fields().values() if field.flag is not None}
    assert flags <= options
    assert not {"--api-keys", "--token-secrets"} & options


def test_a_command_gets_what_was_given_and_none_for_the_rest() -> None:
    """But for the settings that it leaves out; a switch can be turned off."""
    got: dict[str, Any] = {}

    @click.command()
    @settings_options("host")
    def command(**flags: Any) -> None:
        got.update(flags)

    arguments = ["--port", "9", "--no-inspector", "--log-level", "debug"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    given = {name: value for name, value in got.items() if value is not None}
    assert given == {"port": 9, "inspector": False, "log_level": "debug"}
    assert "host" not in got
    assert CliRunner().invoke(command, ["--host", "::1"]).exit_code == 2


def test_near_misses_are_told_the_right_option() -> None:
    """And a value that is not allowed what is."""
    for arguments, message in (
        (["a:b", "--prot", "1"], "--port"),
        (["a:b", "--log-level", "loud"], "'warning'"),
        (["a:b", "--port", "70000"], "0<=x<=65535"),
    ):
        result = CliRunner().invoke(serve, arguments)
        assert result.exit_code == 2
        assert message in result.output
