"""How a program says to Valgrind where a count begins and ends.

Valgrind knows a request by a sequence of instructions that does nothing elsewhere (valgrind.h). The
few bytes of it are put into a page of memory and called, so that nothing has to be compiled.
"""

from __future__ import annotations

import ctypes
import mmap
import platform

MACHINE = "x86_64"  # whose instructions these are
CODE = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the request and its arguments, six words
    "31d2"  # xor edx, edx: the answer where there is no Valgrind
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61 and 51: by 128 in all, so by none
    "4887db"  # xchg rbx, rbx
    "4889d0 c3"  # return rdx
)
RUNNING_ON_VALGRIND = 0x1001
CALLGRIND = ord("C") << 24 | ord("T") << 16
DUMP_STATS_AT = CALLGRIND + 3  # write what was counted, named, and count from zero
START_INSTRUMENTATION = CALLGRIND + 4
WORDS = 6  # of a request


class Valgrind:
    """The Valgrind that this program runs under. RuntimeError: it does not, or on another machine."""

    def __init__(self) -> None:
        if platform.machine() != MACHINE:
            raise RuntimeError(f"instructions are counted on {MACHINE} alone")

        self._page = mmap.mmap(
            -1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        )
        self._page.write(CODE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._call = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)
        if not self._ask(RUNNING_ON_VALGRIND):
            raise RuntimeError("run this under valgrind --tool=callgrind")

    def count(self) -> None:
        """Count from now on."""
        self._ask(START_INSTRUMENTATION)

    def mark(self, name: str) -> None:
        """What was counted since the last mark belongs to `name`."""
        text = ctypes.create_string_buffer(name.encode())
        self._ask(DUMP_STATS_AT, ctypes.addressof(text))

    def _ask(self, request: int, argument: int = 0) -> int:
        words = (ctypes.c_uint64 * WORDS)(request, argument)
        return int(self._call(ctypes.addressof(words)))
