"""Tables as text and a page of HTML that holds its pictures itself."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

STYLE = """
body{margin:0;background:#f4f6f8;color:#1c2733;font:16px/1.55 system-ui,"Segoe UI",Roboto,sans-serif}
main{max-width:1120px;margin:0 auto;padding:40px 48px 56px;background:#fff}
h1{font-size:30px;line-height:1.2;margin:0 0 8px}h2{font-size:20px;margin:44px 0 8px}
p{max-width:46em;margin:8px 0}.soft{color:#5c6773}
table{border-collapse:collapse;margin:16px 0;font-variant-numeric:tabular-nums}
th,td{padding:6px 18px 6px 0;border-bottom:1px solid #dde2e7;text-align:right}
th:first-child,td:first-child{text-align:left}th{font-weight:600}tr.mean td{font-weight:600}
img{display:block;max-width:100%;height:auto;margin:16px 0}
code{background:#eef1f4;padding:1px 5px;border-radius:4px;font-size:14px}
""".strip()


def text_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells in aligned columns, the first to the left and the others to the right.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequences of str
        Each as long as the head.

    Returns
    -------
    str

    Examples
    --------
    >>> print(text_table(["", "plain"], [["object swap", "51.0"]]))
                 plain
    object swap   51.0
    """
    lines = [list(head), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(w) if n else cell.ljust(w)
                               for n, (cell, w) in enumerate(zip(cells, widths, strict=True))).rstrip()
                     for cells in lines)


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], means: Sequence[str] = ()) -> str:
    """The same as HTML.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequences of str
    means : sequence of str
        First cells of rows that summarise others.

    Returns
    -------
    str

    Examples
    --------
    >>> html_table(["a"], [["1 < 2"]])
    '<table><tr><th>a</th></tr><tr><td>1 &lt; 2</td></tr></table>'
    """
    def line(tag: str, cells: Sequence[str]) -> str:
        mark = ' class="mean"' if cells[0] in means else ""
        return f"<tr{mark}>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

    return "<table>" + line("th", head) + "".join(line("td", cells) for cells in rows) + "</table>"


def picture(data: bytes, says: str) -> str:
    """A PNG or JPEG inside the page.

    Parameters
    ----------
    data : bytes
    says : str
        What it shows, for those who don't see it.

    Returns
    -------
    str
    """
    kind, body = "jpeg" if data[:2] == b"\xff\xd8" else "png", base64.b64encode(data).decode()
    return f'<img alt="{html.escape(says, quote=True)}" src="data:image/{kind};base64,{body}">'


def paragraph(text: str, soft: bool = False) -> str:
    """A paragraph; words between backquotes are code.

    Examples
    --------
    >>> paragraph("run `vlmneg demo`")
    '<p>run <code>vlmneg demo</code></p>'
    """
    parts = html.escape(text, quote=False).split("`")
    body = "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(parts))
    return f'<p class="soft">{body}</p>' if soft else f"<p>{body}</p>"


def page(title: str, sections: Sequence[tuple[str, Sequence[str]]]) -> str:
    """A whole page that needs no other file.

    Parameters
    ----------
    title : str
    sections : sequence of (heading, parts)
        Parts are HTML; an empty heading is left out.

    Returns
    -------
    str
    """
    body = [f"<h1>{html.escape(title)}</h1>"]
    for heading, parts in sections:
        body += [f"<h2>{html.escape(heading)}</h2>"] if heading else []
        body += parts
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{html.escape(title)}</title>\n<style>\n{STYLE}\n</style></head>\n<body><main>\n"
            + "\n".join(body) + "\n</main></body></html>\n")
