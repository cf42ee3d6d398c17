"""Negatives as HTML: a caption with its variants, what was changed marked."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import numpy as np

STYLE = ("font:14px/1.5 system-ui,sans-serif;border-collapse:collapse;margin:6px 0 14px",
         "padding:2px 14px 2px 0;text-align:left;vertical-align:top;border:0;background:none")
OLD, NEW, SOFT = "background:#ffe3e0;color:#8a1c14", "background:#dff3e4;color:#14532d", "color:#66727f"


def html_of(result: Any, rows: Sequence[int] | None = None, images: Sequence[Any] | None = None, *, n: int = 6,
            seed: int = 0) -> str:
    """Captions and their negatives as an HTML table.

    Parameters
    ----------
    result : Result
    rows : sequence of int, optional
        Rows to show; None: n of them, drawn by seed.
    images : sequence of paths, arrays or PIL images, optional
        A picture a row that is shown; what can't be read is left out.
    n : int
    seed : int

    Returns
    -------
    str

    Examples
    --------
    >>> from vlmneg.negatives import text
    >>> "<mark" in html_of(text.replace(k=1)(["a red ball"]))
    True
    """
    if rows is None:
        drawn = np.random.default_rng(seed).permutation(len(result))[:n]
        rows = sorted(drawn.tolist())
    parts = []
    for place, i in enumerate(rows):
        lines = [_line("", html.escape(result.captions[i]))]
        lines += [_line(result.kind[i][k], marked(result.captions[i], text, result.edits[i][k]))
                  if result.valid[i, k] else _line(result.kind[i][k], f'<span style="{SOFT}">none: {reason}</span>')
                  for k, (text, reason) in enumerate(zip(result.text[i], result.reason[i], strict=True))]
        picture = _picture(images[place]) if images else ""
        parts.append(f'<table style="{STYLE[0]}"><tr>{picture}<td style="{STYLE[1]}"><table style="{STYLE[0]}">'
                     f'{"".join(lines)}</table></td></tr></table>')
    return "".join(parts)


def marked(caption: str, text: str, edits: Sequence[Any]) -> str:
    """A negative with what is new marked, and struck out before it what stood there.

    Parameters
    ----------
    caption, text : str
    edits : sequence of Edit

    Returns
    -------
    str

    Examples
    --------
    >>> marked("a cat", "a dog", [(2, 5, "cat", 2, "dog")])[:9]
    'a <s styl'
    """
    out, at = [], 0
    for _, _, old, start, new in edits:
        out.append(html.escape(text[at:start]))
        if old:
            out.append(f'<s style="{OLD}">{html.escape(old)}</s> ')
        if new:
            out.append(f'<mark style="{NEW}">{html.escape(new)}</mark>')
        at = start + len(new)
    return "".join(out) + html.escape(text[at:])


def _line(kind: str, body: str) -> str:
    cell = STYLE[1]
    return (f'<tr style="background:none"><td style="{cell};{SOFT}">{html.escape(kind.replace("_", " "))}</td>'
            f'<td style="{cell}">{body}</td></tr>')


def _picture(source: Any) -> str:
    from vlmneg import images, report, show

    try:
        picture = images.decode(source).convert("RGB")
    except (OSError, ValueError):
        return ""
    picture.thumbnail((224, 224))
    return f'<td style="{STYLE[1]}">{report.picture(show.png(picture), "the picture")}</td>'
