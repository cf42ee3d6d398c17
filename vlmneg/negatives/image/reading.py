"""Which words of a caption speak of which object of its picture."""

import functools
import re
from typing import NamedTuple

from vlmneg import _core

COLOR, SIZE, PLACE, OBJECT = range(4)  # concepts of csrc/negatives/text/keywords.def
BASE, PLURAL = 0, 1  # vn_form
SIDES = {"left": "right", "right": "left"}


class Word(NamedTuple):
    """A word of a caption: where it is, in lower case, and its class."""

    start: int
    stop: int
    text: str
    kind: str


class Mention(NamedTuple):
    """A keyword or an object's name in a caption: its first and last word, and what it means."""

    first: int
    last: int
    concept: int
    group: str
    sense: str
    form: int


@functools.cache
def keywords():
    """(concept, group, sense, form) of colours, sizes, places and objects, by text; a sense is a word that has it."""
    groups, found, put = _core.text_keywords()
    senses = {}
    for text, group, sense, *_ in put:  # base forms first
        senses.setdefault((group, sense), text)
    table = {}
    for text, group, sense, form in found:
        name, concept, _ = groups[group]
        if concept <= OBJECT:  # sense 0: the whole group
            table.setdefault(text, []).append((concept, name, senses.get((group, sense), name.lower()), form))
    return table


def regular_plural(noun):
    """More than one of a noun that no table has."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    return noun[:-1] + "ies" if re.search(r"[^aeiou]y$", noun) else noun + "s"


def sense_of(name):
    """What keywords of a category have in common: the category's own name where it is not listed."""
    name = name.lower()
    return next((sense for concept, _, sense, _ in keywords().get(name, ()) if concept == OBJECT), name)


def countable(sense):
    """Whether "a" goes with it, as with "dog" and not with "skis"."""
    return all(form == BASE for concept, *_, form in keywords().get(sense, ()) if concept == OBJECT)


class Reading:
    """A caption and the objects of its picture: which words speak of which object."""

    def __init__(self, caption, objects):
        self.caption, self.objects = caption, objects
        self.words = _words(caption)
        own = {}
        for name in {n.lower() for n in objects.names} - set(keywords()):
            own |= {name: [(OBJECT, "", name, BASE)], regular_plural(name): [(OBJECT, "", name, PLURAL)]}
        self.mentions = list(self._find(own))

    def text(self, i):
        """A word in lower case, "" beyond the ends or where more than blanks part it from the one before."""
        return self.words[i].text if 0 <= i < len(self.words) else ""

    def joined(self, i):
        """Whether only blanks part words i - 1 and i."""
        return 0 < i < len(self.words) and self.caption[self.words[i - 1].stop:self.words[i].start].isspace()

    def span(self, mention):
        """Characters of a mention."""
        return self.words[mention.first].start, self.words[mention.last].stop

    def _find(self, own):
        i, longest = 0, 4
        while i < len(self.words):
            for n in range(min(longest, len(self.words) - i), 0, -1):
                text = " ".join(w.text for w in self.words[i:i + n])
                lines = own.get(text) or keywords().get(text)
                if lines and all(self.joined(j) for j in range(i + 1, i + n)):
                    yield from self._mean(lines, i, i + n - 1)
                    i += n - 1
                    break
            i += 1

    def _mean(self, lines, first, last):
        """The mention, unless its neighbours say that the words mean something else."""
        after = self.words[last + 1].kind if self.joined(last + 1) and self.text(last + 1) not in SIDES else ""
        concepts = {line[0] for line in lines}
        if concepts == {COLOR, OBJECT}:  # orange
            lines = [line for line in lines if line[0] == (COLOR if after in ("N", "A") else OBJECT)]
        if lines[0][0] != OBJECT or after != "N":
            yield Mention(first, last, *lines[0])

    def same(self, m):
        """Numbers of the objects of m's category."""
        return [i for i, name in enumerate(self.objects.names) if sense_of(name) == sense_of(self.objects.names[m])]

    def nouns(self, m):
        """Mentions of the category of object m."""
        sense = sense_of(self.objects.names[m])
        return [x for x in self.mentions if x.concept == OBJECT
                and (x.sense == sense or (sense == "person" and x.group == "HUMAN"))]

    def one(self, m):
        """The mention of object m if it is the only one of its category, in the picture and in the caption."""
        nouns = self.nouns(m)
        alone = len(nouns) == 1 and nouns[0].form != PLURAL and len(self.same(m)) == 1
        return nouns[0] if alone and not self.objects.crowd[m] else None

    def before(self, noun, concept):
        """The keyword of a concept in front of a noun, with at most colours between, if it is the only one there."""
        i = noun.first
        while self.joined(i):
            i -= 1
            found = next((x for x in self.mentions if x.first <= i <= x.last), None)
            if found and found.concept == concept:
                twice = self.text(i - 1) in ("and", "or") or any(
                    x.last == i - 1 and x.concept == concept for x in self.mentions)
                return None if twice and self.joined(i) else found
            if concept == COLOR or not found or found.concept != COLOR:
                return None
        return None

    def phrase(self, noun):
        """The first word in front of a noun that isn't an adjective, or -1."""
        i = noun.first
        while self.joined(i):
            i -= 1
            found = next((x for x in self.mentions if x.first <= i <= x.last), None)
            if not (found and found.concept in (COLOR, SIZE)) and self.words[i].kind != "A":
                return i
        return -1


def _words(caption):
    at, kinds = 0, {}
    for text, kind, _ in _core.text_words(caption):
        at = caption.find(text, at)
        kinds[at] = kind
        at += len(text)
    return [Word(m.start(), m.end(), m[0].lower(), kinds.get(m.start(), ""))
            for m in re.finditer(r"[^\W_]+(?:['\u2019-][^\W_]+)*", caption)]
