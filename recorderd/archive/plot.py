"""The forecast as a picture: owns an SVG of one curve, dark or light as its reader likes it.

Must not know where the numbers come from. No script and no font of its own: a browser, a mail and a printer
show it alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 20, 36
_POINTS = 400
_EPOCH = date(1970, 1, 1)
_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #444 }
.grid { stroke: #ddd } .past { stroke: #567; fill: none; stroke-width: 2 }
.next { stroke: #0a7; fill: none; stroke-width: 2; stroke-dasharray: 5 3 } .full { stroke: #c33 }
@media (prefers-color-scheme: dark) {
  text { fill: #bbb } .grid { stroke: #333 } .past { stroke: #9ab } .next { stroke: #3db } .full { stroke: #f77 }
}
"""

Curve = Sequence[tuple[int, float]]


def svg(past: Curve, future: Curve, full: float, title: str) -> str:
    """Bytes used by day, as they were and as they will be, below the line at `full` bytes."""
    every = [*past, *future]
    first, last = every[0][0], max(every[-1][0], every[0][0] + 1)
    top = max([full, *(value for _, value in every)]) * 1.05 or 1.0

    def x(day: float) -> float:
        return _LEFT + (day - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    def line(curve: Curve, kind: str) -> str:
        step = max(1, len(curve) // _POINTS)
        kept = [*curve[::step], *curve[-1:]]
        points = " ".join(f"{x(day):.1f},{y(value):.1f}" for day, value in kept)
        return f'<polyline class="{kind}" points="{points}"/>' if curve else ""

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
    ]
    for value in _steps(top):
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        )
        parts.append(f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{size(value)}</text>')
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        day = first + share * (last - first)
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        parts.append(f'<text x="{x(day):.1f}" y="{_HEIGHT - 12}" text-anchor="{anchor}">{_date(day)}</text>')
    parts.append(
        f'<line class="full" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(full):.1f}" y2="{y(full):.1f}"/>'
    )
    parts += [line(past, "past"), line(future, "next"), "</svg>"]
    return "\n".join(filter(None, parts)) + "\n"


def size(value: float) -> str:
    """`12.3 GB`: decimal, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:.3g} {unit}"
        value /= 1000
    raise AssertionError("TB is the last")


def _steps(top: float) -> list[float]:
    """Some four round values up to `top`."""
    raw = top / 4
    scale = 10 ** (len(str(int(raw))) - 1)
    step = next(factor * scale for factor in (1, 2, 5, 10) if factor * scale >= raw)
    return [step * k for k in range(int(top / step) + 1)]


def _date(day: float) -> str:
    return (_EPOCH + timedelta(days=round(day))).isoformat()
