"""How far the built-in tagger agrees with TextBlob's on real captions, and where they differ.

Counted are the words of the core that are a token of TextBlob too, with the same characters. Of those that TextBlob
calls noun (NN, NNS, NNP, NNPS) or adjective (JJ, JJR, JJS): the share that has the same class here.
"""

import collections
import csv
import json
import os
import re
from pathlib import Path

from vlmneg.negatives import annotate, taggers
from vlmneg.reference.text import PREPOSITIONS

DATA = Path(os.environ.get("VLMNEG_TEST_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
PHRASE = re.compile(r"\b(" + "|".join(p.decode() for p in PREPOSITIONS) + r")\b", re.I)


def add_arguments(parser):
    parser.add_argument("files", nargs="*", metavar="FILE",
                        help="COCO captions (.json) or one caption a line; default: the real captions of the tests")
    parser.add_argument("--show", type=int, default=25, help="disagreements to list, the most frequent (default 25)")
    parser.set_defaults(run=run)


def read(path):
    """The distinct captions of a file."""
    text = Path(path).read_text(encoding="utf-8")
    if Path(path).suffix == ".json":
        return sorted({a["caption"] for a in json.loads(text)["annotations"]})
    return sorted({line.strip() for line in text.splitlines() if line.strip()})


def real_captions():
    """Distinct captions by where they come from: photographs, SugarCrepe's positives, captions nobody looked at."""
    coco = set(read(DATA / "coco" / "captions.json")) | set(read(DATA / "coco" / "train_captions.json"))
    crepe = {row["caption"] for path in sorted((DATA / "sugarcrepe").glob("*.json"))
             for row in json.loads(path.read_text(encoding="utf-8")).values()}
    with open(DATA / "golden" / "bivlc_vit_b_32.csv", newline="", encoding="utf-8") as file:
        bivlc = {row["caption"] for row in csv.DictReader(file)}
    return {"COCO": sorted(coco), "SugarCrepe": sorted(crepe), "BiVLC": sorted(bivlc)}


def compare(captions):
    """(caption, word, our letter, TextBlob's letter, whether it is in a preposition of several words) for each word."""
    own, theirs = annotate(captions), taggers.get("textblob")(captions)
    for i, caption in enumerate(captions):
        said = {(start, stop): taggers.letter(tag) for start, stop, tag in theirs[i]}
        phrases = [m.span() for m in PHRASE.finditer(caption)]
        raw = caption.encode()
        for begin, end, kind, _ in own.words[own.offsets[i]:own.offsets[i + 1]].tolist():
            place = len(raw[:begin].decode()), len(raw[:end].decode())
            if place in said:
                inside = any(a <= place[0] and place[1] <= z for a, z in phrases)
                yield caption, caption[slice(*place)], chr(kind & 0xFFFF), said[place], inside


def count(rows):
    """(same, all) of TextBlob's nouns, adjectives and both; of both without prepositions of several words."""
    tally = {"nouns": [0, 0], "adjectives": [0, 0], "both": [0, 0], "without": [0, 0]}
    for _, _, ours, theirs, inside in rows:
        if theirs and theirs in "NA":
            names = ["nouns" if theirs == "N" else "adjectives", "both"] + ["without"] * (not inside)
            for name in names:
                tally[name][0] += ours == theirs
                tally[name][1] += 1
    return tally


def run(arguments):
    if arguments.files:
        sources = {Path(path).name: read(path) for path in arguments.files}
    else:
        sources = real_captions()
    print(f"TextBlob {taggers.get('textblob').version}, lexicon {taggers.Lexicon.version}\n")
    print("| captions | | nouns | adjectives | both | without \"in front of\" ... |\n|---|---|---|---|---|---|")
    all_rows = []
    for name, captions in sources.items():
        rows = list(compare(captions))
        all_rows += rows
        figures = " | ".join(f"{100 * same / max(1, n):.1f}% of {n}" for same, n in count(rows).values())
        print(f"| {name} | {len(captions)} | {figures} |")
    print(f"\n{'word':>14} ours TextBlob  times  as in")
    differ = collections.defaultdict(list)
    for caption, word, ours, theirs, _ in all_rows:
        if theirs and theirs in "NA" and ours != theirs:
            differ[word.lower(), ours, theirs].append(caption)
    for (word, ours, theirs), seen in sorted(differ.items(), key=lambda x: -len(x[1]))[:arguments.show]:
        print(f"{word:>14} {ours:>4} {theirs:>8} {len(seen):>6}  {seen[0][:80]}")
    return 0
