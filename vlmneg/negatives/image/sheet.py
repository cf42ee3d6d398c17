"""Results to look at: sources beside their variants, the edited region outlined."""

from __future__ import annotations

import html
import io
import textwrap
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from vlmneg import report, show

LINE = (255, 64, 160)   # of the outline: a colour that photographs rarely hold
GAP, LINE_HEIGHT, LETTERS = 10, 15, 7.5


def outlined(image: np.ndarray, region: np.ndarray | None, side: int) -> Image.Image:
    """A picture that fits a square, with an outline around a region of it.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
    region : ndarray of shape (H, W), uint8, or None
        A region that holds nothing or everything has no outline.
    side : int
        Of the square, in pixels.

    Returns
    -------
    PIL image

    Examples
    --------
    >>> picture, region = np.zeros((40, 80, 3), np.uint8), np.zeros((40, 80), np.uint8)
    >>> region[10:30, 20:40] = 1
    >>> outlined(picture, region, 40).getpixel((9, 10))
    (255, 64, 160)
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    if region is not None and region.any() and not region.all():
        mask = Image.fromarray((region != 0).astype(np.uint8) * 255)
        inside = np.asarray(mask.resize(size, Image.Resampling.BOX)) > 0
        wide = np.pad(inside, 1, "edge")
        around = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
        small[around & ~inside] = LINE
        if not (around & ~inside).any():
            small[[0, -1]] = small[:, [0, -1]] = LINE
    return Image.fromarray(small)


def label(result: Any, i: int, k: int) -> str:
    """What slot k of row i shows, in a few words.

    Parameters
    ----------
    result : ImageResult
    i, k : int

    Returns
    -------
    str
    """
    kind = show.spoken(result.kind[i][k])
    if not result.valid[i, k]:
        return f"{kind}: none, {result.reason[i][k]}"
    edit = result.edits[i][k]
    if "new" in edit:
        return f"{kind}: {edit.get('old', 'mixed')} to {edit['new']}"
    return kind


def rows_of(result: Any, n: int, seed: int) -> list[int]:
    """Numbers of n rows, drawn by seed, in order.

    Parameters
    ----------
    result : ImageResult
    n, seed : int

    Returns
    -------
    list of int
    """
    return sorted(np.random.default_rng(seed).permutation(len(result))[:n].tolist())


def contact_sheet(result: Any, n: int, seed: int, side: int) -> Image.Image:
    """Rows of pictures, the source first; below each what was done, and its caption.

    Parameters
    ----------
    result : ImageResult
    n, seed : int
        How many rows, and which.
    side : int
        Of a picture, in pixels.

    Returns
    -------
    PIL image
    """
    font, blocks = show._font(12), []
    for i in rows_of(result, n, seed):
        pictures, texts = _row(result, i, side)
        high, lines = max(p.height for p in pictures), [_wrapped(text, side) for _, text in texts]
        block = Image.new("RGB", ((side + GAP) * len(pictures), high + 20 + LINE_HEIGHT * max(map(len, lines))),
                          show.PAPER)
        draw = ImageDraw.Draw(block)
        for x, picture in enumerate(pictures):
            left = x * (side + GAP)
            block.paste(picture, (left, (high - picture.height) // 2))
            draw.text((left, high + 4), texts[x][0], show.SOFT, font)
            for line, text in enumerate(lines[x]):
                draw.text((left, high + 19 + LINE_HEIGHT * line), text, show.INK, font)
        blocks.append(block)
    return show.stack(blocks, gap=GAP, margin=GAP)


def html_of(result: Any, n: int = 4, seed: int = 0, side: int = 176) -> str:
    """Sources and variants as an HTML table, for a notebook or a page.

    Parameters
    ----------
    result : ImageResult
    n, seed : int
        How many rows, and which.
    side : int
        Of a picture, in pixels.

    Returns
    -------
    str

    Examples
    --------
    >>> from vlmneg.negatives import image
    >>> picture = np.full((9, 9, 3), (200, 0, 0), np.uint8)
    >>> html_of(image.grey()([picture])).count("<img")
    2
    """
    cell = "padding:4px 10px 8px 0;text-align:left;vertical-align:top;border:0;background:none"
    parts = []
    for i in rows_of(result, n, seed):
        cells = []
        for x, (image, (says, text)) in enumerate(zip(*_row(result, i, side), strict=True)):
            old = x and (result.source[i][x - 1] or (result.captions and result.captions[i]))
            words = show.changed_words(old, text) if old and text else [(text, False)]
            body = " ".join(f"<mark>{html.escape(w)}</mark>" if new else html.escape(w) for w, new in words)
            cells.append(f'<td style="{cell};max-width:{side}px">{report.picture(_jpeg(image), says)}'
                         f'<span style="color:{show.SOFT}">{html.escape(says)}</span><br>{body}</td>')
        parts.append(f'<tr style="background:none">{"".join(cells)}</tr>')
    valid = f"{int(result.valid.sum())} of {result.valid.size} valid"
    return (f'<table style="font:13px/1.4 system-ui,sans-serif;border-collapse:collapse">{"".join(parts)}</table>'
            f'<p style="color:{show.SOFT}">{len(result)} pictures, {result.valid.shape[1]} slots each, {valid}</p>')


def _row(result: Any, i: int, side: int) -> tuple[list[Image.Image], list[tuple[str, str]]]:
    """Pictures of a row, and below each what was done and its caption."""
    k = range(result.valid.shape[1])
    pictures = [outlined(result.images[i], None, side)]
    texts = [("source", next(filter(None, result.source[i]), result.captions[i] if result.captions else ""))]
    pictures += [outlined(result.image[i][j], result.region[i][j], side) for j in k]
    return pictures, texts + [(label(result, i, j), result.caption[i][j] or "") for j in k]


def _wrapped(text: str, side: int) -> list[str]:
    return textwrap.wrap(text, max(int(side / LETTERS), 8))[:4]


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
