"""Smoothed rows of voice descriptors, slow and plain, as the reference's tables show them."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

LATE = {"jitterLocal", "jitterDDP", "shimmerLocal", "logHNR"}


def smoothed(raw: F32, columns: tuple[str, ...], released: int, *, joint: bool) -> F32:
    """Rows of the table (one more than frames).

    Parameters
    ----------
    raw : ndarray of float32, shape (frames, columns)
    columns : tuple of str
    released : int
        Frames whose F0 was decided before the end.
    joint : bool
        Whether all columns pass through one table, which is as late as its latest column.
    """
    frames = len(raw)
    late = [joint or name in LATE for name in columns]
    out: list[list[np.float32]] = []
    counts = {"pitch": released, "late": 0, "table": 0}

    def limit(c: int) -> int:
        return counts["table"] if joint else counts["late"] if late[c] else counts["pitch"]

    def one_pass(end: bool) -> bool:
        changed = False
        if end and counts["pitch"] < frames:
            counts["pitch"] += 1
            changed = True
        if not end and counts["late"] < counts["pitch"]:
            counts["late"] += 1
            changed = True
        if counts["table"] < counts["late"]:
            counts["table"] += 1
            changed = True
        o = len(out)
        smallest = min(limit(c) for c in range(len(columns)))
        if (smallest > max(o - 1, 0)) if end else (smallest >= o + 2):
            out.append([average(raw[:, c], o, limit(c)) for c in range(len(columns))])
            changed = True
        return changed

    while True:
        changed = False
        while one_pass(False):
            changed = True
        if not changed and counts["late"] == frames:
            break
        while one_pass(True):
            pass
    return np.array(out, np.float32)


def average(x: F32, o: int, limit: int) -> np.float32:
    def frame(i: int) -> np.float32:
        if i < 0:
            return x[0]
        if i < limit:
            return x[i]
        return x[limit - 1] if o >= 1 else np.float32(0)

    y = frame(o)
    if y == 0:
        return np.float32(0)
    count = 1
    for neighbour in (frame(o - 1), frame(o + 1)):
        if neighbour != 0:
            y = y + neighbour
            count += 1
    return y / np.float32(count)
