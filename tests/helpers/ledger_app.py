"""What a test of backups serves: objects that count, each write by itself."""

from __future__ import annotations

from roomhost.bindings import App
from roomhost.runtime import DurableObject

PADDING = "x" * 500


class Ledger(DurableObject):
    """Appends lines, in order; how many there are is written in the same turn."""

    async def append(self) -> int:
        """One line more; its number."""
        number: int = await self.ctx.storage.get("count", 0)
        await self.ctx.storage.put({"count": number + 1, f"line:{number:08}": PADDING})
        return number

    async def read(self) -> tuple[int, list[str]]:
        """The count, and the keys of all lines."""
        lines = await self.ctx.storage.list(prefix="line:")
        return await self.ctx.storage.get("count", 0), list(lines)


app = App(name="ledger", bindings={"LEDGER": Ledger})
