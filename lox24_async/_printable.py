"""What of a foreign text may be printed: in a terminal, a log, an error."""


def printable(text: str) -> str:
    """Return a text on one line, its control characters visible and harmless."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str, limit: int) -> str:
    """Return the printable start of a text; line breaks and other gaps are single spaces."""
    if len(text) > limit:
        text = text[:limit] + "…"
    return printable(" ".join(text.split()))
