"""Every decoder that is fuzzed, by name."""

from __future__ import annotations

from .target import Target
from .targets import identity, network, objects, operator, remote, storage, yjs

MODULES = (storage, identity, network, objects, yjs, remote, operator)
TARGETS: dict[str, Target] = {
    target.name: target for module in MODULES for target in module.TARGETS
}
# The module of each, which is all that a process has to import which runs one of them.
MODULE_OF: dict[str, str] = {
    target.name: module.__name__ for module in MODULES for target in module.TARGETS
}
