"""The GSM 03.38 alphabet (3GPP TS 23.038) and how long a text is in it.

The default alphabet and its extension table, without national shift tables.
"""

import re
from typing import Final

_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = "\f^{}\\[~]|€"  # each takes two places: an escape and a letter

_FOREIGN: Final = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]")
_EXTENDED: Final = re.compile(f"[{re.escape(_EXTENSION)}]")


def find_foreign(text: str) -> int | None:
    """Return the position of the first character that is not in the alphabet, or ``None``."""
    found = _FOREIGN.search(text)
    return None if found is None else found.start()


def gsm_length(text: str) -> int:
    """Return the length as GSM counts: characters of the extension table count twice."""
    return len(text) + len(_EXTENDED.findall(text))


def unicode_length(text: str) -> int:
    """Return the length as Unicode messages count: in UTF-16 code units."""
    return len(text) + sum(c > "\uffff" for c in text)
