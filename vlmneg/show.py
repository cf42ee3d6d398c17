"""Pictures of results, drawn with Pillow alone: captions with their negatives, bars, curves and radars.

Each function returns a PIL image and writes nothing.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, SOFT, LINE, PAPER = "#1c2733", "#66727f", "#dde2e7", "#ffffff"
RIGHT, WRONG, CHANGED = "#1f7a3f", "#c92a2a", "#b5480b"
SERIES = ("#8793a1", "#0b7285", "#d9822b", "#6741d9")
FINE = 4            # lines are drawn this much larger, then reduced


@dataclass(frozen=True)
class Example:
    """A picture with its true caption, its negatives and what each model says of them.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8, or PIL image
    captions : sequence of str
        The true caption, then its negatives.
    kinds : sequence of str
        The edit behind each negative.
    scores : mapping of str to sequence of float
        By model: a score a caption, in the order of `captions`. May be empty.
    """

    image: Any
    captions: Sequence[str]
    kinds: Sequence[str]
    scores: Mapping[str, Sequence[float]]

    def wrong(self, model: str) -> list[bool]:
        """For each negative, whether the model scores it at least as high as the true caption."""
        true, *others = self.scores[model]
        return [bool(score >= true) for score in others]


def png(image: Image.Image) -> bytes:
    """The bytes of a PNG file.

    Parameters
    ----------
    image : PIL image

    Returns
    -------
    bytes
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def spoken(name: str) -> str:
    """A name of the code as people read it.

    Examples
    --------
    >>> spoken("attribute_swap")
    'attribute swap'
    """
    return name.replace("_", " ")


def stack(images: Iterable[Image.Image], gap: int = 24, margin: int = 20) -> Image.Image:
    """Images below one another.

    Parameters
    ----------
    images : iterable of PIL images
    gap : int
        Pixels between them.
    margin : int
        Pixels around them.

    Returns
    -------
    PIL image
    """
    images = list(images)
    height = sum(i.height for i in images) + gap * (len(images) - 1)
    out = Image.new("RGB", (max(i.width for i in images) + 2 * margin, height + 2 * margin), PAPER)
    top = margin
    for image in images:
        out.paste(image, (margin, top))
        top += image.height + gap
    return out


def grid(examples: Sequence[Example], *, side: int = 168, width: int = 1120) -> Image.Image:
    """Pictures with their captions, negatives and scores, a block an example.

    What an edit changed is coloured; a cross marks a negative that a model scores at least as high as the true caption.

    Parameters
    ----------
    examples : sequence of Example
        At least one; all of the same models.
    side : int
        Side of a picture in pixels.
    width : int
        Width of the whole in pixels.

    Returns
    -------
    PIL image
    """
    models = list(examples[0].scores)
    line, gap, head, column = 28, 26, 44 if models else 0, 132
    blocks = [max(side, line * len(e.captions)) for e in examples]
    canvas = Image.new("RGB", (width, head + sum(blocks) + gap * len(blocks)), PAPER)
    draw = ImageDraw.Draw(canvas)
    edge = width - column * len(models)
    columns = [edge + column * (i + 1) - 12 for i in range(len(models))]
    for model, right, colour in zip(models, columns, SERIES, strict=False):
        draw.text((right, head / 2), spoken(model), colour, _font(17), anchor="rm")
    if models:
        draw.text((side + 28, head / 2), "score of each caption on the picture", SOFT, _font(15), anchor="lm")
    top = head
    for example, height in zip(examples, blocks, strict=True):
        canvas.paste(_square(example.image, side), (0, top + (height - side) // 2))
        first = top + (height - line * len(example.captions)) // 2
        for row in range(len(example.captions)):
            middle = first + line * row + line // 2
            _caption(draw, example, row, (side + 28, middle), edge - side - 56)
            for model, right in zip(models, columns, strict=True):
                _score(canvas, draw, example, model, row, (right, middle))
        top += height + gap // 2
        draw.line([(0, top), (width, top)], LINE)
        top += gap - gap // 2
    return canvas.crop((0, 0, width, top - gap // 2))


def bars(values: Mapping[str, Mapping[str, float]], *, chance: float | None = None, title: str = "",
         width: int = 1120) -> Image.Image:
    """Shares as horizontal bars, a group a name and a bar a model.

    Parameters
    ----------
    values : mapping of str to mapping of str to float
        By model, then by name: fractions in [0, 1].
    chance : float, optional
        What guessing reaches; a dashed line.
    title : str
    width : int
        In pixels.

    Returns
    -------
    PIL image
    """
    models = list(values)
    names = list(values[models[0]])
    thick, gap, head, left = 17, 15, 52, 180
    group = thick * len(models) + gap
    canvas = Image.new("RGB", (width, head + group * len(names) + 30), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((0, 20), title, INK, _font(19), anchor="lm")
    _legend(draw, models, width, 20)
    full, foot = width - left - 70, head + group * len(names) - gap // 2

    def x(share: float) -> float:
        return left + full * share

    for share in (0, 0.25, 0.5, 0.75, 1):
        draw.line([(x(share), head - 6), (x(share), foot)], LINE)
        draw.text((x(share), foot + 14), f"{100 * share:.0f}%", SOFT, _font(14), anchor="mm")
    for n, name in enumerate(names):
        top = head + n * group
        draw.text((left - 14, top + thick * len(models) / 2), spoken(name), INK, _font(16), anchor="rm")
        for m, model in enumerate(models):
            box = (left, top + m * thick, max(left + 1, x(values[model][name])), top + (m + 1) * thick - 2)
            draw.rectangle(box, SERIES[m % len(SERIES)])
            label, after = f"{100 * values[model][name]:.1f}", box[2] + 7
            if chance is not None and after - 4 < x(chance) < after + 34:
                after = x(chance) + 5
            draw.text((after, (box[1] + box[3]) / 2), label, INK, _font(14), anchor="lm")
    if chance is not None:
        _dashes(draw, (x(chance), head - 6), (x(chance), foot))
    return canvas


def curves(series: Mapping[str, Sequence[tuple[float, float]]], *, title: str = "", x_name: str = "step",
           low: float | None = None, high: float | None = None, chance: float | None = None, percent: bool = False,
           bands: Mapping[str, Sequence[tuple[float, float, float]]] | None = None, width: int = 548,
           height: int = 320) -> Image.Image:
    """Lines over a common axis.

    Parameters
    ----------
    series : mapping of str to sequence of (x, y)
        By model; x grows. Points that aren't finite are left out.
    title, x_name : str
    low, high : float, optional
        Ends of the vertical axis; by default those of the data, from 0.
    chance : float, optional
        A dashed line.
    percent : bool
        Whether y is a fraction to be written in percent.
    bands : mapping of str to sequence of (x, low, high), optional
        By model: a pale area behind its line.
    width, height : int
        In pixels.

    Returns
    -------
    PIL image
    """
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    lines = {name: [(float(x), float(y)) for x, y in points if np.isfinite(y)] for name, points in series.items()}
    seen = [p for points in lines.values() for p in points] or [(1.0, 1.0)]
    low = min(0.0, *(y for _, y in seen)) if low is None else low
    high = max(y for _, y in seen) if high is None else high
    high = high if high > low else low + 1
    end = max(x for x, _ in seen) or 1
    left, right, top, bottom = 56, width - 16, 66, height - 40

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (right - left) * x / end, bottom - (bottom - top) * (min(max(y, low), high) - low) / (high - low)

    draw.text((0, 14), title, INK, _font(17), anchor="lm")
    _legend(draw, list(lines), width, 42)
    for y in _ticks(low, high):
        draw.line([place(0, y), place(end, y)], LINE)
        draw.text((left - 8, place(0, y)[1]), f"{100 * y:.0f}%" if percent else f"{y:g}", SOFT, _font(14), anchor="rm")
    for x in _ticks(0, end):
        draw.text((place(x, low)[0], bottom + 14), f"{x:g}", SOFT, _font(14), anchor="mm")
    draw.text(((left + right) / 2, bottom + 30), x_name, SOFT, _font(14), anchor="mm")
    if chance is not None:
        _dashes(draw, place(0, chance), place(end, chance))
    for n, name in enumerate(lines):
        area = [(x, a, b) for x, a, b in (bands or {}).get(name, ()) if np.isfinite(a + b)]
        _fill(canvas, [place(x, b) for x, _, b in area] + [place(x, a) for x, a, _ in reversed(area)],
              SERIES[n % len(SERIES)], 0.22)
    for n, points in enumerate(lines.values()):
        _stroke(canvas, [place(*p) for p in points], SERIES[n % len(SERIES)], 2.4)
    return canvas


def radar(values: Mapping[str, Mapping[str, float]], *, low: float = 0.0, high: float = 1.0, title: str = "",
          width: int = 262, height: int = 250) -> Image.Image:
    """Shares as polygons over spokes, a spoke a name and a polygon a model.

    Parameters
    ----------
    values : mapping of str to mapping of str to float
        By model, then by name: fractions; all models have the same names, at least three.
    low, high : float
        At the middle and at the rim; what lies outside is drawn there.
    title : str
    width, height : int
        In pixels.

    Returns
    -------
    PIL image
    """
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    names = list(next(iter(values.values())))
    middle, radius = (width / 2, 26 + (height - 26) / 2), min(width / 2 - 46, (height - 26) / 2 - 28)

    def place(spoke: int, share: float) -> tuple[float, float]:
        angle, far = 2 * np.pi * spoke / len(names), (min(max(share, low), high) - low) / (high - low)
        return (middle[0] + float(np.sin(angle)) * radius * far, middle[1] - float(np.cos(angle)) * radius * far)

    draw.text((0, 12), title, INK, _font(16), anchor="lm")
    for ring in _ticks(low, high)[-5:]:
        draw.polygon([place(n, ring) for n in range(len(names))], outline=LINE)
    for n, name in enumerate(names):
        x, y = place(n, high)
        draw.line([middle, (x, y)], LINE)
        side = (x - middle[0]) / radius
        draw.multiline_text((x + 5 * side, y + 13 * (y - middle[1]) / radius), spoken(name).replace(" ", "\n"), SOFT,
                            _font(12), anchor="lm" if side > 0.3 else "rm" if side < -0.3 else "mm", spacing=1,
                            align="center")
    for n, shares in enumerate(values.values()):
        corners = [place(i, shares[name]) for i, name in enumerate(names)]
        _fill(canvas, corners, SERIES[n % len(SERIES)], 0.12)
        _stroke(canvas, [*corners, corners[0]], SERIES[n % len(SERIES)], 2.2)
    return canvas


def intervals(values: Mapping[str, tuple[float, float, float]], *, low: float = 0.0, high: float = 1.0, title: str = "",
              grey: Sequence[str] = (), line: float | None = None, chance: float | None = None,
              width: int = 548) -> Image.Image:
    """Shares as horizontal bars with their intervals, a row a name.

    Parameters
    ----------
    values : mapping of str to (value, low, high)
        Fractions; an interval that isn't finite is left out.
    low, high : float
        Ends of the axis; what lies outside is cut.
    title : str
    grey : sequence of str
        Names whose bars are grey.
    line : float, optional
        A value to compare with; a thin line.
    chance : float, optional
        What guessing reaches; a dashed line.
    width : int
        In pixels.

    Returns
    -------
    PIL image
    """
    thick, head, left, right = 22, 36, 150, width - 50
    canvas = Image.new("RGB", (width, head + thick * len(values) + 26), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((0, 12), title, INK, _font(17), anchor="lm")
    foot = head + thick * len(values)

    def x(share: float) -> float:
        return left + (right - left) * (min(max(share, low), high) - low) / (high - low)

    for share in _ticks(low, high):
        draw.line([(x(share), head - 4), (x(share), foot)], LINE)
        draw.text((x(share), foot + 13), f"{100 * share:.0f}%", SOFT, _font(13), anchor="mm")
    for n, (name, (value, least, most)) in enumerate(values.items()):
        top = head + n * thick
        middle = top + thick / 2
        draw.text((left - 10, middle), name, INK, _font(14), anchor="rm")
        draw.rectangle((left, top + 3, max(left + 1, x(value)), top + thick - 4), SERIES[0 if name in grey else 1])
        end = x(value)
        if np.isfinite(least + most):
            _stroke(canvas, [(x(least), middle - 0.5), (x(most), middle - 0.5)], INK, 1.6)
            end = max(end, x(most))
        draw.text((end + 6, middle), f"{100 * value:.1f}", INK, _font(13), anchor="lm")
    if line is not None:
        draw.line([(x(line), head - 4), (x(line), foot)], INK)
    if chance is not None and low <= chance <= high:
        _dashes(draw, (x(chance), head - 4), (x(chance), foot))
    return canvas


def plane(points: Mapping[str, Any], arrows: Sequence[tuple[Any, Any]] = (), *, title: str = "", width: int = 640,
          height: int = 420) -> Image.Image:
    """Points of a plane and arrows between some, as of embeddings that were projected; both axes have one scale.

    Parameters
    ----------
    points : mapping of str to ndarray of shape (N, 2)
        By name of the group; at most four groups.
    arrows : sequence of (start, end), each of 2 numbers
    title : str
    width, height : int
        In pixels.

    Returns
    -------
    PIL image
    """
    canvas = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    groups = {name: np.asarray(rows, float).reshape(-1, 2) for name, rows in points.items()}
    everything = np.concatenate([np.zeros((0, 2)), *groups.values(), *(np.asarray(a, float) for a in arrows)])
    low, high = (everything.min(0), everything.max(0)) if len(everything) else (np.zeros(2), np.ones(2))
    scale = min((np.array([width - 60, height - 120])) / np.maximum(high - low, 1e-9))
    middle = (low + high) / 2

    def place(point: Any) -> tuple[float, float]:
        x, y = (np.asarray(point, float) - middle) * scale
        return float(width / 2 + x), float((height + 60) / 2 - y)

    draw.text((0, 14), title, INK, _font(17), anchor="lm")
    _legend(draw, list(groups), width, 42)
    for start, end in arrows:
        a, b = np.array(place(start)), np.array(place(end))
        along = (b - a) / max(float(np.hypot(*(b - a))), 1e-9)
        across, tip = np.array([-along[1], along[0]]), b - 6 * along
        _stroke(canvas, [tuple(a), tuple(tip)], SOFT, 1.2)
        draw.polygon([tuple(tip), tuple(tip - 8 * along + 4 * across), tuple(tip - 8 * along - 4 * across)], SOFT)
    for colour, rows in zip(SERIES, groups.values(), strict=False):
        for x, y in map(place, rows):
            draw.ellipse([x - 5, y - 5, x + 5, y + 5], colour, PAPER)
    return canvas


def beside(images: Sequence[Image.Image], gap: int = 24) -> Image.Image:
    """Images side by side.

    Parameters
    ----------
    images : sequence of PIL images
    gap : int
        Pixels between them.

    Returns
    -------
    PIL image
    """
    width = sum(i.width for i in images) + gap * (len(images) - 1)
    out = Image.new("RGB", (width, max(i.height for i in images)), PAPER)
    left = 0
    for image in images:
        out.paste(image, (left, 0))
        left += image.width + gap
    return out


def changed_words(caption: str, edited: str) -> list[tuple[str, bool]]:
    """The words of an edited caption, each with whether the edit put it there.

    Examples
    --------
    >>> changed_words("a red cube on a ball", "a blue cube on a ball")[:3]
    [('a', False), ('blue', True), ('cube', False)]
    """
    a, b = ([word.strip(",.") for word in text.split()] for text in (caption, edited))
    kept: set[int] = set()
    for block in difflib.SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks():
        kept.update(range(block.b, block.b + block.size))
    return [(word, i not in kept) for i, word in enumerate(edited.split())]


def _font(size: int) -> Any:
    return ImageFont.load_default(size=size)


def _square(image: Any, side: int) -> Image.Image:
    image = image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image, np.uint8))
    return image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


def _caption(draw: ImageDraw.ImageDraw, example: Example, row: int, at: tuple[float, float], room: float) -> None:
    """One caption's line: its edit, then its words, made small enough to fit."""
    x, y = at
    label = "true caption" if row == 0 else spoken(example.kinds[row - 1])
    draw.text((x, y), label, SOFT, _font(14), anchor="lm")
    x, room = x + 118, room - 118
    words = [(w, False) for w in example.captions[0].split()]
    if row:
        words = changed_words(example.captions[0], example.captions[row])
    size = next((s for s in range(17, 10, -1) if _font(s).getlength(example.captions[row]) <= room), 10)
    font = _font(size)
    end = x + room
    for word, new in words:
        if x + font.getlength(word) > end:
            draw.text((x, y), "...", INK, font, anchor="lm")
            break
        draw.text((x, y), word, CHANGED if new else INK, font, anchor="lm")
        x += font.getlength(word + " ")


def _score(canvas: Image.Image, draw: ImageDraw.ImageDraw, example: Example, model: str, row: int,
           at: tuple[float, float]) -> None:
    x, y = at
    wrong = row > 0 and example.wrong(model)[row - 1]
    draw.text((x - 24, y), f"{example.scores[model][row]:.3f}", WRONG if wrong else INK, _font(16), anchor="rm")
    if row == 0:
        return
    if wrong:
        _stroke(canvas, [(x - 13, y - 6), (x - 1, y + 6)], WRONG, 2.4)
        _stroke(canvas, [(x - 13, y + 6), (x - 1, y - 6)], WRONG, 2.4)
    else:
        _stroke(canvas, [(x - 14, y), (x - 9, y + 5), (x, y - 6)], RIGHT, 2.4)


def _legend(draw: ImageDraw.ImageDraw, models: Sequence[str], right: float, y: float) -> None:
    for n, model in reversed(list(enumerate(models))):
        font = _font(15)
        right -= font.getlength(spoken(model))
        draw.text((right, y), spoken(model), INK, font, anchor="lm")
        draw.rectangle((right - 20, y - 6, right - 8, y + 6), SERIES[n % len(SERIES)])
        right -= 44


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high, four to nine of them."""
    power = 10.0 ** np.floor(np.log10(high - low))
    step = next(f * power for f in (0.1, 0.2, 0.25, 0.5, 1, 2) if (high - low) / (f * power) <= 8)
    first = int(np.ceil(low / step - 1e-9))
    return [round(n * step, 12) for n in range(first, int(np.floor(high / step + 1e-9)) + 1)]


def _dashes(draw: ImageDraw.ImageDraw, start: tuple[float, float], end: tuple[float, float]) -> None:
    (x0, y0), (x1, y1) = start, end
    length = max(abs(x1 - x0), abs(y1 - y0))
    for d in range(0, int(length), 9):
        a, b = d / length, min(d + 5, length) / length
        draw.line([(x0 + (x1 - x0) * a, y0 + (y1 - y0) * a), (x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)], WRONG, 1)


def _fill(canvas: Image.Image, points: Sequence[tuple[float, float]], colour: str, strength: float) -> None:
    """An area in a paler colour, through which what lies below is seen."""
    if len(points) < 3:
        return
    mask = Image.new("L", canvas.size)
    ImageDraw.Draw(mask).polygon(list(points), round(255 * strength))
    canvas.paste(colour, (0, 0), mask)


def _stroke(canvas: Image.Image, points: Sequence[tuple[float, float]], colour: str, width: float) -> None:
    """A smooth line: drawn large on a mask of its own, then reduced."""
    if len(points) < 2:
        return
    x0, y0 = (int(min(p[i] for p in points)) - 4 for i in (0, 1))
    x1, y1 = (int(max(p[i] for p in points)) + 5 for i in (0, 1))
    mask = Image.new("L", ((x1 - x0) * FINE, (y1 - y0) * FINE))
    ImageDraw.Draw(mask).line([((x - x0) * FINE, (y - y0) * FINE) for x, y in points], 255, round(width * FINE),
                              joint="curve")
    canvas.paste(colour, (x0, y0), mask.resize((x1 - x0, y1 - y0), Image.Resampling.LANCZOS))
