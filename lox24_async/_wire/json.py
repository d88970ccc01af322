"""JSON texts as RFC 8259 has them: UTF-8, with or without a BOM, no NaN.

orjson is used when it is installed (extra ``speedups``), and only where it gives what the
standard library gives: the results are the same to the last field.
"""

import json
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NoReturn, TypeGuard

_fast_loads: Callable[[bytes | str], Any] | None
try:
    _fast_loads = import_module("orjson").loads
except ImportError:
    _fast_loads = None

_BOM: Final = b"\xef\xbb\xbf"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INT64: Final = 2.0**63  # orjson makes floats of larger integers
MOST_VALUES: Final = 1_000_000
"""Values that a text may have. A text of a few MiB can become a GiB of empty lists."""
_CHECKED: Final = frozenset({float, dict, list})
_DEPTH: Final = 20  # json.loads fails at some depth that depends on the stack; we do earlier


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a decoded value is an object."""
    return type(value) is dict


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether a decoded value is an array."""
    return type(value) is list


def count_values(data: bytes) -> int:
    """Return about how many values a part of a JSON text has: no fewer, rather more.

    An array or object counts for four more: so much dearer it is than a string or number.
    """
    return data.count(b",") + 4 * (data.count(b"[") + data.count(b"{"))


def read_json(data: bytes | str) -> Any:
    """Decode one JSON text.

    Raises:
        ValueError: the data is no JSON, or is nested or long beyond reason.
    """
    if _fast_loads is not None:  # pragma: no cover - orjson has a run of its own in .ci/run
        try:
            value = _fast_loads(data)
        except ValueError:
            return _read_slowly(data)  # it refuses a little more than the standard library
        if _is_exact(value, _DEPTH):
            return value
    return _read_slowly(data)


def _is_exact(value: object, depth: int) -> bool:  # pragma: no cover - orjson, as above
    """Whether orjson has lost nothing: no float that may have been a long integer."""
    if is_list(value) and _CHECKED.isdisjoint(map(type, value)):
        return True  # a million recipients in a moment
    values: Any = value.values() if is_object(value) else value if is_list(value) else (value,)
    for item in values:
        kind: object = type(item)  # pyright: ignore[reportUnknownVariableType]
        if kind is float:
            if not -_INT64 < item < _INT64:
                return False
        elif (kind is dict or kind is list) and (not depth or not _is_exact(item, depth - 1)):
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def _read_slowly(data: bytes | str) -> Any:
    if isinstance(data, bytes):
        data = data.removeprefix(_BOM).decode()
    try:
        return _decoder.decode(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None


_lenient: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_INFINITE: Final = re.compile(r"([\[,]?)(-?)Infinity")  # a number, for a string has quotes
_NAN: Final = re.compile(r"[\[,]?NaN")


def _finite(part: str) -> str:
    if _NAN.fullmatch(part):
        raise ValueError("NaN is not JSON")
    return _INFINITE.sub(r"\1\g<2>1e999", part) if _INFINITE.fullmatch(part) else part


def write_json(value: Any) -> str:
    """Encode a value as a compact JSON text."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        # A number beyond a float's range (1e999) was read as infinite; JSON has no such word.
        text = "".join(map(_finite, _lenient.iterencode(value)))
    # Half a surrogate pair (a text that was cut) cannot be written as UTF-8, its escape can.
    return _SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
