"""How much of SugarCrepe the recipes of the same kinds can make: where the published negatives were edited, and where
ours can be."""

import difflib
import json
from pathlib import Path

import numpy as np

import vlmneg as vn
from vlmneg import _core

# a file of SugarCrepe, our recipe, and the classes of the words that such an edit is about
CATEGORIES = (
    ("replace_obj", "sugarcrepe_replace_object", "N"),
    ("replace_att", "sugarcrepe_replace_attribute", "ANVMRD"),
    ("replace_rel", "sugarcrepe_replace_relation", "VPRX"),
    ("swap_obj", "sugarcrepe_swap_object", "N"),
    ("swap_att", "sugarcrepe_swap_attribute", "ANVMD"),
    ("add_obj", "sugarcrepe_add_object", "N"),
    ("add_att", "sugarcrepe_add_attribute", "ANVR"),
)
ARTICLES = ("a", "an")


def add_arguments(parser):
    """The command's options."""
    parser.add_argument("folder", help="folder with SugarCrepe's JSON files")
    parser.add_argument("--draws", type=int, default=256, help="draws of a recipe a caption (default: %(default)s)")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="rows that aren't covered to print a category")
    parser.set_defaults(run=run)


def words(caption):
    """Words of a caption that aren't "a" or "an": (start, stop, lower case, class)."""
    found, at = [], 0
    for word, kind, _ in _core.text_words(caption):
        start = caption.index(word, at)
        at = start + len(word)
        if word.lower() not in ARTICLES:
            found.append((start, at, word.lower(), kind))
    return found


def published(caption, negative, classes):
    """Where a published negative differs: numbers of the changed words, gaps with new words of these classes."""
    old, new = words(caption), words(negative)
    changed, gaps = set(), set()
    matcher = difflib.SequenceMatcher(None, [w[2] for w in old], [w[2] for w in new], autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            changed |= set(range(i, j))
        if tag in ("insert", "replace") and any(w[3] in classes for w in new[k:m]):
            gaps |= {i, j}
            while tag == "insert" and i > 0 and k > 0 and old[i - 1][2] == new[m - 1][2]:   # the same, further left
                i, k, m = i - 1, k - 1, m - 1
                gaps.add(i)
    return changed, gaps


def possible(caption, recipe, draws, compare):
    """What a recipe can make: sets of changed words, gaps; compare: found as `published` does, not by our edits.

    Words that change places look different to the two: of "a b" and "b a" the one was moved, or the other.
    """
    own, sets, gaps = words(caption), set(), set()
    result = recipe([caption] * draws, ids=np.arange(draws))
    if compare:
        made = {text[0] for text, valid in zip(result.text, result.valid, strict=True) if valid[0]}
        return {frozenset(published(caption, m, "")[0]) for m in made}, gaps
    for edits in {row[0] for row in result.edits if row[0]}:
        changed = set()
        for e in edits:
            here = {n for n, (start, stop, *_) in enumerate(own) if start < e.stop and stop > e.start}
            changed |= here
            if not here:
                gaps.add(sum(w[1] <= e.stop for w in own))
        sets.add(frozenset(changed))
    return sets, gaps


def covered(caption, negative, category, recipe, classes, draws):
    """Whether the recipe can edit the words that the published negative edited."""
    changed, gaps = published(caption, negative, classes)
    sets, ours = possible(caption, recipe, draws, category.startswith("swap"))
    if category.startswith("add"):
        return bool(gaps & ours)
    kinds = [w[3] for w in words(caption)]
    return any(s <= changed and any(kinds[n] in classes for n in s) for s in sets if s)


def rows(path):
    """(caption, negative) of a file of SugarCrepe."""
    table = json.loads(path.read_text(encoding="utf-8"))
    for row in table.values() if isinstance(table, dict) else table:
        yield row["caption"], row["negative_caption"]


def coverage(folder, draws=256):
    """Rows of each category of a folder: (category, recipe, rows, rows that aren't covered)."""
    for category, name, classes in CATEGORIES:
        path = Path(folder) / f"{category}.json"
        if path.is_file():
            recipe, pairs = vn.negatives.recipe(name), list(rows(path))
            yield category, name, pairs, [
                p for p in pairs if not covered(*p, category, recipe, classes, draws)]


def run(arguments):
    """Print the table."""
    print("| category | recipe | rows | covered |\n|---|---|---|---|")
    missed = []
    for category, name, pairs, without in coverage(arguments.folder, arguments.draws):
        print(f"| {category} | {name} | {len(pairs)} | {1 - len(without) / len(pairs):.1%} |", flush=True)
        missed += [(category, *p) for p in without[:arguments.show]]
    for category, caption, negative in missed:
        print(f"\n{category}\n  {caption}\n  {negative}")
