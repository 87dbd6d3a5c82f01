"""The `observability` option of a module: what of its rooms' events is logged, and how their metrics are
labelled.

Its keys are `level`, `sampling` and `labels`. Others are kept, as they are a vendor's, and have no effect.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from ..runtime.observability import LEVELS, Observability
from .errors import InvalidArgument
from .limits import MAX_METRIC_LABEL_CHARACTERS, MAX_METRIC_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")  # of Prometheus
OURS = ("binding", "class")
KEYS = ("level", "sampling", "labels")


def observability_of(option: Mapping[str, object] | None) -> Observability:
    """What the option says.

    `level`: debug, one line for each event, info, warning, only what was slow or reset, or error, none
    of these; what the application's logging says if it is left out. `sampling`: the share of the events
    that are logged, recorded and traced, from 0 to 1, which is the default; errors and slow ones always
    are. `labels`: names and texts, which the metric `roomhost_binding_info` has.

    InvalidArgument: one of them is something else; `field` says which.
    """
    given = option or {}
    level = given.get("level")
    if level is not None and (not isinstance(level, str) or level not in LEVELS):
        raise _wrong("level", f"is one of {', '.join(LEVELS)}, not {level!r}")

    sampling = given.get("sampling")
    if sampling is None:
        sampling = 1.0
    if (
        isinstance(sampling, bool)
        or not isinstance(sampling, (int, float))
        or not 0 <= sampling <= 1
    ):
        raise _wrong("sampling", f"is a number from 0 to 1, not {sampling!r}")

    return Observability(level, float(sampling), _labels(given.get("labels")))


def unknown_keys(option: Mapping[str, object] | None) -> list[str]:
    """The keys of the option that have no effect."""
    return [key for key in option or {} if key not in KEYS]


def _labels(given: object) -> dict[str, str]:
    if given is None:
        return {}

    if not isinstance(given, dict):
        raise _wrong("labels", "is an object of names and texts")

    labels = cast("dict[str, object]", given)
    if len(labels) > MAX_METRIC_LABELS:
        raise _wrong("labels", f"has at most {MAX_METRIC_LABELS} members")

    for name, value in labels.items():
        if not LABEL.fullmatch(name) or name.startswith("__") or name in OURS:
            raise _wrong(
                f"labels.{name}",
                "is no name for a label: letters, digits and _, not binding or class",
            )
        if not isinstance(value, str) or len(value) > MAX_METRIC_LABEL_CHARACTERS:
            raise _wrong(
                f"labels.{name}", f"is a text of at most {MAX_METRIC_LABEL_CHARACTERS} characters"
            )
    return cast("dict[str, str]", dict(labels))


def _wrong(key: str, what: str) -> InvalidArgument:
    path = f"observability.{key}"
    return InvalidArgument(f"{path} {what}", field=path)
