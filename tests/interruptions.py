"""An exception from outside, at any place where Python lets the handler of a signal run."""

from __future__ import annotations

import dis
import functools
import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

__all__ = ["Cut", "cut_off"]

# Behind a call, at the start of a function and at the end of a loop Python looks whether a signal has come.
_LOOKS = ("CALL", "RESUME", "JUMP_BACKWARD")


class Cut(BaseException):
    """What KeyboardInterrupt is to whoever presses Ctrl-C."""


@functools.cache
def _looks(code: CodeType) -> frozenset[int]:
    """Return the places of a function before which Python has looked."""
    found, before = [], ""
    for instruction in dis.get_instructions(code):
        if before.startswith(_LOOKS):
            found.append(instruction.offset)
        before = instruction.opname
    return frozenset(found)


def cut_off(work: Callable[[], Any], *, at: int, within: tuple[str, ...]) -> bool:
    """
    Run `work`, and raise Cut at the `at`-th place that it comes by.

    Args:
        within: parts of the paths of the files whose places count.

    Returns:
        Whether there were so many places.
    """
    left = at

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if event == "call":
            if not any(part in frame.f_code.co_filename for part in within):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode" and frame.f_lasti in _looks(frame.f_code):
            left -= 1
            if left == 0:
                raise Cut
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Cut:
        return True
    finally:
        sys.settrace(before)
    return False
