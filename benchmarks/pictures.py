"""Figures as SVG, without a library; colours follow the reader's light or dark scheme."""

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
OURS = ("hermetic", ", on", "with the layer", "@seed")


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
        kind = "bar hermetic" if any(word in label for word in OURS) else "bar"
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
