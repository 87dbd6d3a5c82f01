"""The page docs/settings.md, written from the settings themselves: `make settings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..runtime.host_settings import fields
from ..runtime.setting import KINDS, LIST

if TYPE_CHECKING:
    from ..runtime.setting import Field

KIB = 1_024
MIB = 1_024 * 1_024
HEAD = """\
# Settings

This page is made from the code by `make settings`.

A setting comes from a flag of the command, else from a variable, else from the file `roomhost.toml` in
the current directory, else it has its default. Lists are comma separated in a flag and in a variable,
and lists in the file:

```toml
port = 8080
trusted_proxies = ["10.0.0.1"]
```

An unknown name and a value that is not allowed are refused, with the name, where it stands, and what is
allowed. `roomhost check MODULE:APP` says what is set, and where, without starting anything.

Secrets have no flag, which every user of a machine can read. They stand in a file of their own, one a
line (empty lines and lines that begin with `#` count for nothing), which only the host's user may
read; they are never shown.
"""


def settings_page() -> str:
    """The whole page, as Markdown."""
    return "\n".join((HEAD, *(_entry(field) for field in fields().values())))


def _entry(field: Field) -> str:
    lines = [f"Default: {_default(field)}", f"Variable: `{field.variable}`"]
    if field.flag is not None:
        lines.append(f"Flag: `{_flag(field)}`")
    if field.setting.secret:
        lines.append("Secret: never shown")
    listed = "\n".join(f"- {line}" for line in (f"Type: {_type(field)}", *lines))
    return f"## {field.name}\n\n{field.setting.about}\n\n{listed}\n"


def _type(field: Field) -> str:
    if field.choices:
        return f"one of {', '.join(f'`{choice}`' for choice in field.choices)}"

    if field.kind is tuple:
        return LIST

    words = KINDS[field.kind]
    if field.setting.unit:
        words = f"{words} of {field.setting.unit}"
    return f"{words}, {field.range}" if field.range else words


def _default(field: Field) -> str:
    default: Any = field.default
    if default in (None, ()):
        return "none"

    if isinstance(default, bool):
        return "`true`" if default else "`false`"

    if isinstance(default, float):
        return f"`{default:g}`"

    return f"`{default}`{_size(default)}" if field.setting.unit == "bytes" else f"`{default}`"


def _size(number: int) -> str:
    if number % MIB == 0:
        return f" ({number // MIB} MiB)"

    return f" ({number // KIB} KiB)" if number % KIB == 0 else ""


def _flag(field: Field) -> str:
    assert field.flag is not None
    return f"{field.flag}, --no-{field.flag[2:]}" if field.kind is bool else field.flag


if __name__ == "__main__":
    print(settings_page(), end="")
