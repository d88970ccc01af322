"""What an answer says beside its status: its headers, and which rules were broken."""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from ._public import public


@public
class Headers(Mapping[str, str]):  # noqa: PLW1641  no key of a dict
    """The headers of an answer; names are compared without regard to case."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        # Not the HTTP library's own kinds of str: the error may be unpickled without it.
        self._items = {n.lower(): (str(n), str(v)) for n, v in (items or {}).items()}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return super().__eq__(other)
        return self._plain() == other._plain()

    def _plain(self) -> dict[str, str]:
        return {name: value for name, (_, value) in self._items.items()}

    def __reduce__(self) -> tuple[type["Headers"], tuple[dict[str, str]]]:
        return Headers, (dict(self),)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


@public
@frozen
class Violation:
    """One rule that the server found broken: which field, and how."""

    property_path: str | None
    message: str | None
    code: str | None = field(default=None, repr=False)
