"""What a benchmark ran on: the machine, and the version of everything that was measured."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import durable_actors_peer

NODE_MODULES = Path(__file__).parent / "node_modules"
PACKAGES = ("roomhost", "lmdb", "uvloop", "uvicorn", "websockets", "pycrdt")
PEERS = ("pycrdt-websocket", "pycrdt-store")
NPM_PEERS = ("workerd", "socket.io", "@y/websocket-server")


def machine() -> str:
    """Processor, cores, memory, kernel, and the file system of the current directory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} CPUs ({processor()}), {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, {file_system(Path.cwd())}"
    )


def versions() -> str:
    """Ours, what it stands on, and what it is measured beside."""
    found = [f"CPython {platform.python_version()}"]
    found += [f"{name} {version_of(name)}" for name in (*PACKAGES, *PEERS)]
    found += [f"{name} {npm_version(name)}" for name in NPM_PEERS]
    there = not durable_actors_peer.missing()
    found.append(f"durable-actors {durable_actors_peer.VERSION if there else '-'}")
    return ", ".join([*found, f"Node {node_version()}"])


def processor() -> str:
    """Its model, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()

    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def file_system(path: Path) -> str:
    """The kind of the file system that a path is on, as Linux tells it."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return "unknown file system"

    mounts = [line.split()[1:3] for line in lines]
    above = [(len(point), kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(above)[1] if above else "unknown file system"


def version_of(name: str) -> str:
    """Of a Python package; a dash where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def npm_version(name: str) -> str:
    """Of a package of npm; a dash where it is not installed."""
    try:
        found: str = json.loads((NODE_MODULES / name / "package.json").read_text())["version"]
    except OSError:
        return "-"

    return found


def node_version() -> str:
    """A dash where it is not installed."""
    try:
        done = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "-"

    return done.stdout.strip().removeprefix("v")
