"""Makes the negatives of a file of captions, chunk by chunk, so that an interruption loses nothing that was written."""

from __future__ import annotations

import html as escaping
import itertools
from pathlib import Path
from typing import Any

from vlmneg import report
from vlmneg.build import VERSION
from vlmneg.checkpoints import atomic_file
from vlmneg.making.pictures import make_pictures
from vlmneg.making.sources import read_captions
from vlmneg.making.work import Summary, Work, digest, spread
from vlmneg.making.writers import writer
from vlmneg.negatives.embed import Embed
from vlmneg.negatives.html import html_of
from vlmneg.negatives.image import ImageNegatives
from vlmneg.negatives.recipe import recipe as find_recipe
from vlmneg.progress import Progress

CHUNK = 4096        # captions between two savings
ASKING = 64         # the same where a model or server is asked


def make(captions: str | Path, recipe: Any, out: str | Path | None = None, *, layout: str = "vlmneg", seed: int = 0,
         visit: int = 0, tagger: Any = None, images: str | Path | None = None, instances: str | Path | None = None,
         html: str | Path | None = None, examples: int = 24, overwrite: bool = False,
         progress: bool | None = None) -> Summary:
    """Make the negatives of a file of captions, or of their pictures.

    Captions are read in chunks and written at once; called again with the same arguments after an interruption, it goes
    on where it stopped, to the same bytes. Beside the file stands OUT.provenance.json: what made it, from what.

    Parameters
    ----------
    captions : path
        See `read_captions`.
    recipe : str, path, list or Negatives
        A name of `vlmneg.negatives.recipes()`, a TOML file, its list of tables, or generators.
    out : path, optional
        .jsonl, .tsv (NegCLIP's columns), .tar (webdataset shards, -000000.tar and so on) or, in CE-CLIP's layout, .npy.
        None: nothing but the summary and the page.
    layout : str
        "vlmneg", "negclip" (TSV), "ce_clip" (TSV, or .npy records as released; AHNPL's with five slots).
    seed : int in [0, 2**64)
    visit : int in [0, 2**32)
        Another visit gives other negatives.
    tagger : str or Tagger, optional
        What tells word classes; its annotations are kept beside the captions. None: the built-in lexicon.
    images : path, optional
        Folder of the pictures: tars carry them along, the page shows them. Recipes of image negatives need it; they
        write .tar only, in JPEG, sources too.
    instances : path, optional
        Objects of the pictures in COCO's form, for image negatives; the captions are in COCO's form then.
    html : path, optional
        A page with examples, drawn by seed.
    examples : int
        Captions on the page.
    overwrite : bool
        Replace a file that other settings made.
    progress : bool, optional
        Show a bar; by default where the standard error stream is a terminal.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        An argument isn't what is described here, or `out` holds what other settings made.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "captions.txt").write_text("a black dog and a white cat\\na red ball\\n")
    >>> summary = make(folder / "captions.txt", "default", folder / "negatives.jsonl", progress=False)
    >>> summary.captions, summary.with_negative
    (2, 2)
    """
    generator = find_recipe(recipe)
    _check_apart({"the captions": captions, "the objects": instances, "out": out, "html": html})
    if isinstance(generator, Embed):
        raise ValueError(f"{generator!r} makes rows of embeddings, which no file of captions holds; name it in a run's "
                         "negatives, or call it on embeddings")
    if isinstance(generator, ImageNegatives):
        return make_pictures(captions, generator, out, images=images, instances=instances, seed=seed, visit=visit,
                             html=html, examples=examples, overwrite=overwrite, progress=progress)
    source = read_captions(captions)
    annotations = _annotated(captions, source, tagger, progress) if tagger not in (None, "lexicon") else None
    settings = {"captions": digest(source.path), "negatives": repr(generator), "seed": seed, "visit": visit,
                "layout": layout, "vlmneg": VERSION,
                "tagger": "lexicon" if annotations is None else f"{annotations.tagger} {annotations.version}"}
    work = Work(out, writer(out, layout, generator.kinds, Path(images) if images else None), settings,
                overwrite) if out else None
    summary = work.summary if work else Summary()
    done = work.rows if work else 0
    size = CHUNK if all(hasattr(p, "slot") or p.name in ("exact", "mix") for p in generator.parts) else ASKING
    shown = []
    wanted = spread(len(source), examples if html else 0, seed)
    with Progress(len(source), "negatives", unit="caption", start=done, show=progress) as bar:
        rows = itertools.islice(source, done, None)
        while chunk := list(itertools.islice(rows, size)):
            result = generator([r.caption for r in chunk], seed, visit=visit, ids=[r.key for r in chunk],
                               avoid=[r.others for r in chunk], annotations=annotations)
            summary.add(result)
            if work:
                work.write(chunk, result)
            shown += [(row, result, i) for i, row in enumerate(chunk) if row.key in wanted]
            bar.add(len(chunk), valid=f"{100 * summary.valid / summary.slots:.0f}%")
    if work and not work.finished:
        work.finish()
    if html:
        if len(shown) < len(wanted):        # rows of an earlier call
            missing = [r for r in source if r.key in wanted - {s[0].key for s in shown}]
            result = generator([r.caption for r in missing], seed, visit=visit, ids=[r.key for r in missing],
                               avoid=[r.others for r in missing], annotations=annotations)
            shown = sorted(shown + [(r, result, i) for i, r in enumerate(missing)], key=lambda s: s[0].key)
        with atomic_file(html) as temporary:
            Path(temporary).write_text(_page(source, generator, summary, shown, images), encoding="utf-8")
        summary.files.append(str(html))
    return summary


def _check_apart(files: dict[str, Any]) -> None:
    """What is written must not stand where something is read, or where something else is written."""
    places: dict[Path, str] = {}
    for name, file in files.items():
        place = Path(file).resolve() if file else None
        if place in places:
            raise ValueError(f"{name} would replace {places[place]}, {file}; name another file")
        if place:
            places[place] = name


def _annotated(path: str | Path, source: Any, tagger: Any, progress: bool | None) -> Any:
    from vlmneg.negatives.annotations import annotate

    return annotate([row.caption for row in source], tagger, cache=path, progress=progress is not False)


def _page(source: Any, generator: Any, summary: Summary, shown: list, images: Any) -> str:
    folder = Path(images) if images else None
    parts = [html_of(result, [i], [folder / row.image] if folder and row.image else None) for row, result, i in shown]
    return report.page("Negatives", [
        ("", [report.paragraph(f"`{generator!r}` on {source.path.name}", soft=True)]),
        ("Examples", parts),
        ("Counts", [f"<pre>{escaping.escape(summary.table())}</pre>"])])
