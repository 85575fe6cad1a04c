"""
A Windows for Friren alone: `python -m tests.foreign tests/unit` runs tests while its modules see no POSIX.

To them `sys.platform` is "win32", the modules and names that only POSIX has are absent, and `msvcrt` is there.
Python's own library and everybody else's keep what they stand on, and so do the tests: what is tried is which way
our code takes.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import os
import sys
import types
from typing import Any

OURS = frozenset({"friren", "trading_engine", "portfolio_manager"})
ABSENT_MODULES = frozenset(
    {"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "posix", "spwd", "crypt", "readline"}
)
ABSENT_NAMES = {
    "os": {
        "chown", "chroot", "confstr", "ctermid", "fchdir", "fchmod", "fchown", "fdatasync", "fork",
        "forkpty", "fpathconf", "fstatvfs", "getegid", "geteuid", "getgid", "getgroups", "getloadavg",
        "getpgid", "getpgrp", "getpriority", "getsid", "getuid", "initgroups", "killpg", "lchown", "lockf",
        "major", "makedev", "memfd_create", "minor", "mkfifo", "mknod", "nice", "openpty", "pathconf",
        "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate", "posix_spawn", "pread", "preadv",
        "pwrite", "pwritev", "readv", "register_at_fork", "sched_getaffinity", "sched_setaffinity",
        "sched_yield", "sendfile", "setegid", "seteuid", "setgid", "setgroups", "setpgid", "setpriority",
        "setsid", "setuid", "splice", "statvfs", "sync", "sysconf", "tcgetpgrp", "tcsetpgrp", "ttyname",
        "uname", "wait", "wait3", "wait4", "waitid", "writev", "O_ASYNC", "O_CLOEXEC", "O_DIRECT",
        "O_DIRECTORY", "O_DSYNC", "O_NOATIME", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "O_RSYNC",
        "O_SYNC", "WNOHANG", "WEXITSTATUS", "WIFSIGNALED", "WTERMSIG",
    },
    "signal": {
        "SIGALRM", "SIGBUS", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGIO", "SIGKILL", "SIGPIPE", "SIGPROF",
        "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGVTALRM",
        "SIGWINCH", "alarm", "getitimer", "pause", "pthread_kill", "pthread_sigmask", "setitimer",
        "sigpending", "sigtimedwait", "sigwait", "siginterrupt",
    },
    "socket": {"AF_UNIX"},
}  # fmt: skip


class _Kernel:
    """As much of kernel32 as is asked for."""

    def OpenProcess(self, _access: int, _inherit: bool, pid: int) -> int:  # noqa: N802 - Windows' own name
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return 0
        except PermissionError:
            pass
        return pid

    def GetLastError(self) -> int:  # noqa: N802
        return 87  # no such process

    def GetExitCodeProcess(self, _handle: int, code: Any) -> int:  # noqa: N802
        code._obj.value = 259  # it still runs
        return 1

    def CloseHandle(self, _handle: int) -> int:  # noqa: N802
        return 1


PRESENT: dict[str, dict[str, Any]] = {
    "ctypes": {"windll": types.SimpleNamespace(kernel32=_Kernel())},
    "sys": {"platform": "win32"},
    "os": {"name": "nt", "O_BINARY": 0},
    "signal": {"CTRL_C_EVENT": 0, "CTRL_BREAK_EVENT": 1},
    "subprocess": {"CREATE_NEW_PROCESS_GROUP": 0x200},
}


class _Seen(types.ModuleType):
    """A module as Windows has it."""

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        own = PRESENT.get(self._module.__name__, {})
        if name in own:
            return own[name]
        if name in ABSENT_NAMES.get(self._module.__name__, ()):
            raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r} on Windows")
        return getattr(self._module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)


def _locking(handle: int, mode: int, _length: int) -> None:
    """As msvcrt.locking refuses: at once, and with EACCES."""
    assert mode == msvcrt.LK_NBLCK
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None


msvcrt = types.ModuleType("msvcrt")
msvcrt.__dict__.update(locking=_locking, LK_NBLCK=2, LK_LOCK=1, LK_UNLCK=0)
_import = builtins.__import__
_seen: dict[str, _Seen] = {}


def _as_on_windows(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002
    importer = str((globals or {}).get("__name__", "")).partition(".")[0]
    if importer not in OURS or level:
        return _import(name, globals, locals, fromlist, level)
    if name in ABSENT_MODULES:
        raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
    if name == "msvcrt":
        return msvcrt
    module = _import(name, globals, locals, fromlist, level)
    if name in ABSENT_NAMES or name in PRESENT:
        return _seen.setdefault(name, _Seen(module))
    return module


def hide() -> None:
    """From now on our modules see Windows; none may have been imported yet."""
    loaded = OURS & sys.modules.keys()
    assert not loaded, loaded
    builtins.__import__ = _as_on_windows


def main() -> int:
    """Run pytest so."""
    hide()
    import pytest

    class Few:
        """What is tried is the way that is taken, for which few examples do: --hypothesis-profile=few."""

        @pytest.hookimpl(tryfirst=True)
        def pytest_configure(self) -> None:
            import hypothesis

            hypothesis.settings.register_profile("few", max_examples=5, deadline=None, derandomize=True)

    return int(pytest.main(sys.argv[1:], plugins=[Few()]))


if __name__ == "__main__":
    sys.exit(main())
