"""The options of every command that has the host's settings: `serve`, `dev`, `check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from .host_settings import fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from .setting import Field

Function = TypeVar("Function", bound="Callable[..., Any]")


def settings_options(*without: str) -> Callable[[Function], Function]:
    """A decorator that adds an option for each setting that has a flag, but for those named.

    The command gets them as keywords, by the names of the settings; None: not given. Give them to
    `load_settings`.
    """

    def decorate(function: Function) -> Function:
        for name, field in reversed(fields().items()):
            if field.flag is not None and name not in without:
                function = _option(field)(function)
        return function

    return decorate


def _option(field: Field) -> Callable[[Function], Function]:
    flag = field.flag
    assert flag is not None
    if field.kind is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", default=None, help=_help(field))

    return click.option(flag, type=_type(field), help=_help(field))


def _help(field: Field) -> str:
    default = field.default
    if default in (None, ()) or field.kind is bool:
        return field.setting.about

    return (
        f"{field.setting.about} [{default:g}]"
        if field.kind is float
        else (f"{field.setting.about} [{default}]")
    )


def _type(field: Field) -> click.ParamType[Any]:
    setting = field.setting
    if field.choices:
        return click.Choice(field.choices)

    if field.kind is int:
        return click.IntRange(_whole(setting.least), _whole(setting.most))

    if field.kind is float:
        return click.FloatRange(setting.least, setting.most)

    return click.STRING


def _whole(bound: float | None) -> int | None:
    return None if bound is None else int(bound)
