"""The command `vlmneg`: parses, calls one public function per subcommand, and turns errors into one line."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from typing import Any, NoReturn

from . import __version__, wise
from .benchmarks import names
from .gnm import command as gnm
from .negatives import recipes as negative_recipes
from .settings import SettingsError, recipes

EXAMPLES = {
    "": """examples:
  vlmneg demo                                    hard negatives at work, in under two minutes
  vlmneg train negclip model=clip-vit-base-patch32 data.captions=captions.json data.images=images
  vlmneg eval runs/negclip sugarcrepe --annotations sugarcrepe --images val2017
  vlmneg COMMAND --help                          what a command takes""",
    "demo": """example:
  vlmneg demo --out demo && open demo/report.html""",
    "train": """examples:
  vlmneg train scenes                            a recipe of the package, on drawn scenes
  vlmneg train my.toml train.lr=1e-4 out=runs/b  a file of yours, two settings changed
  vlmneg train --recipe ahnpl model=clip-vit-base-patch32 data.captions=captions.json data.images=images
  vlmneg train --recipe gnm model=clip-vit-base-patch32 data.annotations=variations.json data.images=variations
               data.captions=captions.json data.photographs=images
  vlmneg train my.toml out=runs/b --resume       go on after an interruption, to the same bits
  vlmneg train scenes 'negatives={ pairs = "image.exact" }' 'compose={ kind = "neighbours", k = 3 }'

A key is dotted as in TOML (model.image_size=64), a value is TOML or a plain string. The run's folder gets run.json (all
settings), config.json, metrics.jsonl (one record a step) and checkpoints/.""",
    "compare": """examples:
  vlmneg compare negclip --seeds 3               on drawn scenes, beside plain fine-tuning
  vlmneg compare ahnpl ahnpl:released my.toml    as the paper and as the authors' code has it, and a file of yours
  vlmneg compare negclip model=clip-vit-base-patch32 data.captions=captions.json data.images=images
  vlmneg compare negclip model=clip-vit-base-patch32 data.captions=captions.json data.images=train2017 \\
    --benchmark sugarcrepe --annotations sugarcrepe --images val2017

All runs have one start, the same pictures, steps, batches, learning rates and seeds; a recipe brings its objective,
negatives, optimiser and what it trains. Plain fine-tuning is always among them. key=value sets what all have in common:
tables data, model and train, and held_out, a number of pictures or other data (held_out.captions=...). The folder gets
report.html, table.txt, table.csv, table.md, summary.json, pictures, and runs/RECIPE/seed-N. After an interruption the
same command goes on; one with further recipes or seeds adds them.""",
    "eval": """examples:
  vlmneg eval runs/a sugarcrepe --annotations sugarcrepe --images val2017 --out runs/a/sugarcrepe
  vlmneg eval clip-vit-base-patch32 retrieval --captions captions.json --images images

MODEL is a checkpoint's folder, a run's folder (its newest checkpoint) or hf-hub:org/name.""",
    "negatives": """examples:
  vlmneg negatives captions.json --recipe negclip --out negatives.jsonl
  vlmneg negatives pairs.tsv --recipe ce_clip --layout ce_clip --out ce_clip.npy
  vlmneg negatives captions.txt --recipe my.toml --html look.html      look before you make
  vlmneg negatives captions.json --recipe images --images train2017 --instances instances.json --out images.tar
  vlmneg negatives captions.json --annotate --tagger textblob          only the cache of word classes

CAPTIONS is COCO's or Karpathy's JSON, JSONL, TSV, CSV, a text of a caption a line, or a webdataset tar. The ending of
--out says what is written: .jsonl, .tsv (NegCLIP's columns), .tar (webdataset shards), .npy (CE-CLIP's records). After
an interruption the same command goes on where it stopped. A recipe file holds lines such as
negatives = [{ name = "text.swap", k = 2 }, { name = "text.replace", k = 1, concept = "color" }].""",
    "gnm": gnm.EXAMPLES,
    "wise": wise.EXAMPLES,
    "convert": """examples:
  vlmneg convert clip-vit-base-patch32 clip-open --layout open_clip
  vlmneg convert ViT-B-32.pt clip-b32 --activation quick_gelu""",
    "info": """example:
  vlmneg info --json""",
}
AGAIN = "; the same command goes on"
FAILURES = (ValueError, TypeError, OSError, RuntimeError, ArithmeticError, MemoryError, ImportError)


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """One line and exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> Parser:
    """The command line's grammar."""
    top = Parser(prog="vlmneg", description="Make hard negatives, train CLIP with them, measure what it understands.",
                 epilog=EXAMPLES[""], formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--version", action="version", version=f"vlmneg {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        part = commands.add_parser(name, help=summary, description=summary, epilog=EXAMPLES[name],
                                   formatter_class=argparse.RawDescriptionHelpFormatter)
        part.add_argument("--threads", type=_positive, metavar="N", help="threads to use; default: physical cores")
        part.add_argument("--json", action="store_true", help="print JSON for machines")
        return part

    demo = command("demo", "Train a small CLIP with and without hard negatives and show the difference.")
    demo.add_argument("--out", default="vlmneg-demo", metavar="DIR", help="where results go (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    train = command("train", "Train a CLIP as a TOML file, changed by key=value, says.")
    train.add_argument("config", metavar="CONFIG", nargs="?",
                       help=f"a TOML or JSON file, or a recipe: {', '.join(recipes())}")
    train.add_argument("settings", nargs="*", metavar="key=value", help="settings that go before the file's")
    train.add_argument("--recipe", metavar="NAME", help="the same as CONFIG")
    train.add_argument("--resume", action="store_true", help="go on with the run in the output folder")
    compare = command("compare", "Train recipes from one start on the same data; show what each gains, and costs.")
    compare.add_argument("recipes", nargs="+", metavar="RECIPE", help=f"{', '.join(recipes())}, one of these with "
                         ":released, or a TOML file; and key=value for all")
    compare.add_argument("--seeds", type=_positive, default=3, metavar="N", help="runs of each (default: 3)")
    compare.add_argument("--out", default="vlmneg-compare", metavar="DIR", help="default: %(default)s")
    compare.add_argument("--steps", type=_positive, metavar="N", help="of each run; default: 600 on scenes, else 200")
    compare.add_argument("--batch", type=_positive, metavar="N", help="pictures a step; default: 32")
    compare.add_argument("--lr", type=float, metavar="X", help="highest; default: 5e-4 on scenes, else 1e-5")
    compare.add_argument("--start", metavar="MODEL", help="checkpoint that all start from, as model=MODEL")
    compare.add_argument("--benchmark", choices=("edits", "sugarcrepe"), default="edits",
                         help="edited captions of held-out pictures (default), or SugarCrepe")
    compare.add_argument("--annotations", metavar="DIR", help="SugarCrepe's files")
    compare.add_argument("--images", metavar="DIR", help="SugarCrepe's pictures")
    evaluate = command("eval", "Measure a CLIP.")
    evaluate.add_argument("model", metavar="MODEL", help="folder of a checkpoint or run")
    evaluate.add_argument("benchmark", choices=names(), help="what to measure")
    evaluate.add_argument("--annotations", "--captions", required=True, metavar="PATH",
                          help="the benchmark's file or folder; for retrieval, captions in COCO's form")
    evaluate.add_argument("--images", required=True, metavar="DIR", help="folder with the pictures")
    evaluate.add_argument("--tokenizer", metavar="PATH", help="vocabulary, where the checkpoint has none")
    evaluate.add_argument("--activation", choices=("quick_gelu", "gelu"), help="where the checkpoint doesn't say")
    evaluate.add_argument("--out", metavar="DIR", help="write summary and rows there")
    negatives = command("negatives", "Make hard negatives of captions.")
    negatives.add_argument("captions", metavar="CAPTIONS", help="file of captions")
    negatives.add_argument("--recipe", default="default", metavar="NAME|TOML",
                           help=f"a TOML file or one of {', '.join(negative_recipes())} (default: default)")
    negatives.add_argument("--out", metavar="FILE", help="what is written; without it only the summary is shown")
    negatives.add_argument("--layout", choices=("vlmneg", "negclip", "ce_clip"), default="vlmneg",
                           help="columns and records (default: %(default)s)")
    negatives.add_argument("--html", metavar="FILE", help="a page with examples, what was changed marked")
    negatives.add_argument("--images", metavar="DIR", help="folder of the pictures, for tars and the page")
    negatives.add_argument("--instances", metavar="FILE", help="objects in COCO's form, for edits of pictures")
    negatives.add_argument("--tagger", metavar="NAME", help="lexicon (built in), textblob, spacy:PIPELINE")
    negatives.add_argument("--annotate", action="store_true", help="only tag the captions, into a file beside them")
    negatives.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    negatives.add_argument("--visit", type=int, default=0, metavar="N", help="another visit gives other negatives")
    negatives.add_argument("--overwrite", action="store_true", help="replace what other settings made")
    gnm.add_arguments(command("gnm", gnm.SUMMARY))
    wise.add_arguments(command("wise", wise.SUMMARY))
    convert = command("convert", "Rewrite a checkpoint in another layout.")
    convert.add_argument("source", metavar="SRC", help="folder, OpenAI's .pt file, or hf-hub:org/name")
    convert.add_argument("target", metavar="DST", help="folder to write")
    convert.add_argument("--layout", choices=("transformers", "open_clip"), default="transformers",
                         help="default: %(default)s")
    convert.add_argument("--activation", choices=("quick_gelu", "gelu"), help="where the checkpoint doesn't say")
    command("info", "Say how this vlmneg was built and what it found on this machine.")
    return top


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The parsed arguments; key=value may stand on both sides of an option."""
    top = parser()
    given, rest = top.parse_known_args(arguments)
    words = {"train": "settings", "compare": "recipes"}.get(given.command)
    if words:
        setattr(given, words, getattr(given, words) + [word for word in rest if not word.startswith("-")])
        rest = [word for word in rest if word.startswith("-")]
    if given.command == "train":
        if given.recipe is not None:
            given.settings[:0] = [given.config] if given.config is not None else []
            given.config = given.recipe
        elif given.config is None:
            top.error("train needs CONFIG or --recipe NAME")
    if rest:
        top.error(f"{given.command} takes no {rest[0]}")
    return given


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number of at least 1, got {text}")
    return int(text)


def run_demo(given: argparse.Namespace) -> None:
    """The embedded demonstration."""
    from . import demo

    result = demo.run(given.out, seed=given.seed, progress=not given.json)
    _say(given, result, f"{demo.table(result)}\n\nopen {os.path.join(given.out, 'report.html')} to see more")


def run_train(given: argparse.Namespace) -> None:
    """Training as a run's settings say."""
    from . import experiment, runs, settings

    wanted = settings.run_settings(settings.settled(given.config, given.settings))
    last = None
    for last in experiment.train_from(wanted, resume=given.resume, progress=not given.json):
        if given.json:
            print(json.dumps(last.to_dict()), flush=True)
    if given.json:
        return
    if last is None:
        print(f"nothing left to do: the run in {wanted.out} is complete")
    else:
        accuracy = "" if last.accuracy is None else f", accuracy on negatives {last.accuracy:.3f}"
        print(f"step {last.step}: loss {last.loss:.4f}{accuracy}")
    print(f"results are in {wanted.out}; the checkpoint is {runs.latest_checkpoint(wanted.out)}")


def run_compare(given: argparse.Namespace) -> None:
    """Recipes side by side."""
    from . import comparison, settings

    common = settings.override({}, [word for word in given.recipes if "=" in word])
    named = [word for word in given.recipes if "=" not in word]
    result = comparison.compare(named, seeds=given.seeds, out=given.out, steps=given.steps, batch=given.batch,
                                lr=given.lr, start=given.start, settings=common, benchmark=given.benchmark,
                                annotations=given.annotations, images=given.images, progress=not given.json)
    _say(given, result, f"{comparison.table(result)}\n\nopen {os.path.join(given.out, 'report.html')} to see more")


def run_eval(given: argparse.Namespace) -> None:
    """One benchmark with one model."""
    from . import evaluation, experiment

    model = experiment.load_model(given.model, given.activation, given.tokenizer)
    result = evaluation.evaluate(model, given.benchmark, annotations=given.annotations, images=given.images,
                                 out=given.out)
    _say(given, dict(result), result.table())


def run_negatives(given: argparse.Namespace) -> None:
    """Negatives of a file of captions."""
    from . import making

    if given.annotate:
        from .negatives.annotations import annotate

        captions = [row.caption for row in making.read_captions(given.captions)]
        made = annotate(captions, given.tagger or "lexicon", cache=given.captions, progress=not given.json)
        facts = {"captions": len(captions), "tagger": made.tagger, "version": made.version}
        _say(given, facts, f"{len(captions)} captions tagged by {made.tagger} {made.version}")
        return
    summary = making.make(given.captions, given.recipe, given.out, layout=given.layout, seed=given.seed,
                          visit=given.visit, tagger=given.tagger, images=given.images,
                          instances=given.instances, html=given.html, overwrite=given.overwrite,
                          progress=False if given.json else None)
    _say(given, vars(summary), summary.table())


def run_gnm(given: argparse.Namespace) -> None:
    """GNM-CLIP's variations of photographs."""
    made = gnm.main(given)
    _say(given, made.to_dict(), str(made))


def run_wise(given: argparse.Namespace) -> None:
    """Scores between a start and what it was tuned to."""
    found = wise.main(given)
    _say(given, found.to_dict(), found.table())


def run_convert(given: argparse.Namespace) -> None:
    """Weights from one layout to another."""
    from . import checkpoints

    config = checkpoints.convert(given.source, given.target, layout=given.layout, activation=given.activation)
    _say(given, {"checkpoint": given.target, "layout": given.layout, "config": config.to_dict()},
         f"written to {given.target}")


def run_info(given: argparse.Namespace) -> None:
    """What this build is and runs on."""
    from . import build_info

    facts = build_info()
    width = max(map(len, facts))
    lines = (f"{name:{width}}  {' '.join(value) if isinstance(value, list) else value or 'no'}"
             for name, value in facts.items())
    _say(given, facts, "\n".join(lines))


COMMANDS = {"demo": run_demo, "train": run_train, "compare": run_compare, "eval": run_eval, "negatives": run_negatives,
            "gnm": run_gnm, "wise": run_wise, "convert": run_convert, "info": run_info}


def _say(given: argparse.Namespace, facts: Any, text: str) -> None:
    print(json.dumps(facts, indent=2, default=str) if given.json else text)


def _terminate(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        The command's arguments; by default those of the process.

    Returns
    -------
    int
        0 done, 1 failed, 2 wrong use, 130 Ctrl-C.
    """
    logging.basicConfig(format="vlmneg: %(message)s", level=logging.WARNING)
    given = None
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        given = parse(arguments)
        if given.threads:
            from . import set_num_threads

            set_num_threads(given.threads)
        COMMANDS[given.command](given)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        more = {"train": "; --resume goes on", "compare": AGAIN, "negatives": AGAIN, "gnm": AGAIN}
        return _fail("stopped" + more.get(given.command if given else "", ""), 130)
    except BrokenPipeError:                 # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except FAILURES as error:
        name = f"vlmneg {given.command}" if given else "vlmneg"
        message = " ".join(str(error).split()) or type(error).__name__
        return _fail(f"{name}: {message}", 2 if isinstance(error, SettingsError) else 1)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)
    return code
