"""Settings: where they come from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from roomhost.runtime import HostError, HostSettings, load_settings


def test_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    """Nothing given."""
    settings = load_settings(environ={}, directory=tmp_path)
    assert settings == HostSettings()
    assert (settings.host, settings.port, settings.idle_eviction_seconds) == ("127.0.0.1", 8787, 10)


def test_flags_come_before_variables_before_the_file(tmp_path: Path) -> None:
    """Each fills in what the one before left open."""
    (tmp_path / "roomhost.toml").write_text(
        'port = 1\nhost = "0.0.0.0"\nidle_eviction_seconds = 3\n'
    )
    environ = {"ROOMHOST_PORT": "2", "ROOMHOST_HOST": "::1", "OTHER": "x"}
    settings = load_settings({"port": 3, "host": None}, environ, tmp_path)
    assert (settings.port, settings.host, settings.idle_eviction_seconds) == (3, "::1", 3.0)


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
        ("port = 'x'", {}, r"settings: .*\$\.port"),
        ("port = 99999", {}, "port: from 0 to 65535, not 99999"),
        ("port = [1]", {}, r"settings: .*\$\.port"),
        ("", {"ROOMHOST_IDLE_EVICTION_SECONDS": "-1"}, "idle_eviction_seconds: 0 or more"),
        ("", {"ROOMHOST_DATA_DIR": ""}, "data_dir: the path of a directory"),
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
