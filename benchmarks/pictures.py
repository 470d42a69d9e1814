"""Figures as SVG, without a library; colours follow the reader's light or dark scheme."""

import re
from html import escape

WIDTH, LABELS, ROW, TOP = 720, 285, 28, 44
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .note { fill: #59636e }
  .bar { fill: #afb8c1 } .hermetic { fill: #0969da }
  .spread { stroke: #1f2328; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note { fill: #9198a1 }
    .bar { fill: #656c76 } .hermetic { fill: #4493f8 } .spread { stroke: #f0f6fc }
  }
"""
OURS = re.compile("hermetic|, on$|with the layer|@seed")


def number(value: float) -> str:
    """Three digits that count, without an exponent."""
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.{1 if value >= 10 else 2 if value >= 1 else 3}f}"


def bars(measure: dict) -> str:
    """A bar for each variant's median, with a line from the least to the most."""
    variants = measure["variants"]
    scale = (WIDTH - LABELS - 90) / max(one["most"] for one in variants.values())
    height = TOP + ROW * len(variants) + 8
    unit = measure["unit"]
    note = "" if unit == "faults" else f", {unit} CPU; {measure['rounds']} rounds, median and spread"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(measure['title'])}</title>",
        f"<style>{STYLE}</style>",
        f'<text class="title" x="8" y="24">{escape(measure["title"])}'
        f'<tspan class="note" font-weight="400" font-size="13">{escape(note)}</tspan></text>',
    ]
    for row, (label, one) in enumerate(variants.items()):
        top = TOP + ROW * row
        kind = "bar hermetic" if OURS.search(label) else "bar"
        least, median, most = (LABELS + one[key] * scale for key in ("least", "median", "most"))
        lines += [
            f'<text x="{LABELS - 8}" y="{top + 16}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{kind}" x="{LABELS}" y="{top + 3}" '
            f'width="{median - LABELS:.1f}" height="{ROW - 9}" rx="2"/>',
        ]
        if most - least > 1:
            middle = top + 3 + (ROW - 9) / 2
            lines.append(
                f'<path class="spread" d="M{least:.1f} {middle}H{most:.1f}'
                f'M{least:.1f} {middle - 4}v8M{most:.1f} {middle - 4}v8"/>'
            )
        lines.append(f'<text x="{most + 8:.1f}" y="{top + 16}">{number(one["median"])}</text>')
    return "\n".join([*lines, "</svg>", ""])


TERMINAL = """
  .screen { fill: #f6f8fa; stroke: #d1d9e0 }
  text { font: 12.5px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
  .bold { font-weight: 700 } .red { fill: #cf222e } .green { fill: #1a7f37 } .cyan { fill: #1b7c83 }
  @media (prefers-color-scheme: dark) {
    .screen { fill: #151b23; stroke: #3d444d }
    text { fill: #f0f6fc } .red { fill: #ff7b72 } .green { fill: #56d364 } .cyan { fill: #56d4dd }
  }
"""
CODES = {"1": "bold", "31": "red", "32": "green", "36": "cyan"}


def terminal(title: str, output: str) -> str:
    """What a terminal shows of a command, in its colours."""
    lines = output.rstrip("\n").splitlines()
    columns = max(len(re.sub(r"\x1b\[[\d;]*m", "", line)) for line in lines)
    width, height = 24 + 7.6 * columns, 24 + 18 * len(lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{TERMINAL}</style>",
        f'<rect class="screen" x="1" y="1" width="{width - 2:.0f}" height="{height - 2}" rx="6"/>',
    ]
    for row, line in enumerate(lines):
        spans, classes = [], []
        for text, codes in re.findall(r"([^\x1b]*)(?:\x1b\[([\d;]*)m|$)", line):
            if text:
                spans.append(f'<tspan class="{" ".join(classes)}">{escape(text)}</tspan>')
            for code in codes.split(";"):
                classes = [] if code == "0" else [*classes, CODES[code]] if code in CODES else classes
        parts.append(f'<text x="12" y="{28 + 18 * row}" xml:space="preserve">{"".join(spans)}</text>')
    return "\n".join([*parts, "</svg>", ""])
