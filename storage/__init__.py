"""Durability: bytes and keys on a commit log with LMDB behind it.

Knows no actor, no gate, no clock, no event loop.
"""

from __future__ import annotations

from . import limits as limits
from .alarm_table import AlarmTable as AlarmTable
from .batch import UNCHANGED as UNCHANGED
from .batch import Batch as Batch
from .batch import ObjectRecord as ObjectRecord
from .catalogue import AppliedTag as AppliedTag
from .catalogue import Catalogue as Catalogue
from .catalogue import Move as Move
from .catalogue import NamespaceRecord as NamespaceRecord
from .catalogue import NamespaceState as NamespaceState
from .codec import clone as clone
from .codec import decode as decode
from .codec import encode as encode
from .data_directory import DataDirectory as DataDirectory
from .data_directory import check_directory as check_directory
from .data_directory import holder_of as holder_of
from .errors import DataCloneError as DataCloneError
from .errors import DataDirectoryError as DataDirectoryError
from .errors import DataDirectoryHeldError as DataDirectoryHeldError
from .errors import StorageError as StorageError
from .figures import PartitionFigures as PartitionFigures
from .histogram import MAX_WAITING as MAX_WAITING
from .histogram import Histogram as Histogram
from .histogram import quantile as quantile
from .keyspace import encode_user_key as encode_user_key
from .keyspace import prefix_end as prefix_end
from .overlay import Overlay as Overlay
from .partition import Partition as Partition
from .store import ObjectStore as ObjectStore
from .writer import Writer as Writer
from .writer import WriterStatistics as WriterStatistics

__all__ = (
    "MAX_WAITING",
    "UNCHANGED",
    "AlarmTable",
    "AppliedTag",
    "Batch",
    "Catalogue",
    "DataCloneError",
    "DataDirectory",
    "DataDirectoryError",
    "DataDirectoryHeldError",
    "Histogram",
    "Move",
    "NamespaceRecord",
    "NamespaceState",
    "ObjectRecord",
    "ObjectStore",
    "Overlay",
    "Partition",
    "PartitionFigures",
    "StorageError",
    "Writer",
    "WriterStatistics",
    "check_directory",
    "clone",
    "decode",
    "encode",
    "encode_user_key",
    "holder_of",
    "limits",
    "prefix_end",
    "quantile",
)
