"""A report as one page of HTML: self-contained, and fit to be printed."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Final

import lox24_async as lox
from lox24_async._printable import printable

from .outcomes import label_of
from .protocols import Protocol, Row, counted, head_of, utc

State: Final = lox.CancelState
_COLOURS: Final = {
    State.CANCELED: "#2e7d32",
    State.ACCEPTED: "#0277bd",
    State.TOO_LATE: "#f9a825",
    State.NOT_FOUND: "#78909c",
    State.REJECTED: "#c62828",
    State.NOT_SENT: "#ef6c00",
    State.UNKNOWN: "#6a1b9a",
}
_BARS: Final = 48
_WIDTH: Final = 720
_HEIGHT: Final = 160
_LEFT: Final = 56
_TOP: Final = 8
_STYLE: Final = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1b1b1b; background: #fff;
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th { text-align: left; border-bottom: 2px solid #1b1b1b; }
td { border-bottom: 1px solid #ddd; vertical-align: top; }
th, td { padding: .2rem .6rem .2rem 0; } td.n, th.n { text-align: right; }
td.s { white-space: nowrap; }
td.id { font-family: ui-monospace, monospace; white-space: nowrap; }
td.text { overflow-wrap: anywhere; max-width: 16rem; }
.states { display: flex; flex-wrap: wrap; gap: .4rem 1.4rem; list-style: none; padding: 0; }
.states b { font-size: 1.25rem; } i.c { display: inline-block; width: .8em; height: .8em; }
svg { width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: #444; }
@page { margin: 15mm; }
@media print {
  body { max-width: none; margin: 0; font-size: 11px; } table { font-size: 8.5px; }
  thead { display: table-header-group; } tr, svg { break-inside: avoid; }
  i.c, svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def as_html(protocol: Protocol) -> str:
    """Return a report as a page."""
    return "".join(f"{line}\n" for line in _page(protocol))


def _page(protocol: Protocol) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Cancelled SMS bulks, {escape(utc(protocol.runs[0].started))}</title>"
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>Cancelled SMS bulks</h1>\n<dl>"
    for name, value in head_of(protocol):
        yield f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
    yield '</dl>\n<h2>Outcomes</h2>\n<ul class="states">'
    for state, count in counted(protocol):
        yield f"<li>{_chip(state)} <b>{count:,}</b> {escape(str(label_of(state)))}</li>"
    yield "</ul>"
    yield from _chart(protocol.rows)
    yield "<h2>Bulks</h2>\n<table>\n<thead><tr><th>bulk</th><th>state</th><th>time (UTC)</th>"
    yield '<th>request id</th><th class="n">messages</th><th class="n">price</th><th>error</th>'
    yield "</tr></thead>\n<tbody>"
    for row in protocol.rows:
        yield _line(row)
    yield "</tbody>\n</table>\n</body>\n</html>"


def _chip(state: "lox.CancelState") -> str:
    return f'<i class="c" style="background:{_COLOURS[state]}"></i>'


def _line(row: Row) -> str:
    fields = {
        name: escape(printable("" if value is None else str(value)))
        for name, value in row.fields.items()
    }
    state = escape(str(label_of(row.outcome.state)))
    # Bulk and request id have columns of their own.
    error = fields["error"].partition(" [HTTP ")[0]
    time = fields["time"].replace("T", " ").removesuffix("Z")
    return (
        f'<tr><td class="id">{fields["bulk_id"]}</td>'
        f'<td class="s">{_chip(row.outcome.state)} {state}</td>'
        f'<td>{time}</td><td class="text">{fields["request_id"]}</td>'
        f'<td class="n">{fields["messages"]}</td><td class="n">{fields["price"]}</td>'
        f'<td class="text">{error}</td></tr>'
    )


# --- the chart


def _chart(rows: Sequence[Row]) -> Iterator[str]:
    """Draw how many outcomes came when, as stacked bars."""
    known = [(moment, row.outcome.state) for row in rows if (moment := _moment(row.time))]
    if not known:
        return
    first, last = min(known)[0], max(known)[0]
    span = max((last - first).total_seconds(), 0.001)
    bars: list[dict[lox.CancelState, int]] = [{} for _ in range(_BARS)]
    for moment, state in known:
        place = min(_BARS - 1, int((moment - first).total_seconds() / span * _BARS))
        bars[place][state] = bars[place].get(state, 0) + 1
    most = max(sum(bar.values()) for bar in bars)
    bottom, width = _TOP + _HEIGHT, (_WIDTH - _LEFT) / _BARS
    yield (
        f'<svg viewBox="0 0 {_WIDTH} {bottom + 28}" role="img"'
        f' aria-label="Outcomes over time: at most {most:,} in {span / _BARS:.3g} seconds">'
    )
    for share, value in ((0, "0"), (1, f"{most:,}")):
        y = float(bottom - share * _HEIGHT)
        yield f'<line x1="{_LEFT}" x2="{_WIDTH}" y1="{y}" y2="{y}" stroke="#bbb"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value}</text>'
    for number, bar in enumerate(bars):
        top = float(bottom)
        for state in State:
            if count := bar.get(state):
                height = count / most * _HEIGHT
                top -= height
                yield (
                    f'<rect x="{_LEFT + number * width + 0.5:.2f}" y="{top:.2f}"'
                    f' width="{width - 1:.2f}" height="{height:.2f}" fill="{_COLOURS[state]}">'
                    f"<title>{count:,} {escape(str(label_of(state)))}</title></rect>"
                )
    for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        x = _LEFT + part * (_WIDTH - _LEFT)
        said = f"{first + timedelta(seconds=span * part):%H:%M:%S}"
        yield f'<text x="{x}" y="{bottom + 18}" text-anchor="{anchor}">{said}</text>'
    yield f'<text x="0" y="{_TOP + 4}">bulks</text>\n</svg>'


def _moment(said: str | None) -> datetime | None:
    try:
        return None if said is None else datetime.fromisoformat(said)
    except ValueError:
        return None
