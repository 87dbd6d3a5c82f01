"""Settings: where they come from, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from roomhost.runtime import HostError, HostSettings, load_settings
from roomhost.runtime.host_settings import fields
from roomhost.runtime.settings import find_sources, make_settings


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    """Nothing given."""
    settings = load_settings(environ={}, directory=tmp_path)
    assert settings == HostSettings()
    assert (settings.host, settings.port, settings.idle_eviction_seconds) == ("127.0.0.1", 8787, 10)


def test_flags_come_before_variables_before_the_file(tmp_path: Path) -> None:
    """Each fills in what the one before left open, and it is known where each one stands."""
    (tmp_path / "roomhost.toml").write_text(
        'port = 1\nhost = "0.0.0.0"\nidle_eviction_seconds = 3\n'
    )
    environ = {"ROOMHOST_PORT": "2", "ROOMHOST_HOST": "::1", "OTHER": "x"}
    flags = {"port": 3, "host": None}
    settings = load_settings(flags, environ, tmp_path)
    assert (settings.port, settings.host, settings.idle_eviction_seconds) == (3, "::1", 3.0)
    assert find_sources(flags, environ, tmp_path).origins == {
        "port": "the flag --port",
        "host": "the variable ROOMHOST_HOST",
        "idle_eviction_seconds": "roomhost.toml",
    }


def test_what_commands_read_is_no_setting(tmp_path: Path) -> None:
    """The key and the URL of another host, in the same shell."""
    environ = {"ROOMHOST_API_KEY": "x", "ROOMHOST_URL": "http://h"}
    assert load_settings({}, environ, tmp_path) == HostSettings()


def test_lists_come_comma_separated_or_as_lists(tmp_path: Path) -> None:
    """In a variable and in the file."""
    (tmp_path / "roomhost.toml").write_text('trusted_proxies = ["10.0.0.1", "10.0.0.2"]\n')
    settings = load_settings({}, {"ROOMHOST_API_KEYS": "one, two,,"}, tmp_path)
    assert settings.api_keys == ("one", "two")
    assert settings.trusted_proxies == ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("file", "environ", "match"),
    [
        ("prot = 1", {}, r"roomhost\.toml: the key prot is unknown; known are allowed_origins"),
        ("", {"ROOMHOST_PROT": "1"}, "the variable ROOMHOST_PROT is unknown"),
        ("prot = 1", {}, r"; did you mean port\?$"),
        ("", {"ROOMHOST_APIKEYS": "1"}, r"; did you mean api_keys\?$"),
        ("colour = 1", {}, "[a-z_]$"),
        ("port = 'x'", {}, r"^settings: port: a whole number from 0 to 65535, not 'x' \(roomhost"),
        ("port = 99999", {}, "port: from 0 to 65535, not 99999"),
        ("port = [1]", {}, r"settings: port: a whole number from 0 to 65535, not \[1\]"),
        ("port = true", {}, "settings: port: a whole number"),
        ("port = 1.5", {}, "settings: port: a whole number"),
        ("", {"ROOMHOST_PORT": "many"}, r"not 'many' \(the variable ROOMHOST_PORT\)"),
        ("", {"ROOMHOST_IDLE_EVICTION_SECONDS": "-1"}, "idle_eviction_seconds: 0 or more"),
        ("", {"ROOMHOST_IDLE_EVICTION_SECONDS": "nan"}, "idle_eviction_seconds: 0 or more"),
        ("", {"ROOMHOST_MAX_QUEUED_EVENTS": "0"}, "max_queued_events: more than 0, not 0"),
        ("", {"ROOMHOST_LOG_LEVEL": "warn"}, "log_level: one of debug, info, warning, error, not"),
        ("", {"ROOMHOST_INSPECTOR": "maybe"}, "inspector: true or false, not 'maybe'"),
        ("host = 1", {}, "host: a text, not 1"),
        ("trusted_proxies = [1]", {}, "trusted_proxies: texts, comma separated or as a list"),
        ("trusted_proxies = 'proxy'", {}, "trusted_proxies: 'proxy' is no IP address"),
        ("", {"ROOMHOST_DATA_DIR": ""}, "data_dir: the path of a directory"),
        ("ssl_certfile = 'a'", {}, "settings: ssl_keyfile: needed beside ssl_certfile"),
        ("ssl_keyfile = 'a'", {}, "settings: ssl_certfile: needed beside ssl_keyfile"),
        ("ssl_keyfile_password_file = 'a'", {}, "ssl_keyfile: needed beside ssl_keyfile_pass"),
        ("port = ", {}, r"roomhost\.toml is no TOML"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    tmp_path: Path, file: str, environ: dict[str, str], match: str
) -> None:
    """One line, with the key and what would be right."""
    (tmp_path / "roomhost.toml").write_text(file)
    with pytest.raises(HostError, match=match) as refused:
        load_settings({}, environ, tmp_path)
    assert "\n" not in str(refused.value)
    assert "$." not in str(refused.value)


def test_an_unknown_flag_is_refused_by_name(tmp_path: Path) -> None:
    """That of a caller; a person's is refused by the command itself."""
    with pytest.raises(HostError, match=r"the flag prot is unknown; known are .* mean port"):
        load_settings({"prot": 1}, {}, tmp_path)


@pytest.mark.parametrize(("text", "value"), [("true", True), ("ON", True), ("0", False)])
def test_a_switch_is_a_word(tmp_path: Path, text: str, value: bool) -> None:
    """As people write it in a variable."""
    assert load_settings({}, {"ROOMHOST_INSPECTOR": text}, tmp_path).inspector is value


def test_every_setting_says_what_it_is() -> None:
    """In a sentence; a number says its range, and a secret has no flag, which others could read."""
    for name, field in fields().items():
        assert field.setting.about.endswith("."), name
        assert field.kind not in (int, float) or field.range, name
        assert not (field.setting.secret and field.flag), name


@pytest.mark.parametrize("name", ["api_keys", "token_secrets"])
def test_secrets_come_from_a_file(tmp_path: Path, name: str) -> None:
    """One a line, also named by a variable."""
    file = tmp_path / "secrets"
    file.write_text("# ours\nk1:one,two\n\n k2:three \n")
    file.chmod(0o600)
    variable = f"ROOMHOST_{name.upper()}_FILE"
    settings = load_settings({}, {variable: str(file)}, tmp_path)
    assert getattr(settings, name) == ("k1:one,two", "k2:three")


def test_a_file_of_secrets_that_everybody_may_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One line with the cure, and no secret in it."""
    file = tmp_path / "keys"
    file.write_text("hidden\n")
    for mode, warned in ((0o640, 0), (0o604, 1)):
        file.chmod(mode)
        with caplog.at_level(logging.WARNING):
            make_settings({"api_keys_file": str(file)})
        assert caplog.text.count(f"chmod 600 {file}") == warned
    assert "hidden" not in caplog.text


@pytest.mark.parametrize(
    ("content", "given", "match"),
    [
        (None, {}, "api_keys_file: .*keys cannot be read"),
        (b"", {}, "api_keys_file: .*keys holds no secret"),
        (b"# nothing\n\n", {}, "holds no secret"),
        (b"hidden\xff", {}, "is no UTF-8 text"),
        (b"hidden" * 20_000, {}, "has more than 65536 bytes"),
        (b"hidden", {"api_keys": ["x"]}, "api_keys and api_keys_file are both given"),
    ],
)
def test_a_file_of_secrets_that_cannot_be_used_is_refused(
    tmp_path: Path, content: bytes | None, given: dict[str, Any], match: str
) -> None:
    """Rather than to go on without; the message has no secret."""
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(HostError, match=match) as refused:
        make_settings({"api_keys_file": str(file), **given})
    assert "hidden" not in str(refused.value)


def test_secrets_are_never_shown() -> None:
    """In a representation and in refusals, whatever is wrong."""
    settings = HostSettings(api_keys=("hidden-1",), token_secrets=("k:hidden-2",))
    assert "hidden" not in f"{settings!r} {settings}"
    assert "api_keys=1 secrets" in repr(settings)
    for values in ({"api_keys": {"hidden": 1}}, {"token_secrets": "hidden"}, {"api_keys": 77}):
        with pytest.raises(HostError) as refused:
            make_settings(values)
        assert "hidden" not in str(refused.value)
        assert "77" not in str(refused.value)
