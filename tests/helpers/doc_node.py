"""JavaScript blocks: modules that Node runs against the page's host, as a browser would."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from .doc_page import REPOSITORY

NODE_SECONDS = 30
MODULES = REPOSITORY / "node_modules"
CLIENT = REPOSITORY / "examples" / "roomhost.js"
# A browser has WebSocket, and resolves a path against the page's own host.
BROWSER = """
import WebSocket from "ws";
globalThis.WebSocket ??= WebSocket;
globalThis.location = new URL(%s);
const fetched = globalThis.fetch;
globalThis.fetch = (url, options) => fetched(new URL(url, location), options);
await import("./block.mjs");
setTimeout(() => process.exit(0), 300).unref(); // what the block has closed ends before
"""


def missing() -> str | None:
    """Why JavaScript cannot run here, if it cannot."""
    if shutil.which("node") is None:
        return "node is not installed"

    return None if (MODULES / "ws").exists() else "ws is not installed: make clients"


def run_node(source: str, directory: Path, url: str | None) -> None:
    """Run a module; it ends 0.3 s after its top level at the latest. AssertionError: what it
    printed, if it failed."""
    modules = directory / "node_modules"
    if not modules.exists():
        modules.symlink_to(MODULES)
        (directory / "roomhost.js").write_text(CLIENT.read_text(encoding="utf-8"))
        (directory / "package.json").write_text('{"type": "module"}')

    source = source.replace('from "/roomhost.js"', 'from "./roomhost.js"')
    (directory / "block.mjs").write_text(source, encoding="utf-8")
    browser = BROWSER % json.dumps(url or "http://127.0.0.1/")
    (directory / "browser.mjs").write_text(browser, encoding="utf-8")
    done = subprocess.run(
        ["node", "browser.mjs"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
    )
    assert done.returncode == 0, f"node exits {done.returncode}:\n{done.stdout}{done.stderr}"
