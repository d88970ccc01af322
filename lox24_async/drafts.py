"""The bulk that one wants to create, and how long its text is in SMS.

It knows nothing of the wire; the wire's rules stand in ``_wire/requests``.

Source: https://doc.lox24.eu/api/operations/api_bulks_post_collection/ and
https://doc.lox24.eu/api/operations/api_bulks_get_item/
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from ._checks import check_moment, check_whole, is_whole, is_words, items, since_epoch
from ._public import public
from .errors import ConfigurationError
from .models import LANGS, SERVICES, ServiceCode, VoiceLang

_SENDER: Final = re.compile(r"\+?[1-9][0-9]{0,14}|[a-zA-Z0-9 ]{1,11}")
_PHONE: Final = re.compile(r"\+?[0-9]{5,17}")
_LANG: Final = re.compile("[A-Z]{2}")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_TEXT_MOST: Final = 1785  # characters, placeholders included
_GSM_MOST: Final = 1530  # of the message that goes out, characters of the extension twice
_UNICODE_MOST: Final = 670  # of the message that goes out, UTF-16 code units
# What one SMS holds, and each part of a longer one. Source: 3GPP TS 23.040.
_GSM_SMS: Final = (160, 153)
_UNICODE_SMS: Final = (70, 67)
_VOICE: Final = (ServiceCode.TEXT2SPEECH, ServiceCode.TEXT2SPEECH_SSML)

# The GSM 03.38 alphabet (3GPP TS 23.038) and its extension table, without national tables.
_BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION: Final = "\f^{}\\[~]|€"  # each takes two places: an escape and a letter

_FOREIGN: Final = re.compile(f"[^{re.escape(_BASIC + _EXTENSION)}]")
_EXTENDED: Final = re.compile(f"[{re.escape(_EXTENSION)}]")


def _to_phones(value: Iterable[str]) -> tuple[str, ...]:
    return items("phones", value, "phone numbers")


def _to_groups(value: Iterable[int]) -> tuple[int, ...]:
    return items("msg_groups", value, "group ids")


def _to_service(value: ServiceCode | str) -> ServiceCode | str:
    return SERVICES.get(value, value) if isinstance(value, str) else value


def _to_lang(value: VoiceLang | str | None) -> VoiceLang | str | None:
    return LANGS.get(value, value) if isinstance(value, str) else value


@public
@frozen
class BulkDraft:
    r"""A bulk to create: what is sent to whom, and when. Checked when made.

    ``repr`` leaves out the text and the phone numbers: they are other people's data. Errors
    name positions instead.

    Documented are the fields, the pattern of the sender, the forms of a phone number and
    the lengths. Inferred: that sender and text are required, that columns of a group can
    stand in the text as placeholders (so with ``msg_groups`` the length of the final
    message is not checked here), and that group ids are integers of at least 1.

    Args:
        sender_id: A number of up to 15 digits, with or without ``+``, or up to 11 letters,
            digits and spaces (ASCII).
        text: Up to 1785 characters. Sent by ``direct`` without ``msg_groups``, at most 1530
            in GSM 03.38 (``^{}\[~]|€`` and form feed count twice), or else 670 UTF-16
            code units.
        phones: Phone numbers, best in E.164 (``+49…``); ``0049…``, ``49…`` and ``01…`` are
            converted by LOX24. None twice: it would be sent to and paid for twice.
        msg_groups: Ids of groups of recipients. Phones, groups, or both must be given.
        service_code: The gateway; a code not known here is sent as it is.
        delivery_at: When to send, an aware date-time after 1970-01-01 UTC and before the
            year 10000, sent in whole seconds, rounded up; ``None`` is at once.
        is_unicode: ``False`` for GSM 03.38, which then must hold the whole text, ``True``
            for Unicode, ``None`` to let LOX24 decide.
        source: A free number that groups messages in the itemised bill, at least 0.
        voice_lang: The language of a text-to-speech call, two capital letters; ``None`` to
            let LOX24 detect it.

    Raises:
        ConfigurationError: says which field is wrong, and what it must be.
    """

    sender_id: str
    text: str = field(repr=False)
    phones: tuple[str, ...] = field(default=(), converter=_to_phones, repr=False)
    msg_groups: tuple[int, ...] = field(default=(), converter=_to_groups)
    service_code: ServiceCode | str = field(default=ServiceCode.DIRECT, converter=_to_service)
    delivery_at: datetime | None = None
    is_unicode: bool | None = None
    source: int | None = None
    voice_lang: VoiceLang | str | None = field(default=None, converter=_to_lang)

    @property
    def needs_unicode(self) -> bool:
        """Whether the text goes out as Unicode: because it was asked for, or is not all GSM 03.38.

        That LOX24 decides in this way where ``is_unicode`` is ``None`` is inferred.
        """
        return bool(self.is_unicode) or find_foreign(self.text) is not None

    @property
    def parts(self) -> int:
        """How many SMS one message takes; each of them is paid for. A call is 1.

        One SMS holds 160 characters of GSM 03.38 (some count twice) or 70 UTF-16 code units of
        Unicode; where it takes several, each holds 153 or 67. The text is counted as it stands,
        before columns of a group are filled in.
        """
        if self.service_code in _VOICE:
            return 1
        wide = self.needs_unicode
        length = unicode_length(self.text) if wide else gsm_length(self.text)
        single, part = _UNICODE_SMS if wide else _GSM_SMS
        return 1 if length <= single else -(-length // part)

    def __attrs_post_init__(self) -> None:
        self._check_sender()
        self._check_recipients()
        self._check_options()
        self._check_text()

    def _check_sender(self) -> None:
        if not isinstance(self.sender_id, str) or _SENDER.fullmatch(self.sender_id) is None:
            raise ConfigurationError(
                "sender_id must be a number of up to 15 digits (no 0 first, + allowed) "
                "or 1 to 11 letters, digits and spaces (ASCII)"
            )

    def _check_recipients(self) -> None:
        for at, phone in enumerate(self.phones):
            if not isinstance(phone, str) or _PHONE.fullmatch(phone) is None:
                raise ConfigurationError(
                    f"phones[{at}] must be a string of 5 to 17 digits, best in E.164 (+49…)"
                )
        for at, group in enumerate(self.msg_groups):
            if not is_whole(group, least=1):
                raise ConfigurationError(f"msg_groups[{at}] must be a whole number of at least 1")
        _check_distinct("phones", self.phones)
        _check_distinct("msg_groups", self.msg_groups)
        if not self.phones and not self.msg_groups:
            raise ConfigurationError("phones or msg_groups must name at least one recipient")

    def _check_options(self) -> None:
        if not is_words(self.service_code):
            raise ConfigurationError(
                "service_code must be a ServiceCode or a non-empty string "
                "without control characters"
            )
        check_moment("delivery_at", self.delivery_at)
        if self.delivery_at is not None and since_epoch(self.delivery_at) <= timedelta(0):
            raise ConfigurationError(
                "delivery_at must be after 1970-01-01 UTC (0 is at once: give None for it)"
            )
        if self.is_unicode is not None and not isinstance(self.is_unicode, bool):
            raise ConfigurationError("is_unicode must be True, False or None")
        check_whole("source", self.source, least=0)
        lang = self.voice_lang
        if lang is not None and (not isinstance(lang, str) or _LANG.fullmatch(lang) is None):
            raise ConfigurationError("voice_lang must be a VoiceLang, two capital letters, or None")

    def _check_text(self) -> None:
        text = self.text
        if not isinstance(text, str) or not text:
            raise ConfigurationError("text must be a non-empty string")
        if len(text) > _TEXT_MOST:
            raise ConfigurationError(
                f"text must have at most {_TEXT_MOST} characters, not {len(text)}"
            )
        if (broken := _SURROGATE.search(text)) is not None:
            raise ConfigurationError(
                "text must be encodable as UTF-8, without a lone surrogate "
                f"as at position {broken.start()}"
            )
        foreign = find_foreign(text)
        if self.is_unicode is False and foreign is not None:
            raise ConfigurationError(
                "text must be in the GSM 03.38 alphabet when is_unicode is False, "
                f"unlike {_describe(text[foreign])} at position {foreign}"
            )
        # Columns of a group may stand in the text: the final length is known to LOX24 only.
        if self.service_code == ServiceCode.DIRECT and not self.msg_groups:
            _check_length(text, gsm=not self.needs_unicode)


def _check_distinct(name: str, values: tuple[object, ...]) -> None:
    seen: dict[object, int] = {}
    for at, value in enumerate(values):
        if (first := seen.setdefault(value, at)) != at:
            raise ConfigurationError(f"{name}[{at}] must not repeat {name}[{first}]")


def _check_length(text: str, *, gsm: bool) -> None:
    if gsm and (length := gsm_length(text)) > _GSM_MOST:
        raise ConfigurationError(
            f"text must take at most {_GSM_MOST} GSM 03.38 characters "
            f"(some count twice), not {length}"
        )
    if not gsm and (length := unicode_length(text)) > _UNICODE_MOST:
        raise ConfigurationError(
            f"text must take at most {_UNICODE_MOST} UTF-16 code units "
            f"when sent as Unicode, not {length}"
        )


def _describe(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, '')}".rstrip()


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
