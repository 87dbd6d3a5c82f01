"""Which host a command is about, or which directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime import HostError, load_settings
from ..runtime.local_socket import SOCKET_FILE, connect_locally
from ..storage.data_directory import FORMAT_FILE
from . import limits
from .client import AdminClient
from .offline import OfflineTarget

if TYPE_CHECKING:
    from .client import Target


def open_target(
    data_dir: str | Path | None = None, url: str | None = None, api_key: str | None = None
) -> Target:
    """What a command's operations run on; enter it as a context.

    The host at `url`; else the one that runs on the data directory; else the directory itself, which
    this process opens meanwhile. `data_dir`: None for that of the settings. HostError: there is no
    such directory, or its host cannot be reached by it.
    """
    if url is not None:
        if data_dir is not None:
            raise HostError("give either --data-dir or --url: each says where the host is")
        return AdminClient.remote(url, api_key)

    directory = Path(data_dir or load_settings().data_dir).absolute()
    if not (directory / FORMAT_FILE).is_file():
        raise HostError(
            f"there is no data directory at {directory}: name it by --data-dir, or a running host by "
            "--url"
        )

    return AdminClient.local(directory) if is_served(directory) else OfflineTarget(directory)


def is_served(directory: Path) -> bool:
    """Whether a host listens in a data directory. HostError: it is not ours to ask."""
    try:
        connect_locally(directory, limits.TIMEOUT_SECONDS).close()
    except (FileNotFoundError, ConnectionError):
        return False
    except OSError as error:
        raise HostError(
            f"cannot open {directory / SOCKET_FILE} ({error.strerror or error}): be the user whose "
            "host it is, or give --url and --api-key"
        ) from error

    return True
