"""Arguments, results and errors of a call between processes: to bytes and back, no I/O."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..storage import DataCloneError, decode, encode
from . import limits
from .errors import FLAGS, DurableObjectError, LimitError, arguments_of, make_error
from .remote_frames import ErrorInfo

if TYPE_CHECKING:
    from collections.abc import Iterable

ATTRIBUTES = (*FLAGS, "durable_object_id", "remote_type")
# Raised in an iterator they would end it, as if nothing had been wrong.
ENDS = (StopIteration, StopAsyncIteration)


def encode_arguments(
    arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[list[bytes], dict[str, bytes], int]:
    """The arguments of a call, each encoded, and their size. DataCloneError, LimitError: as a call
    in the same process."""
    size = 0
    values: list[bytes] = []
    for number, value in enumerate(arguments):
        values.append(_encode(value, f"argument {number + 1}"))
        size += _size(value, values[-1])
    named: dict[str, bytes] = {}
    for name, value in keywords.items():
        named[name] = _encode(value, f"argument {name!r}")
        size += _size(value, named[name])
    if size > limits.MAX_RPC_BYTES:
        raise LimitError(
            "Serialized RPC arguments or return values are limited to 32MiB, "
            f"but the size of this value was: {size} bytes."
        )

    return values, named, size


def decode_arguments(
    values: Iterable[bytes], named: dict[str, bytes]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What `encode_arguments` encoded. ValueError: bytes that it did not make."""
    try:
        return tuple(map(decode, values)), {name: decode(data) for name, data in named.items()}
    except ValueError as error:
        raise ValueError(
            f"an argument is not an encoded value: {error or type(error).__name__}"
        ) from None


def _encode(value: object, where: str) -> bytes:
    try:
        return encode(value)
    except DataCloneError as error:
        raise DataCloneError(f"{where}: {error}") from None


def _size(value: object, data: bytes) -> int:
    # The payload alone: what fits in a call within a process fits here.
    if type(value) is bytes or (type(value) is str and value.isascii()):
        return len(value)

    return len(data)


def describe_error(error: BaseException) -> ErrorInfo:
    """An error, to be raised in another process."""
    kind = type(error)
    arguments: list[bytes] | None
    try:
        arguments = [encode(argument) for argument in arguments_of(error)]
    except DataCloneError:
        arguments = None
    flags = {name: getattr(error, name, None) for name in ATTRIBUTES}
    attributes = _encodable({name: value for name, value in flags.items() if value is not None})
    others = _encodable(vars(error))
    size = sum(map(len, [*(arguments or ()), *others.values()]))
    if size > limits.MAX_RPC_BYTES:
        arguments = None
    else:
        attributes |= others
    return ErrorInfo(kind.__module__, kind.__qualname__, _text_of(error), arguments, attributes)


def restore_error(info: ErrorInfo, *, imported: bool) -> Exception:
    """The error that was described, to be raised here: of its own class, if that can be had safely.

    Built-in exceptions and roomhost's own are rebuilt; `imported` allows every class that this
    process has imported already, `__main__` excepted, which is another program there. Nothing is
    ever imported. Another class becomes a `DurableObjectError` with `remote_type`.
    """
    attributes: dict[str, Any] = {}
    error: Exception | None = None
    try:
        attributes = {name: decode(data) for name, data in info.attributes.items()}
        kind = find_class(info.module, info.name, imported=imported)
        if kind is not None and info.arguments is not None:
            error = make_error(kind, tuple(map(decode, info.arguments)))
    except Exception:
        error = None
    if error is None:
        error = DurableObjectError(info.text or info.name)
        attributes.setdefault("remote_type", f"{info.module}.{info.name}")
    # Not by setattr: a name from outside must reach no descriptor of the class.
    vars(error).update(attributes)
    return error


def find_class(module: str, name: str, *, imported: bool) -> type[Exception] | None:
    """The exception class of that name, if it may be rebuilt here."""
    ours = module == "builtins" or module.startswith("roomhost.")
    if module == "__main__" or not (ours or imported):
        return None

    found: Any = sys.modules.get(module)
    for part in name.split("."):
        # Through the dictionary: a module's __getattr__ may import.
        found = getattr(found, "__dict__", {}).get(part)
    if not isinstance(found, type) or not issubclass(found, Exception) or issubclass(found, ENDS):
        return None

    return found if (found.__module__, found.__qualname__) == (module, name) else None


def _encodable(values: dict[str, Any]) -> dict[str, bytes]:
    encoded: dict[str, bytes] = {}
    for name, value in values.items():
        try:
            encode(name)
            encoded[name] = encode(value)
        except DataCloneError:
            continue
    return encoded


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    text = text[: limits.MAX_REMOTE_ERROR_TEXT] or type(error).__name__
    return text.encode(errors="backslashreplace").decode()
