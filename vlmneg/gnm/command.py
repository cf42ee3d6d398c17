"""The command `vlmneg gnm`: options of `vlmneg.gnm.run`, and its summary."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
from typing import Any

SUMMARY = "Make variations of photographs with captions, as GNM-CLIP does."
EXAMPLES = """examples:
  vlmneg gnm images --captions captions.json --instances instances.json --out gnm --standins
                                                 try it: no model, no download
  vlmneg gnm images --captions captions.json --out gnm --writer http://localhost:8000/v1 --llm qwen3-4b
                                                 BLIP, Grounding DINO, SAM, Stable Diffusion 2 and your chat server
  vlmneg gnm images --captions captions.json --out gnm --standins --set min_area=20 --limit 50

The same command again goes on after an interruption, and after a change does only what depends on it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Tell a parser what the command takes.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    """
    parser.add_argument("images", metavar="DIR", help="folder of the photographs")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--captions", metavar="FILE", help="captions in COCO's form; without it photographs have none")
    parser.add_argument("--instances", metavar="FILE", help="objects in COCO's form, for stand-ins")
    parser.add_argument("--standins", action="store_true", help="stand-ins in place of all models")
    parser.add_argument("--writer", metavar="URL", help="chat server with OpenAI's interface")
    parser.add_argument("--llm", metavar="NAME", help="model of that server")
    for name, what in (("tagger", "a BLIP that writes captions"), ("grounder", "a Grounding DINO"),
                       ("segmenter", "a SAM"), ("inpainter", "an inpainting pipeline of diffusers"),
                       ("matcher", "a BLIP for image-text matching")):
        parser.add_argument(f"--{name}", metavar="MODEL", help=f"name or folder of {what}")
    parser.add_argument("--device", metavar="NAME", help="of the models; default: a GPU where there is one")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
                        help="a setting, such as min_area=20; may be repeated")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N photographs")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")


def main(given: argparse.Namespace) -> Any:
    """Run the pipeline.

    Parameters
    ----------
    given : argparse.Namespace
        What the parser found.

    Returns
    -------
    Summary
        ``str`` of it is a table, `to_dict` what goes into JSON.
    """
    from vlmneg import data, gnm

    photos: Any = given.images
    if given.captions:
        photos = data.coco(given.captions, given.images, given.instances)
    elif given.instances:
        raise ValueError("--instances needs --captions, which says what each picture is called")
    if given.limit is not None:
        if given.limit < 1:
            raise ValueError(f"--limit must be at least 1, got {given.limit}")
        photos = gnm.pictures.samples_of(photos)[: given.limit]
    return gnm.run(photos, given.out, **_plugins(given, photos), settings=_settings(given.changes), seed=given.seed,
                   progress=not getattr(given, "json", False))


def _plugins(given: argparse.Namespace, photos: Any) -> dict[str, Any]:
    from vlmneg.gnm import models, standins, writer

    found = standins.plugins(photos if given.instances else None) if given.standins else {}
    if given.writer:
        cache = os.path.join(given.out, "portrayals", "chat.jsonl")
        found["writer"] = writer.ChatWriter(given.writer, given.llm, cache=cache)
    elif not given.standins:
        raise ValueError("who writes the portrayals? Name a chat server, --writer URL --llm NAME, or try --standins")
    for name, kind in models.DEFAULTS.items():
        chosen = getattr(given, name)
        if chosen or name not in found:
            found[name] = kind(chosen, device=given.device) if chosen else kind(device=given.device)
    return found


def _settings(changes: list[str]) -> Any:
    from vlmneg.gnm import Settings

    fields, found = {f.name: f for f in dataclasses.fields(Settings)}, {}
    for change in changes:
        name, equals, text = change.partition("=")
        if name not in fields or not equals:
            raise ValueError(f"--set takes KEY=VALUE with a key of {', '.join(fields)}; got {change!r}")
        try:
            found[name] = json.loads(text)
        except ValueError:
            raise ValueError(f"{name} must be a number, true or false, got {text!r}") from None
    return Settings(**found)
