"""How far a replay of files has come."""

from __future__ import annotations

from typing import NamedTuple

from producer.source import Cursor


class Place(NamedTuple):
    """After the record `number` of the text `name`, and after the first `parts` tweets in the record that follows.

    As a cursor it is `<name>\\t<number>` or `<name>\\t<number>+<parts>`; of a single file, whose name is left empty,
    the number alone.
    """

    name: str = ""
    number: int = 0
    parts: int = 0

    @property
    def cursor(self) -> Cursor:
        if not self.parts:
            return f"{self.name}\t{self.number}" if self.name else self.number
        return f"{self.name}\t{self.number}+{self.parts}"

    @classmethod
    def of(cls, cursor: Cursor) -> Place:
        """Parse a cursor; 0 is before everything."""
        if isinstance(cursor, int):
            return cls("", cursor)
        name, _, numbers = cursor.rpartition("\t")
        number, _, parts = numbers.partition("+")
        return cls(name, int(number), int(parts or 0))

    def is_in(self, name: str) -> bool:
        """Whether the text is the file or member of this name, or a member of it."""
        return self.name == name or self.name.startswith(f"{name}/")
