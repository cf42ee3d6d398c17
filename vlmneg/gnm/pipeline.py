"""GNM's pipeline: tags, grounding, portrayals, mask, inpaint, paste, captions, score, filter."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vlmneg import _core
from vlmneg.build import VERSION
from vlmneg.gnm import rewriting, scores, windows
from vlmneg.gnm.pictures import Photo, digest_of, encode, open_photo, png, rgb, samples_of
from vlmneg.gnm.plugins import Boxes, Dropped, Portrayal, Tags, identity
from vlmneg.gnm.settings import PipelineError, Settings, Summary
from vlmneg.gnm.stages import Stage, Unit, alone, digest, write
from vlmneg.negatives.rules import key

STAGES = ("tags", "grounding", "portrayals", "mask", "inpaint", "paste", "captions", "score", "filter")
PLUGINS = ("tagger", "grounder", "writer", "segmenter", "inpainter", "matcher")
STREAM_INPAINT = 200                        # random stream of painters' seeds


def run(pictures: Any, out: str | os.PathLike, *, writer: Any, tagger: Any = None, grounder: Any = None,
        segmenter: Any = None, inpainter: Any = None, matcher: Any = None, settings: Settings | None = None,
        parse: Callable[[str], Iterable[tuple[int, int]]] = rewriting.phrases, source: str = "coco", seed: int = 0,
        progress: bool = True) -> Summary:
    """Make variations of photographs, each with captions true of it and false of its siblings.

    Stages run one after another over all photographs. Each answer is in ``out/STAGE/records.jsonl`` as soon as it is
    there, under a key of everything it depends on: a run that was stopped goes on where it was, and after a change of
    settings only what depends on it is computed again.

    Parameters
    ----------
    pictures : Dataset, folder, or list of paths, pictures or samples
        Photographs, with captions where there are any.
    out : path
        Folder of the run: one folder a stage, `records.json` (GNM's layout), `pictures/`, `run.json`.
    writer, tagger, grounder, segmenter, inpainter, matcher : callable
        See `vlmneg.gnm.plugins`. All but the writer have a default in `vlmneg.gnm.models`.
    settings : Settings, optional
    parse : callable
        caption -> (start, stop) of its noun phrases.
    source : str
        Name of the data, for the records.
    seed : int in [0, 2**64)
    progress : bool
        Whether a bar may show on a terminal.

    Returns
    -------
    Summary

    Raises
    ------
    PipelineError
        If more than `settings.max_failures` of a stage's units failed; everything else is done and written.

    References
    ----------
    Sahin et al., Enhancing multimodal compositional reasoning of visual language models with generative negative
    mining. WACV 2024, section 3.

    Examples
    --------
    >>> import numpy as np, tempfile, vlmneg as vn
    >>> picture = np.full((60, 80, 3), 90, np.uint8)
    >>> picture[20:40, 30:60] = 200, 30, 30
    >>> plugins = vn.gnm.standins.plugins()
    >>> summary = run([(picture, "a red box")], tempfile.mkdtemp(), **plugins, settings=Settings(min_area=1))
    >>> summary.kept, summary.stages["inpaint"]["computed"]
    (4, 4)
    """
    given = dict(zip(PLUGINS, (tagger, grounder, writer, segmenter, inpainter, matcher), strict=True))
    plugins = _plugins(given)
    settings = Settings() if settings is None else settings
    if not isinstance(settings, Settings):
        raise TypeError(f"settings must be vlmneg.gnm.Settings, got {type(settings).__name__}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer in [0, 2**64), got {seed!r}")
    if not callable(parse):
        raise TypeError(f"parse must be a callable, caption -> spans of its phrases, got {type(parse).__name__}")
    if not isinstance(source, str):
        raise TypeError(f"source must be a string, got {type(source).__name__}")
    samples = samples_of(pictures)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        return _Run(folder, plugins, settings, parse, source, seed, progress).all(samples)


def _plugins(given: dict[str, Any]) -> dict[str, Any]:
    from vlmneg.gnm import models

    found = {}
    for name, plugin in given.items():
        if plugin is None and name == "writer":
            raise TypeError("writer is missing: give vlmneg.gnm.writer.ChatWriter of a server, or a callable "
                            "(sentence, item) -> portrayals")
        plugin = models.default(name) if plugin is None else plugin
        if not callable(plugin):
            raise TypeError(f"{name} must be a callable as vlmneg.gnm.plugins describes it, got "
                            f"{type(plugin).__name__}")
        found[name] = plugin
    return found


class _Run:
    """One run: a method a stage, each from the answers of the one before."""

    def __init__(self, out, plugins, settings, parse, source, seed, progress):
        self.out, self.plugins, self.s, self.parse = out, plugins, settings, parse
        self.source, self.seed, self.progress = source, seed, progress
        self.id = {name: identity(plugin) for name, plugin in plugins.items()}
        self.stages = {}
        self.picture = functools.lru_cache(maxsize=4)(open_photo)

    def stage(self, name, *uses):
        workers = min((int(getattr(self.plugins[u], "concurrency", 1)) for u in uses), default=1)
        stage = Stage(self.out, name, concurrency=workers, progress=self.progress)
        self.stages[name] = stage
        return stage

    def all(self, samples):
        """Every stage, then the records."""
        write(self.out / "run.json", json.dumps({
            "vlmneg": VERSION, "seed": self.seed, "source": self.source, "settings": dataclasses.asdict(self.s),
            "plugins": self.id}, indent=2, default=str) + "\n")
        try:
            photos, tags = self.tags(samples)
            items = self.grounding(photos, tags)
            portrayed = self.portrayals(items)
            masked = self.mask(portrayed)
            painted = self.inpaint(masked)
            variations = self.captions(self.paste(painted))
            kept = self.filter(self.score(variations))
        finally:
            for stage in self.stages.values():
                stage.close()
        return self.summary(len(kept))

    def tags(self, samples):
        """Photographs that can be read, and what they show."""
        stage, tagger, taken = self.stage("tags", "tagger"), self.plugins["tagger"], set()
        photos = []
        for sample in samples:
            try:
                found = digest_of(sample.image)
            except (OSError, ValueError, TypeError) as error:
                stage.failures[sample.name] = f"{type(error).__name__}: {error}"
                continue
            name = _unique(_safe(os.path.splitext(sample.name)[0]), taken)
            photos.append(Photo(name, sample.name, found, sample.image, tuple(sample.captions)))

        def work(photo):
            tags, caption = _tags(tagger(self.picture(photo)))
            names = dict.fromkeys(" ".join(t.split()) for t in tags)
            return {"tags": [t for t in names if t], "caption": " ".join(caption.split())}

        answers = stage.run([Unit(p.origin, {"plugin": self.id["tagger"], "photo": p.digest},
                                  functools.partial(work, p)) for p in photos])
        read = [(p, Tags(tuple(a["tags"]), a["caption"])) for p, a in zip(photos, answers, strict=True) if a]
        return [p for p, _ in read], [t for _, t in read]

    def ground(self, photos, phrases):
        """Boxes of phrases, a tuple of them for each photograph."""
        stage = self.stages["grounding"]

        def work(photo, wanted):
            if not wanted:
                raise Dropped("no tags")
            boxes, found, names = _boxes(self.plugins["grounder"](self.picture(photo), wanted))
            return {"boxes": boxes, "scores": found, "phrases": names}

        return stage.run([
            Unit(f"{p.origin}:{', '.join(w)}", {"plugin": self.id["grounder"], "photo": p.digest, "phrases": list(w)},
                 functools.partial(work, p, w)) for p, w in zip(photos, phrases, strict=True)])

    def grounding(self, photos, tags):
        """(photo, caption, item): the phrases whose boxes survive."""
        self.stage("grounding", "grounder")
        items = []
        for photo, tag, a in zip(photos, tags, self.ground(photos, [t.tags for t in tags]), strict=True):
            if a:
                order = windows.nms(a["boxes"], a["scores"], iou=self.s.nms_iou)
                names = dict.fromkeys(" ".join(a["phrases"][i].split()) for i in order)
                items += [(photo, tag.caption, name) for name in names if key(name)]
        return items

    def portrayals(self, items):
        """(photo, caption, item, portrayals)."""
        stage, n = self.stage("portrayals", "writer"), self.s.portrayals

        def work(sentence, item):
            return {"portrayals": [list(p) for p in _usable(self.plugins["writer"](sentence, item), item, n)]}

        answers = stage.run([
            Unit(f"{p.origin}:{item}", {"plugin": self.id["writer"], "sentence": caption, "item": item, "n": n},
                 functools.partial(work, caption, item)) for p, caption, item in items])
        return [(*entry, [Portrayal(*p) for p in a["portrayals"]])
                for entry, a in zip(items, answers, strict=True) if a]

    def mask(self, entries):
        """(photo, caption, item, portrayals, mask's record): the item is grounded again, its best box segmented."""
        again = self.ground([e[0] for e in entries], [(e[2],) for e in entries])
        stage = self.stage("mask", "segmenter")

        def work(photo, box, unit):
            if box is None:
                raise Dropped("item not found again")
            picture = self.picture(photo)
            mask = np.asarray(self.plugins["segmenter"](picture, tuple(box)))
            if mask.shape != picture.size[::-1]:
                raise ValueError(f"the segmenter's mask has shape {mask.shape}; the picture is {picture.size[::-1]}")
            if not mask.any():
                raise Dropped("empty mask")
            return {"box": box, **stage.keep(unit, png((mask != 0).astype(np.uint8) * 255), ".png")}

        kept, units = [], []
        for entry, a in zip(entries, again, strict=True):
            if a:
                photo, _, item, _ = entry
                box = a["boxes"][int(np.argmax(a["scores"]))] if a["boxes"] else None
                unit = {"plugin": self.id["segmenter"], "photo": photo.digest, "box": box}
                units.append(Unit(f"{photo.origin}:{item}", unit, functools.partial(work, photo, box, unit)))
                kept.append(entry)
        return [(*entry, a) for entry, a in zip(kept, stage.run(units), strict=True) if a]

    def load_mask(self, record):
        return np.asarray(Image.open(self.stages["mask"].folder / record["file"])) != 0

    def inpaint(self, entries):
        """(photo, caption, item, short, mask's record, painted window's record)."""
        stage = self.stage("inpaint", "inpainter")

        def work(photo, record, prompt, seed, unit):
            mask = self.load_mask(record)
            window = windows.crop_window(mask, size=self.s.size)
            painted = self.plugins["inpainter"](
                windows.cut(self.picture(photo), window, self.s.size),
                np.asarray(windows.cut(mask, window, self.s.size)) != 0, prompt, seed)
            painted = painted if isinstance(painted, Image.Image) else Image.fromarray(np.asarray(painted))
            return stage.keep(unit, png(painted.convert("RGB")), ".png")

        units, made = [], []
        for photo, caption, item, portrayals, record in entries:
            row = int(digest(f"{photo.digest}:{item}".encode())[:16], 16)
            for slot, portrayal in enumerate(portrayals):
                seed = _core.philox(self.seed, row, slot, STREAM_INPAINT)[0]
                unit = {"plugin": self.id["inpainter"], "photo": photo.digest, "mask": record["digest"],
                        "size": self.s.size, "prompt": portrayal.long, "seed": seed}
                units.append(Unit(f"{photo.origin}:{item}:{portrayal.short}", unit,
                                  functools.partial(work, photo, record, portrayal.long, seed, unit)))
                made.append((photo, caption, item, portrayal.short, record))
        return [(*entry, a) for entry, a in zip(made, stage.run(units), strict=True) if a]

    def paste(self, entries):
        """(photo, caption, item, short, picture's record)."""
        stage = self.stage("paste")
        codec = self.s.quality if self.s.match_codec else 0

        def work(photo, mask_record, record, unit):
            mask = self.load_mask(mask_record)
            window = windows.crop_window(mask, size=self.s.size)
            painted = Image.open(self.stages["inpaint"].folder / record["file"])
            whole = windows.paste(self.picture(photo), painted, mask, window, feather=self.s.feather)
            return stage.keep(unit, encode(whole, codec) if codec else png(whole), ".jpg" if codec else ".png")

        units = []
        for photo, _, item, short, mask_record, record in entries:
            unit = {"vlmneg": VERSION, "photo": photo.digest, "mask": mask_record["digest"],
                    "painted": record["digest"], "size": self.s.size, "feather": self.s.feather, "quality": codec}
            units.append(Unit(f"{photo.origin}:{item}:{short}", unit,
                              functools.partial(work, photo, mask_record, record, unit)))
        return [(*entry[:4], a) for entry, a in zip(entries, stage.run(units), strict=True) if a]

    def captions(self, entries):
        """(photo, caption, item, short, picture's record, captions)."""
        stage = self.stage("captions")

        def work(photo, caption, item, short):
            return {"captions": rewriting.captions_of(caption, photo.captions, item, short, parse=self.parse)}

        answers = stage.run([
            Unit(f"{p.origin}:{item}:{short}", {"vlmneg": VERSION, "parser": identity(self.parse), "caption": caption,
                                                "captions": list(p.captions), "item": item, "short": short},
                 functools.partial(work, p, caption, item, short)) for p, caption, item, short, _ in entries])
        return [(*entry, a["captions"]) for entry, a in zip(entries, answers, strict=True) if a]

    def score(self, entries):
        """(photo, caption, item, short, picture's record, captions, match logits, variation area)."""
        stage, folder = self.stage("score", "matcher"), self.stages["paste"].folder

        opened = functools.lru_cache(maxsize=4)(lambda file: rgb(folder / file))

        def match(record, caption):
            logit = float(self.plugins["matcher"](opened(record["file"]), caption))
            if not np.isfinite(logit):
                raise ValueError(f"the matcher's logit is not finite: {logit}")
            return {"itm": logit}

        def area(files):
            return {"area": scores.variation_area([opened(f) for f in files], threshold=self.s.area_threshold)}

        answers = iter(stage.run([
            Unit(f"{p.origin}:{item}:{short}: {caption}",
                 {"plugin": self.id["matcher"], "picture": record["digest"], "caption": caption},
                 functools.partial(match, record, caption))
            for p, _, item, short, record, captions in entries for caption in captions]))
        itm = [[next(answers) for _ in e[5]] for e in entries]
        siblings = {}
        for photo, _, item, _, record, _ in entries:
            siblings.setdefault((photo.name, item), []).append(record)
        areas = stage.run([
            Unit(":".join(group), {"vlmneg": VERSION, "pictures": [r["digest"] for r in records],
                                   "threshold": self.s.area_threshold},
                 functools.partial(area, [r["file"] for r in records])) for group, records in siblings.items()])
        area_of = dict(zip(siblings, areas, strict=True))
        return [(*e, [a["itm"] for a in logits], area_of[e[0].name, e[2]]["area"])
                for e, logits in zip(entries, itm, strict=True) if all(logits) and area_of[e[0].name, e[2]]]

    def filter(self, entries):
        """records.json, and the pictures that it names."""
        stage, records, pictures, dropped, taken = self.stage("filter"), [], {}, [], set()
        for photo, caption, item, short, record, captions, itm, area in entries:
            why = scores.reason(itm, area, min_itm=self.s.min_itm, min_area=self.s.min_area)
            name = f"{photo.name}:{item}:{short}"
            stage.computed += 1
            if why:
                stage.dropped[why] += 1
                dropped.append({"name": name, "reason": why, "itm_score": itm, "iva_score": area})
                continue
            path = f"{photo.name}/{_safe(item)}/{_safe(short)}"
            save = _unique(path, taken) + Path(record["file"]).suffix
            pictures[save] = self.stages["paste"].folder / record["file"]
            entry = {"origin_name": photo.origin, "name": name, "source": self.source, "item": item, "short": short,
                     "save": save, "tag2text_caption": caption, "original_captions": list(photo.captions),
                     "captions": captions, "itm_score": itm, "iva_score": area}
            if self.s.match_codec:
                entry["origin_save"] = f"{photo.name}/original.jpg"
                pictures[entry["origin_save"]] = photo
            records.append(entry)
        write(stage.folder / "dropped.jsonl", "".join(json.dumps(d) + "\n" for d in dropped))
        self.export(pictures)
        write(self.out / "records.json", json.dumps(records, indent=1) + "\n")
        return records

    def export(self, wanted):
        """Fill pictures/ with these and nothing else."""
        root = self.out / "pictures"
        root.mkdir(exist_ok=True)
        for path in [p for p in root.rglob("*") if p.is_file() and p.relative_to(root).as_posix() not in wanted]:
            path.unlink()
        for save, source in wanted.items():
            target = root / save
            target.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(source, Photo):
                made = encode(self.picture(source), self.s.quality)
                if not target.is_file() or target.read_bytes() != made:
                    target.unlink(missing_ok=True)
                    target.write_bytes(made)
            elif not target.is_file() or not os.path.samefile(source, target):
                target.unlink(missing_ok=True)
                try:
                    os.link(source, target)
                except OSError:             # another file system, or one without links
                    shutil.copyfile(source, target)

    def summary(self, kept):
        """The run's figures; too many failures are an error, at the end."""
        stages = {name: {"units": s.units, "computed": s.computed, "cached": s.cached, "failed": len(s.failures),
                         "dropped": dict(s.dropped)} for name, s in self.stages.items()}
        failures = {f"{name}: {k}": v for name, s in self.stages.items() for k, v in s.failures.items()}
        summary = Summary(os.fspath(self.out), stages, kept, failures)
        bad = [n for n, s in self.stages.items() if len(s.failures) > self.s.max_failures * s.units]
        if bad:
            shown = "; ".join(f"{k}: {v}" for k, v in list(failures.items())[:5])
            more = f"; and {len(failures) - 5} more" if len(failures) > 5 else ""
            raise PipelineError(
                f"more than {self.s.max_failures:.0%} failed in {', '.join(bad)}; all else is done, and another run "
                f"tries these again ({self.out}/STAGE/failures.jsonl has them all): {shown}{more}", summary)
        return summary


def _safe(text):
    """A text as one part of a path."""
    return re.sub(r"[^\w -]", "_", text).strip()[:80].strip() or "_"


def _unique(path, taken):
    name, n = path, 1
    while name.lower() in taken:            # some file systems do not tell case apart
        n += 1
        name = f"{path}-{n}"
    taken.add(name.lower())
    return name


def _tags(found):
    if not isinstance(found, (tuple, list)) or len(found) != 2 or not isinstance(found[1], str) or (
            isinstance(found[0], str) or not all(isinstance(t, str) for t in found[0])):
        raise TypeError(f"the tagger must give (tags, caption), strings and a string; it gave {found!r:.80}")
    return found


def _boxes(found):
    if not isinstance(found, (tuple, list)) or len(found) != 3:
        raise TypeError(f"the grounder must give (boxes, scores, phrases), got {found!r:.80}")
    boxes, found_scores, names = Boxes(*found)
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    found_scores = np.asarray(found_scores, np.float64).reshape(-1)
    if not len(boxes) == len(found_scores) == len(names):
        raise ValueError(f"the grounder gave {len(boxes)} boxes, {len(found_scores)} scores and {len(names)} phrases")
    if not (np.isfinite(boxes).all() and np.isfinite(found_scores).all()):
        raise ValueError("the grounder gave boxes or scores that are not finite")
    return boxes.tolist(), found_scores.tolist(), list(names)


def _usable(portrayals, item, n):
    """Those that say something of their own; fewer than two make no variations of each other."""
    seen, good = {key(item)}, []
    for portrayal in portrayals:
        if not isinstance(portrayal, (tuple, list)) or len(portrayal) != 2 or not all(
                isinstance(text, str) for text in portrayal):
            raise TypeError(f"the writer must give (long, short) strings, got {portrayal!r:.80}")
        long, short = portrayal
        long, short = " ".join(long.split()), " ".join(short.split()).strip(".")
        says = key(short)
        if key(long) and says and says not in seen and len(short.split()) <= 6 and not re.search(r"<mask>|##", short):
            seen.add(says)
            good.append(Portrayal(long, short))
    if len(good) < 2:
        raise Dropped("fewer than two usable portrayals")
    return good[:n]

