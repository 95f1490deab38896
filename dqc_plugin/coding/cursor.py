"""Reading binary fields one after another, never past their end."""

from __future__ import annotations

from dqc_plugin.coding import varint
from dqc_plugin.errors import ArtifactError

Data = bytes | memoryview


class Cursor:
    """A place in bytes that moves on with each field read; ArtifactError where a field is cut or impossible."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """The next bytes."""
        if length > self.left:
            raise ArtifactError(f"{length} bytes are announced and {self.left} are there")
        self._at += length
        return bytes(self._data[self._at - length : self._at])

    def byte(self) -> int:
        if not self.left:
            raise ArtifactError("a byte is announced and none is there")
        self._at += 1
        return self._data[self._at - 1]

    def count(self) -> int:
        """A varint."""
        value, self._at = varint.take(self._data, self._at)
        return value

    def text(self) -> str:
        """A length and UTF-8."""
        try:
            return self.take(self.count()).decode()
        except UnicodeDecodeError:
            raise ArtifactError("a name is not UTF-8") from None

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._at

    def rest(self) -> Data:
        """All of them, not copied: they may be many."""
        start, self._at = self._at, len(self._data)
        return memoryview(self._data)[start:]

    def end(self) -> None:
        """ArtifactError unless everything has been read."""
        if self.left:
            raise ArtifactError(f"{self.left} bytes are left over")


def text(value: str) -> bytes:
    """What :meth:`Cursor.text` reads."""
    data = value.encode()
    return varint.put(len(data)) + data
