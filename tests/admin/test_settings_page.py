"""The page of the settings is what the code says."""

from __future__ import annotations

from pathlib import Path

from roomhost.admin.settings_page import settings_page
from roomhost.runtime.host_settings import fields

PAGE = Path(__file__).parent.parent.parent / "docs" / "settings.md"


def test_the_committed_page_is_that_of_the_code() -> None:
    """Else `make settings` writes it anew."""
    assert PAGE.read_text() == settings_page()


def test_every_setting_is_on_the_page_once() -> None:
    """With what it does, its type, its default and its variable."""
    page = settings_page()
    for name, field in fields().items():
        assert page.count(f"\n## {name}\n\n{field.setting.about}\n\n- Type: ") == 1
        assert page.count(f"- Variable: `{field.variable}`\n") == 1
    assert "- Type: number of seconds, more than 0\n- Default: `20`\n" in page
    assert "- Default: `104857600` (100 MiB)\n" in page
    assert "- Flag: `--inspector, --no-inspector`\n" in page
    assert "- Type: one of `debug`, `info`, `warning`, `error`\n" in page
