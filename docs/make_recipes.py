"""What each recipe gains and costs on drawn scenes: python docs/make_recipes.py OUT [vlmneg compare's options]

Compares all recipes over three seeds, with the behaviour of released code where there is one, in the folder OUT, then
writes the table of recipes.md and images/recipes_*.png. After an interruption the same command goes on.
"""

import json
import re
import shutil
import sys
from pathlib import Path

import vlmneg as vn
from vlmneg import cli, experiment
from vlmneg.settings import SettingsError, read_table, recipes

DOCS = Path(__file__).parent
PAGE = DOCS / "recipes.md"
PICTURES = {"bars": "accuracy and retrieval of each recipe, with intervals over seeds",
            "radar": "accuracy by kind of edit; grey is plain fine-tuning"}
QUICK_LOOKS = {"scenes", "photos"}      # no methods
BEGIN, END = "<!-- made by make_recipes.py -->\n", "<!-- end -->\n"


def names():
    """Every recipe that is a method, each followed by its released behaviour where that is another."""
    for name in recipes():
        if name in QUICK_LOOKS:
            continue
        yield name
        objective = read_table(name)["objective"]
        try:
            released = experiment.make_objective(objective, "released")
        except SettingsError:           # nothing differs, or nothing was released
            continue
        if repr(released) != repr(experiment.make_objective(objective)):
            yield f"{name}:released"


def main(out, *options):
    code = cli.main(["compare", *names(), "--seeds", "3", "--out", str(out), *options])
    if code:
        raise SystemExit(code)
    out = Path(out)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    train, seeds = summary["settings"]["train"], summary["settings"]["seeds"]
    shown = "".join(f"\n![{says}](images/recipes_{name}.png)\n" for name, says in PICTURES.items())
    text = (f"{seeds} seeds, {train['steps']} steps of {train['batch']} scenes at {train['lr']:g}, "
            f"vlmneg {vn.__version__}. Points; in brackets the 95% interval.\n\n"
            + (out / "table.md").read_text(encoding="utf-8") + shown)
    page = PAGE.read_text(encoding="utf-8")
    made, found = re.subn(f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})", lambda _: text, page, count=1, flags=re.S)
    if not found:
        raise SystemExit(f"{PAGE} has no place for the table, between {BEGIN.strip()} and {END.strip()}")
    PAGE.write_text(made, encoding="utf-8")
    for name in PICTURES:
        shutil.copy(out / f"{name}.png", DOCS / "images" / f"recipes_{name}.png")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
