# SPDX-License-Identifier: Apache-2.0
"""Numbers and tables for people, as text and as HTML."""
import html


def amount(count):
    """Bytes in a unit that suits them; None is not known."""
    if count is None:
        return "?"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024


def span(ns):
    """Nanoseconds in a unit that suits them."""
    for unit, size in (("s", 1e9), ("ms", 1e6)):
        if ns >= size:
            return f"{ns / size:.2f} {unit}"
    return f"{ns / 1e3:.1f} µs"


def as_text(head, rows):
    """A table in columns, as wide as they must be; the last one may be of any length."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in lines)


def as_html(head, rows):
    """The same as a table of HTML; every cell is escaped."""
    def line(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
    return (f'<table class="quern"><thead>{line(head, "th")}</thead>'
            f'<tbody>{"".join(line(row, "td") for row in rows)}</tbody></table>')
