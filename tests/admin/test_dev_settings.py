"""The settings of `roomhost dev`."""

from __future__ import annotations

from pathlib import Path

import pytest

from roomhost.admin.dev_messages import Start
from roomhost.admin.dev_settings import dev_settings, first_settings
from roomhost.runtime import HostError

START = Start("demo:app", {"inspector_edit": True}, "made", ("/nowhere",))


def test_the_inspector_is_on_and_there_is_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was made, where none is set."""
    monkeypatch.chdir(tmp_path)
    settings = dev_settings(START)
    assert (settings.inspector, settings.inspector_edit) == (True, True)
    assert settings.api_keys == ("made",)
    monkeypatch.setenv("ROOMHOST_API_KEYS", "mine,other")
    assert dev_settings(START).api_keys == ("mine", "other")


def test_no_inspector_is_what_a_flag_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else turns it off."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roomhost.toml").write_text("inspector = false\n")
    assert dev_settings(START).inspector
    assert not dev_settings(Start("demo:app", {"inspector": False}, "made", ())).inspector


def test_where_to_listen_does_not_depend_on_what_can_be_cured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A settings file that is wrong, a certificate that is missing; a flag cannot be cured."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "roomhost.toml").write_text("port = 1\nssl_certfile = 'a'\nssl_keyfile = 'b'\n")
    settings = first_settings({"host": "::1"})
    assert (settings.host, settings.port, settings.ssl_certfile) == ("::1", 1, None)
    (tmp_path / "roomhost.toml").write_text("port = 1\nprot = 2\n")
    assert first_settings({"host": "::1"}).port == 8787
    with pytest.raises(HostError, match="port"):
        first_settings({"port": 70_000})
