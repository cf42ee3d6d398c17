"""Which caption an edit of the picture makes true, where the annotation is clear enough to say so.

A pair is made only if the old caption is false of the new picture and the new caption false of the old one: the object
that was edited is the only annotated one of its category, and the caption names it once. Unsure means no caption.
"""

import functools
import re

from vlmneg import _core
from vlmneg.negatives.forms import plural, singular
from vlmneg.negatives.image.reading import COLOR, SIDES, SIZE, Reading, countable, keywords, regular_plural, sense_of
from vlmneg.negatives.rules import key

NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
DETERMINERS = {"a", "an", "the", "one"}
# words that may speak of an object without its name
PRONOUNS = set("he she it they him her them his hers its their theirs himself herself itself themselves who whose "
               "which that another other others both each all".split())
TOGETHER = {"are", "were", "have", "together", "between"}
SHADES = {"off", "light", "dark", "bright", "pale", "deep", "multi"}
POSTURES = {"is", "sitting", "standing", "lying", "laying", "parked", "placed", "located", "sits", "stands", "seated"}
FRAMES = set("picture image photo photograph frame scene screen middle center centre".split())
HEIGHTS = {"above": "below", "below": "above", "over": "under", "under": "over", "beneath": "above",
           "underneath": "above"}
LARGE = {"big", "large", "huge", "giant", "tall"}
SIZES = {"big": "small", "large": "small", "huge": "tiny", "giant": "tiny", "small": "big", "little": "big",
         "tiny": "huge", "tall": "short"}
# words after a noun that agree with one and with several
NEUTRAL = set("on in at with by near under over above below beside behind next to of from and or left right".split())


def _named(colour):
    return "gray" if colour == "grey" else colour


def _recolour(r, edit, other):
    noun = r.one(edit["object"])
    colour = noun and r.before(noun, COLOR)
    new = _named(edit["new"])
    if not colour or colour.sense == new or r.text(colour.first - 1) in SHADES:
        return None
    if r.text(noun.last + 1) in ("and", "or") and r.text(noun.last + 2) not in DETERMINERS:  # red cups and plates
        return None
    return [(*r.span(colour), new)]


def _has_colour(r, edit):
    """Whether a caption says that the object has its new colour already."""
    noun = r.one(edit["object"])
    colour = noun and r.before(noun, COLOR)
    return bool(colour) and colour.sense == _named(edit["new"])


def _exchange_colours(r, edit, other):
    nouns = [r.one(edit["object"]), r.one(edit["with"])]
    if not all(nouns):
        return None
    colours = [r.before(noun, COLOR) for noun in nouns]
    if not all(colours) or [c.sense for c in colours] != [_named(edit["old"]), _named(edit["new"])]:
        return None
    texts = [r.caption[slice(*r.span(c))].lower() for c in colours]
    return [(*r.span(c), text) for c, text in zip(colours, texts[::-1], strict=True)]


def _remove(r, edit, other):
    m = edit["object"]
    count = len(r.same(m))
    if count > 1:
        return _count(r, m, count, count - 1)
    noun = r.one(m)
    if not noun or PRONOUNS & {w.text for w in r.words}:
        return None
    i = r.phrase(noun)
    if r.text(i) not in DETERMINERS or i < 0:
        return None
    before, after = r.text(i - 1) if r.joined(i) else "", r.text(noun.last + 1)
    listed = after in ("and", "or") or r.caption[r.span(noun)[1]:].lstrip().startswith(",")
    if (listed and before != "and") or "between" in {w.text for w in r.words}:  # "no dog and a cat" may deny both
        return None
    if before == "and" and TOGETHER & {w.text for w in r.words}:
        return None
    if not (i == 0 or before in ("with", "and") or (before == "is" and r.text(i - 2) == "there")):
        return None
    return [(r.words[i].start, r.words[i].stop, "no")]


def _duplicate(r, edit, other):
    count = len(r.same(edit["object"]))
    return _count(r, edit["object"], count, count + 1)


def _count(r, m, old, new):
    """The number in front of the only mention of a category of which the picture has as many."""
    nouns = r.nouns(m)
    if len(nouns) != 1 or any(r.objects.crowd[i] for i in r.same(m)) or not 0 < new < len(NUMBERS) > old:
        return None
    noun, i = nouns[0], r.phrase(nouns[0])
    said = r.text(i) if i >= 0 else ""
    others = [w.text for w in r.words if w.text in PRONOUNS or w.text == "one"]
    if said not in (NUMBERS[old], str(old)) or len(others) > (said == "one"):
        return None
    edits = [(r.words[i].start, r.words[i].stop, str(new) if said.isdigit() else NUMBERS[new])]
    if (old == 1) != (new == 1):
        after = r.text(noun.last + 1) if r.joined(noun.last + 1) else ""
        text = _other_number(r.caption[slice(*r.span(noun))].lower(), noun, old == 1)
        if not text or r.text(i - 1) in ("is", "are", "was", "were", "has", "have") or \
                (after and after not in NEUTRAL and after[-3:] != "ing"):
            return None
        edits.append((*r.span(noun), text))
    return edits


def _other_number(text, noun, several):
    """The plural or the singular of a noun; None for one that is not what it was said to be."""
    if noun.sense not in keywords():
        return regular_plural(noun.sense) if several else noun.sense
    made = plural(text) if several else singular(text)
    return made if made != text and made in keywords() else None


def _swap(r, edit, other):
    return _turn_relation(r, edit["object"], edit["with"], None)


def _turn_relation(r, a, b, moved):
    """The opposite of the relation that the caption says holds between two objects, if it holds and is turned round.

    moved: None where they exchange places, else how far a went to the right.
    """
    nouns = r.one(a), r.one(b)
    if not all(nouns):
        return None
    if nouns[0].first > nouns[1].first:
        nouns, a, b, moved = nouns[::-1], b, a, moved and -moved  # the same change of where a stands to b
    (x, y), stop = nouns, r.phrase(nouns[1])
    if r.text(stop) in DETERMINERS:
        stop -= 1
    i = x.last + 1 + (r.text(x.last + 1) in POSTURES)
    between = [r.text(j) for j in range(i, stop + 1)]
    if stop < i or not all(r.joined(j) for j in range(x.last + 1, y.first + 1)):
        return None
    box, to = r.objects.boxes[a], r.objects.boxes[b]
    if between[-2:-1] and between[-2] in SIDES and between[-1] == "of" and " ".join(between[:-2]) in ("", "to the",
                                                                                                     "on the"):
        word, far = between[-2], (box[0] + box[2] - to[0] - to[2]) * (-1 if between[-2] == "left" else 1) / 2
        after = -far if moved is None else far + moved * (-1 if word == "left" else 1)
        held, turned, new, at = far > 0, after < 0, SIDES[word], stop - 1
    elif len(between) == 1 and between[0] in HEIGHTS and moved is None:
        low = between[0] in ("above", "over")
        far = (to[3] - box[3]) * (1 if low else -1)  # base lines change places
        held = turned = 2 * far > min(box[3] - box[1], to[3] - to[1])
        new, at = HEIGHTS[between[0]], stop
    else:
        return None
    return [(r.words[at].start, r.words[at].stop, new)] if held and turned else None


def _sides(r):
    """Numbers of the words left and right, or None if one of them may mean something else."""
    found = [i for i, w in enumerate(r.words) if w.text in SIDES]
    if any(re.search(r"left|right", w.text) and w.text not in SIDES for w in r.words):
        return None
    for i in found:
        before = r.text(i - 1) if r.joined(i) else ""
        after = r.text(i + 1) if r.joined(i + 1) else ""
        nearby = after in ("of", "side", "hand", "corner", "half", "edge")
        if not nearby and not (before in ("the", "far", "top", "bottom", "upper", "lower")
                               and after in ("", "and", "is", "are", "with", "in", "while")):
            return None
    return found if found and len({r.text(i) for i in found}) == 1 else None  # both may say the same exchanged


def _mirror(r, edit, other):
    return [(r.words[i].start, r.words[i].stop, SIDES[r.text(i)]) for i in _sides(r) or ()] or None


def _move(r, edit, other):
    m, found = edit["object"], _sides(r)
    noun = r.one(m)
    if not noun or not found or len(found) > 1:
        return None
    at, i = found[0], noun.last + 1
    i += r.text(i) in POSTURES
    between, after = " ".join(r.text(j) for j in range(i, at)), at + 1
    after += 2 * (r.text(after) == "hand" and r.text(after + 1) == "side") or r.text(after) == "side"
    of_frame = r.text(after) == "of" and r.text(after + 1) == "the" and r.text(after + 2) in FRAMES
    ended = not r.joined(after) or r.text(after) in ("and", "is")
    if between in ("", "on the", "to the", "at the", "on the far", "in the") and i <= at and (of_frame or ended) and \
            all(r.joined(j) for j in range(noun.last + 1, at + 1)):
        left, _, right, _ = r.objects.boxes[m]
        width = r.objects.size[1]
        far = (left + right - width) * (-1 if r.text(at) == "left" else 1)
        return [(r.words[at].start, r.words[at].stop, SIDES[r.text(at)])] if far > 0.1 * width else None
    for other_one in range(len(r.objects)):
        if other_one != m:
            edits = _turn_relation(r, m, other_one, edit["right"])
            if edits:
                return edits
    return None


def _resize(r, edit, other):
    noun = r.one(edit["object"])
    size = noun and r.before(noun, SIZE)
    said = size and r.caption[slice(*r.span(size))].lower()
    if said not in SIZES or (said in LARGE) != (edit["scale"] < 1000):
        return None
    return [(*r.span(size), SIZES[said])]


def _replace(r, edit, other):
    noun = r.one(edit["object"])
    new = sense_of(other.names[edit["other"]])
    if not noun or new == "person" or noun.group == "HUMAN" or not countable(new):
        return None
    if not r.joined(noun.first) or r.text(noun.first - 1) not in DETERMINERS or \
            PRONOUNS & {w.text for w in r.words} or any(x.sense == new for x in r.mentions) or \
            new in map(sense_of, r.objects.names):
        return None
    return [(*r.span(noun), new)]


_reading = functools.lru_cache(maxsize=512)(Reading)  # the slots of a row ask for the same ones

SAY = {"recolour": _recolour, "exchange_colours": _exchange_colours, "remove": _remove, "duplicate": _duplicate,
       "swap": _swap, "mirror": _mirror, "move": _move, "bigger": _resize, "smaller": _resize, "replace": _replace}


def say(kind, edit, captions, objects, other_objects=None):
    """The caption that an edit changes and what it becomes.

    Parameters
    ----------
    kind : str
        As in `ImageResult.kind`.
    edit : dict
        As in `ImageResult.edits`.
    captions : sequence of str
        All that is known to be true of the source.
    objects : Objects
        Of the source.
    other_objects : Objects, optional
        Of the second picture.

    Returns
    -------
    (old, new) : tuple of str, or None
        Of the first caption for which the annotation is clear: old is false of the edited picture, new is true of it
        and false of the source.

    Examples
    --------
    >>> import vlmneg as vn
    >>> objects = vn.data.Objects(["bus", "dog"], [(0, 0, 20, 20), (30, 5, 10, 10)], (20, 40))
    >>> say("recolour", {"object": 0, "new": "orange"}, ["A red bus and a dog."], objects)
    ('A red bus and a dog.', 'An orange bus and a dog.')
    >>> say("remove", {"object": 1}, ["A red bus and a dog."], objects)
    ('A red bus and a dog.', 'A red bus and no dog.')
    """
    if kind not in SAY or not hasattr(objects, "names"):
        return None
    true = set(map(key, captions))
    if kind == "recolour" and any(_has_colour(_reading(c, objects), edit) for c in captions):
        return None
    for caption in captions:
        edits = SAY[kind](_reading(caption, objects), edit, other_objects)
        if edits:
            edits = [(start, stop, text.upper() if caption.isupper() else text) for start, stop, text in sorted(edits)]
            new = _core.text_apply(caption, tuple(edits))
            if key(new) not in true:
                return caption, new
    return None
