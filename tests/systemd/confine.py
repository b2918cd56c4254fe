"""Runs a program under the filters that systemd would set for the unit: `python -m tests.systemd.confine PROGRAM …`.

MemoryDenyWriteExecute= and SystemCallFilter=, set with libseccomp, which systemd itself uses. A forbidden call fails
with EPERM, as in the unit.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from tests.systemd.unit import one, syscalls

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
MASKED_EQUAL = 7
WRITE, EXEC = 2, 4  # PROT_WRITE, PROT_EXEC
SHM_EXEC = 0o100000
# Calls that make memory executable which is or was writable: call, index of the argument, bits.
EXECUTABLE = (("mmap", 2, WRITE | EXEC), ("mprotect", 2, EXEC), ("pkey_mprotect", 2, EXEC), ("shmat", 2, SHM_EXEC))


class Compare(ctypes.Structure):
    """libseccomp's scmp_arg_cmp."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


def confine() -> None:
    """Apply the filters to this process and its children. Raises OSError."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Compare),
    ]  # fmt: skip

    def rule(context: int, action: int, name: str, *compares: Compare) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # the others belong to another architecture
            _check(library.seccomp_rule_add_array(context, action, number, len(compares), (Compare * 1)(*compares)))

    allowed = library.seccomp_init(REFUSE)
    for name in syscalls():
        rule(allowed, ALLOW, name)
    memory = library.seccomp_init(ALLOW)
    assert one("MemoryDenyWriteExecute") == "yes"
    for name, argument, bits in EXECUTABLE:
        rule(memory, REFUSE, name, Compare(argument, MASKED_EQUAL, bits, bits))
    _check(library.seccomp_load(memory))
    _check(library.seccomp_load(allowed))


def _check(code: int) -> None:
    if code < 0:
        raise OSError(-code, os.strerror(-code))


if __name__ == "__main__":
    confine()
    os.execvp(sys.argv[1], sys.argv[1:])
