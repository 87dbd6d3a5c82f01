"""Every decoder that is fuzzed, by name."""

from __future__ import annotations

from ..target import Target
from . import identity, network, objects, operator, remote, storage, yjs

MODULES = (storage, identity, network, objects, yjs, remote, operator)
TARGETS: dict[str, Target] = {
    target.name: target for module in MODULES for target in module.TARGETS
}
