"""The host's secrets: given, or made once and kept."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from roomhost.bindings import App
from roomhost.runtime import HostError
from roomhost.runtime.settings import make_settings
from roomhost.runtime.testing import host_for
from roomhost.runtime.token_secrets import load_secrets, parse_secrets

LONG = "s" * 32
app = App(name="secrets", bindings={})


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["hunter2"], "entry 1 is not kid:secret"),
        ([":hunter2"], "entry 1 is not kid:secret"),
        ([f"a:{LONG}", "b:"], "entry 2 is not kid:secret"),
        (["a:hunter2", f"a:{LONG}"], "the kid 'a' is there twice"),
        (["ä:hunter2"], "the kid of entry 1 is not printable ASCII"),
        (["x" * 65 + ":hunter2"], "at most 64 bytes"),
    ],
)
def test_a_wrong_secret_is_refused_and_not_shown(entries: list[str], words: str) -> None:
    """By the settings, with its place."""
    with pytest.raises(HostError, match=words) as refused:
        make_settings({"token_secrets": entries})
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"a", f"a:{LONG}".encode(), b"a:short\n", b"\xff\n", b"a:" + b"\0" * 40 + b"\n",
     f"a:{LONG}\nb:{LONG[:9]}\n".encode(), f"a:{LONG}\na:{LONG}\n".encode(), b"\0" * 64],
)  # fmt: skip
def test_a_damaged_file_stops_the_host(tmp_path: Path, content: bytes) -> None:
    """With its path and the cure; it is not written over."""
    file = tmp_path / "token_secrets"
    file.write_bytes(content)
    with pytest.raises(
        HostError, match=r"token_secrets is damaged: put it back .* or delete it"
    ) as e:
        load_secrets(tmp_path, ())
    assert str(file) in str(e.value)
    assert file.read_bytes() == content


def test_a_disk_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no secret is in use that the next start would not find."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(HostError, match=r"cannot be written \(No space left"):
            load_secrets(tmp_path, ())
    assert not (tmp_path / "token_secrets").exists()
    assert load_secrets(tmp_path, ()) == load_secrets(tmp_path, ())

    (tmp_path / "token_secrets").unlink()
    (tmp_path / "token_secrets").mkdir()
    with pytest.raises(HostError, match="cannot be read"):
        load_secrets(tmp_path, ())


def test_a_secret_is_made_once_and_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the disk, file and directory, before it is used; what a crash left behind does not matter."""
    draft = tmp_path / "token_secrets.draft"
    draft.write_text("half")
    draft.chmod(0o644)
    synced: list[Any] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    ((kid, secret),) = made = load_secrets(tmp_path, ())
    file = tmp_path / "token_secrets"
    assert synced == [file.stat().st_ino, tmp_path.stat().st_ino]
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(secret) >= 32
    assert file.read_text() == f"{kid}:{secret}\n"
    assert load_secrets(tmp_path, ()) == made
    assert [path.name for path in tmp_path.iterdir()] == ["token_secrets"]


def test_more_keys_may_be_written_into_the_file(tmp_path: Path) -> None:
    """In front, for a rotation."""
    (tmp_path / "token_secrets").write_text(f"new:{LONG}\nold:{LONG}\n")
    assert load_secrets(tmp_path, ()) == (("new", LONG), ("old", LONG))


def test_configured_secrets_come_first_and_are_not_written(tmp_path: Path) -> None:
    """A secret may have colons."""
    assert load_secrets(tmp_path, (f"a:{LONG}:b", f"b:{LONG}")) == (
        ("a", f"{LONG}:b"),
        ("b", LONG),
    )
    assert parse_secrets(()) == ()
    assert list(tmp_path.iterdir()) == []


def test_short_secrets_are_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Which names them, and shows none."""
    with caplog.at_level(logging.WARNING, "roomhost.runtime"):
        load_secrets(tmp_path, (f"a:{LONG}", "b:hunter2", "c:hunter3"))
    (record,) = caplog.records
    assert "the secret of b, c has less than 32 bytes" in record.getMessage()
    assert "hunter" not in record.getMessage()


async def test_a_host_has_its_secrets_again_after_a_restart(tmp_path: Path) -> None:
    """And after a crash; before its start it has none."""
    async with host_for(app, data_dir=tmp_path) as host:
        secrets = host.token_secrets
        await host.crash()
    async with host_for(app, data_dir=tmp_path) as host:
        assert host.token_secrets == secrets
    async with host_for(app, token_secrets=(f"a:{LONG}",)) as host:
        assert host.token_secrets == (("a", LONG),)
    with pytest.raises(HostError, match="the host is not running"):
        type(host)(app).token_secrets  # noqa: B018


async def test_a_host_that_cannot_read_its_secrets_lets_go_of_its_directory(
    tmp_path: Path,
) -> None:
    """The next start succeeds once it is mended."""
    async with host_for(app, data_dir=tmp_path):
        pass
    (tmp_path / "token_secrets").write_text("x")
    with pytest.raises(HostError, match="is damaged"):
        async with host_for(app, data_dir=tmp_path):
            pass
    (tmp_path / "token_secrets").unlink()
    async with host_for(app, data_dir=tmp_path) as host:
        assert len(host.token_secrets) == 1
