"""Line numbers of a TOML file's keys, for messages that point at them.

The standard library's parser forgets where things stood. This walker reads a text that it has already accepted, so it
need not check anything.
"""

import re

__all__ = ["Path", "key_lines"]

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_INLINE_BLANK = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' + r"|'''.*?'{3,5}" + r'|"(?:[^"\\\n]|\\.)*"' + r"|'[^'\n]*'", re.DOTALL
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")


def key_lines(text: str) -> dict[Path, int]:
    """Line (from 1) of every key, table and array item, by its path; the empty path is line 1."""
    return _Walker(text).lines


class _Walker:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {(): 1}
        self.tables: dict[Path, int] = {}  # how many tables an array of tables has so far
        table: Path = ()
        while self._skip() < len(text):
            here = self.at
            if text.startswith("[[", here):
                self.at += 2
                path = self._resolve(self._key()[:-1], self._last)
                number = self.tables.get(path, 0)
                self.tables[path] = number + 1
                table = (*path, number)
                self._note(path, here)
                self._note(table, here)
                self.at += 2
            elif text[here] == "[":
                self.at += 1
                table = self._resolve(self._key(), None)
                self._note(table, here)
                self.at += 1
            else:
                self._pair(table)

    def _skip(self) -> int:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at
        return self.at

    def _note(self, path: Path, at: int) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, at) + 1)

    def _resolve(self, keys: list[str], last: str | None) -> Path:
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self.tables:
                path = (*path, self.tables[path] - 1)
        return path if last is None else (*path, last)

    def _key(self) -> list[str]:
        """A dotted key up to and without what follows it."""
        parts = []
        while True:
            self._skip()
            match = _STRING.match(self.text, self.at) or _BARE_KEY.match(self.text, self.at)
            if match is None:
                break
            self.at = match.end()
            parts.append(match[0][1:-1] if match[0][0] in "\"'" else match[0])
            self._skip()
            if self.text[self.at] != ".":
                break
            self.at += 1
        self._last = parts[-1]
        return [*parts[:-1], parts[-1]]

    def _pair(self, table: Path) -> None:
        start = self.at
        path: Path = (*table, *self._key())
        for length in range(len(table) + 1, len(path) + 1):
            self._note(path[:length], start)
        self.at += 1  # =
        self._value(path)

    def _value(self, path: Path) -> None:
        self._skip()
        opening = self.text[self.at]
        if opening == "[":
            self.at += 1
            number = 0
            while self.text[self._skip()] != "]":
                self._note((*path, number), self.at)
                self._value((*path, number))
                number += 1
                if self.text[self._skip()] == ",":
                    self.at += 1
            self.at += 1
        elif opening == "{":
            self.at += 1
            while self.text[self._skip()] != "}":
                self._pair(path)
                if self.text[self._skip()] == ",":
                    self.at += 1
            self.at += 1
        else:
            match = _STRING.match(self.text, self.at) or _BARE_VALUE.match(self.text, self.at)
            self.at = match.end() if match else self.at + 1
