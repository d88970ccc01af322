"""The picture: bars of CPU time per request against the hand-written client's."""

from html import escape
from string import Template

from .race import Entry, Race
from .results import spread

# Of middle lightness, readable on white and on black alike.
_INK, _QUIET, _SPREAD = "#768390", "#76839055", "#d1495b"
_OURS, _BASE, _OTHERS = "#3b82f6", "#8b949e", "#b08d57"
_LABELS, _BARS, _FIGURES = 450, 400, 70  # widths of the columns, in pixels
_MOST = 2.0  # longer bars are cut off
_ROW, _HEIGHT, _TOP = 26, 14, 54

_SVG = Template("""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" \
height="$height" role="img" font-family="system-ui, sans-serif" font-size="13" fill="$ink">
<title>CPU time per cancelled bulk, relative to hand-written aiohttp</title>
<text x="0" y="16" font-weight="600">CPU time per cancelled bulk, 100 in flight; aiohttp by \
hand = 1 (less is better)</text>
$content
<text x="0" y="$below" font-size="11">$note; whiskers: the middle half of the rounds</text>
</svg>
""")


def draw(race: Race, note: str) -> str:
    """Return the picture as SVG, with a note on how it was made."""
    entries = [entry for entry in race.cpu_us if entry.width == 100]
    entries = [e for e in entries if not (e.setting and e.name == "by_hand")]
    entries.sort(key=lambda entry: spread(race.cpu_ratios(entry))[1])
    bottom = _TOP + _ROW * len(entries)
    content = [_scale(at / 2, bottom) for at in range(int(_MOST * 2) + 1)]
    for number, entry in enumerate(entries):
        content.append(_bar(entry, race.cpu_ratios(entry), _TOP + _ROW * number))
    return _SVG.substitute(
        width=_LABELS + _BARS + _FIGURES,
        height=bottom + 30,
        below=bottom + 22,
        note=escape(note),
        ink=_INK,
        content="\n".join(content),
    )


def _x(ratio: float) -> float:
    return round(_LABELS + _BARS * min(ratio, _MOST) / _MOST, 1)


def _scale(at: float, bottom: int) -> str:
    look = f'stroke="{_INK}" stroke-dasharray="4 3"' if at == 1 else f'stroke="{_QUIET}"'
    return (
        f'<line x1="{_x(at)}" x2="{_x(at)}" y1="{_TOP - 6}" y2="{bottom}" {look}/>'
        f'<text x="{_x(at)}" y="{_TOP - 10}" text-anchor="middle" font-size="11">{at:g}</text>'
    )


def _bar(entry: Entry, ratios: list[float], top: int) -> str:
    low, middle, high = spread(ratios)
    ours = entry.title.startswith("lox24_async")
    color = _OURS if ours else _BASE if entry.name == "by_hand" else _OTHERS
    baseline, end = top + _HEIGHT - 2.5, _x(middle)
    parts = [
        _text(_LABELS - 10, baseline, escape(entry.title), "end", strong=ours),
        _text(_LABELS + _BARS + 10, baseline, f"{middle:.2f} &#215;", "start", strong=ours),
        f'<path d="M{_LABELS} {top} H{end} v{_HEIGHT} H{_LABELS} z" fill="{color}"/>',
    ]
    if middle > _MOST:  # a cut, so that nobody takes the bar for its full length
        cut = f"M{end - 26} {top - 3} l6 {_HEIGHT + 6} m6 0 l-6 {-_HEIGHT - 6}"
        parts.append(_stroke(cut, _INK))
    elif high > low:
        start, end, up = _x(low), _x(high), top + _HEIGHT / 2 - 3
        parts.append(_stroke(f"M{start} {up} v6 m0 -3 H{end} m0 -3 v6", _SPREAD))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str, *, strong: bool) -> str:
    weight = 600 if strong else 400
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{text}</text>'


def _stroke(path: str, color: str) -> str:
    return f'<path d="{path}" stroke="{color}" stroke-width="1.5" fill="none"/>'
