"""Twin of csrc/negatives/words: where a caption has words that can be replaced."""

from vlmneg.reference.text import AN, BASE, EITHER, ING, OF, PAST, PLURAL, THIRD, A, lower

(COLOR, SIZE, LOCATION, OBJECT, NUMBER, ACTION, RELATION, MATERIAL, STATE, ATTRIBUTE, NOUN, VERB, ADJECTIVE, ANY,
 FIXED) = range(15)
WIDER = {COLOR: ADJECTIVE, SIZE: ADJECTIVE, MATERIAL: ADJECTIVE, STATE: ADJECTIVE, ATTRIBUTE: ADJECTIVE, OBJECT: NOUN,
         ACTION: VERB, LOCATION: RELATION}
READINGS = 5
FORMS = (BASE, PLURAL, THIRD, ING, PAST)


class Keyword:
    """A word that is found."""

    def __init__(self, line, groups):
        self.text, number, self.sense, self.form = line
        self.group, self.concept, self.instead = groups[number]
        self.instead = groups[self.instead][0]
        self.bytes = self.text.encode()


class Put:
    """A word that is put in: where it is found is its home."""

    def __init__(self, line, groups):
        self.text, group, self.sense, home, self.form, self.mass = line
        self.group, self.home = groups[group][0], groups[home][0]
        self.concept = groups[group][1]
        self.bytes = self.text.encode()


class Tables:
    """What the core's text_keywords() returns."""

    def __init__(self, keywords):
        groups, found, put = keywords
        self.found = [Keyword(line, groups) for line in found]
        self.put = [Put(line, groups) for line in put]
        self.concept = {name: concept for name, concept, _ in groups}
        self.by_first, self.by_group = {}, {}
        for t in self.put:
            self.by_group.setdefault((t.group, t.form), []).append(t)
        for k in self.found:
            self.by_first.setdefault(k.bytes.split(b" ")[0], []).append(k)

    def puts_of(self, group, form):
        """What a group puts in in a form."""
        return self.by_group.get((group, form), [])


class Reading:
    """A site may be replaced by what group puts in in this form, but by nothing found in home."""

    def __init__(self, concepts, sense, group, home, form):
        self.concepts, self.sense, self.group, self.home, self.form = concepts, sense, group, home, form
        self.counted = False


class Site:
    """Words first to last can be replaced; grown: they are "a" and a noun."""

    def __init__(self, first, last, readings, grown=False):
        self.first, self.last, self.readings, self.grown = first, last, readings, grown


class Around:
    """A keyword's last word and its joined neighbours; "-": none."""

    def __init__(self, s, first, last):
        self.first, self.last = first, last
        self.kind, self.form = s.words[last].kind, s.words[last].form
        left = s.joined(first)
        self.left, self.left_form = (s.words[first - 1].kind, s.words[first - 1].form) if left else ("-", BASE)
        self.right = s.kind(last + 1)


def upright(s, i):
    """Whether "short" at word i is the opposite of "tall"."""
    noun, j = None, i + 1
    while s.kind(j) in "AN":
        noun = j if s.words[j].kind == "N" else noun
        j += 1
    for j in range(i - 1, -1, -1):
        if noun is None and s.words[j].kind == "N":
            noun = j
    return noun is not None and s.words[noun].lemma is not None and "h" in s.words[noun].lemma[1]


def means_place(s, a, group):
    """Whether the neighbours leave a place or relation its sense."""
    if group in ("TO_WITH", "TO_TO", "TO_BY", "TO_FOR"):
        return a.kind == "P" and not (a.left == "V" and a.left_form == PAST)
    return {
        "LEFT": lambda: a.right == "N" or a.left in "DPA" and a.right not in "PR",
        "TOP": lambda: a.left in "DP" and a.kind != "R",
        "UPPER": lambda: a.kind == "A",
        "ABOVE": lambda: a.kind == "P" and a.right != "M" and not s.reads(a.first - 1, b"all"),
        "FRONT": lambda: not s.reads(a.first - 1, b"from"),
        "TO_UP": lambda: a.kind == "P" and a.right == "D",
        "TO_DOWN": lambda: a.kind == "P" and a.right == "D",
    }.get(group, lambda: a.last > a.first or a.kind == "P")()


def means_quality(s, a, k):
    """Whether the neighbours leave an adjective its sense."""
    if s.reads(a.last + 1, b"than"):
        return False
    if k.concept == SIZE:
        short = any(s.reads(a.last, b"short" + ending) for ending in (b"", b"er", b"est"))
        if short and k.group.split("_")[0] in ("TALL", "LONG") and upright(s, a.last) != k.group.startswith("TALL"):
            return False
        return a.kind == "A" and not s.reads(a.last + 1, b"bit")
    if k.concept == STATE:
        doing = k.group in ("STANDING", "PARKED") or a.form == PAST and a.right != "P"
        return a.kind == "A" or a.kind == "V" and doing
    if k.concept == COLOR:
        return a.kind != "V"
    return a.kind == "A" or a.kind == "N" and a.right == "N"


def meant(s, a, k):
    """Whether the neighbours leave a keyword the sense it is listed for."""
    if k.concept in (OBJECT, NOUN):
        return a.kind == "N" and a.right != "N"
    if k.concept == ACTION:
        if k.group == "LOOK" and not s.reads(a.last + 1, b"at"):
            return False
        if k.group == "HOLD" and k.form != PAST and a.right not in "DAMNU":
            return False
        return a.kind == "V" and k.form == a.form
    if k.concept == NUMBER:
        return a.kind == "M" and (k.group == "NUMBERS" or a.right in "NA")
    if k.concept in (LOCATION, RELATION):
        return means_place(s, a, k.group)
    return k.concept == FIXED or means_quality(s, a, k)


def determined(s, i):
    """Whether a determiner or number stands before the nouns and adjectives that end at word i."""
    while s.joined(i):
        i -= 1
        if s.words[i].kind not in "AN":
            return s.words[i].kind in "DM"
    return False


def counted(s, i):
    """Whether "a" stands before the nouns and adjectives that end at word i."""
    while s.joined(i) and s.words[i - 1].kind in "AN":
        i -= 1
    return s.joined(i) and s.words[i - 1].form in (A, AN)


def stand_in(s, a, home, instead):
    """The reading of a word whose group, if it has one, puts nothing in its place."""
    if a.kind == "N":
        form = PLURAL if a.form == PLURAL else BASE
        if instead == "ANY_NOUN" and form == BASE and not determined(s, a.first):
            instead = "ANY_MASS"
        return Reading({NOUN}, 0, instead, home, form)
    if a.kind == "V":
        group = "ANY_PASSIVE" if a.form == PAST else "ANY_VERB" if a.right in "DANMU" else "ANY_DOING"
        return Reading({VERB}, 0, group, home, a.form)
    if a.kind == "A" and not s.reads(a.last + 1, b"than"):
        return Reading({ADJECTIVE}, 0, "ANY_ADJECTIVE", home, BASE)
    return Reading(set(), 0, instead, home, BASE)


def read_line(s, a, k, tables):
    """The reading of a keyword in one of its senses."""
    form = a.form if k.form == EITHER else k.form
    concepts = {k.concept, WIDER.get(k.concept, k.concept)}
    if a.kind == "V":
        concepts -= {ADJECTIVE}
    if k.sense and tables.puts_of(k.group, form):
        r = Reading(concepts, k.sense, k.group, k.group, form)
    else:
        r = stand_in(s, a, k.group, k.instead)
        r.concepts = concepts if k.concept == OBJECT else r.concepts
    r.counted = counted(s, a.first)
    return r


def grow(s, i):
    """The site of "a dog", which can become "two dogs" where nothing else has to agree, or None."""
    w = s.words[i + 1] if s.joined(i + 1) else None
    if s.words[i].form not in (A, AN) and not s.reads(i, b"one") or w is None:
        return None
    if w.kind != "N" or w.form != BASE or w.end - w.begin > 31:
        return None
    if s.joined(i + 2) and (s.words[i + 2].kind in "NA" or s.words[i + 2].form == OF):
        return None
    if s.joined(i) and s.words[i - 1].kind == "X":
        return None
    for j in range(i + 2, len(s.words)):
        v = s.words[j]
        if v.kind in "XU" or v.kind == "V" and v.form == THIRD or any(s.reads(j, w) for w in (b"his", b"her", b"its")):
            return None
    return Site(i, i + 1, [Reading({NUMBER}, 0, "NUMBERS", "GROUPS", BASE)], True)


def longest(s, i, tables):
    """Last word and lines of the longest keyword that starts at word i, and the lines of the word alone."""
    begin, ends = s.words[i].begin, {w.end: j for j, w in enumerate(s.words)}
    hits = [(ends[begin + len(k.bytes)], k) for k in tables.by_first.get(lower(s.part(i, i)), ())
            if begin + len(k.bytes) in ends and lower(s.text[begin:begin + len(k.bytes)]) == k.bytes]
    last = max((h[0] for h in hits), default=None)
    return last, [k for end, k in hits if end == last], [k for end, k in hits if end == i]


def unlisted(s, a, start):
    """The site of a word that no list has, or not in this sense."""
    measures = s.joined(a.last + 1) and s.words[a.last + 1].form == OF
    if a.kind not in "NVA" or a.kind == "N" and a.right == "N" or measures:
        return Site(a.first, a.last, [])
    while a.kind == "N" and a.first > start and s.joined(a.first) and s.words[a.first - 1].kind == "N":
        a.first -= 1
    return Site(a.first, a.last, [stand_in(s, a, "GROUPS", "ANY_NOUN")])


def find(s, tables):
    """(sites, senses that the caption mentions)"""
    sites, present, start, i = [], set(), 0, 0
    while i < len(s.words):
        kind, first = s.words[i].kind, i
        if kind in "DM":
            sites += filter(None, [grow(s, i)])
        i += 1
        if kind in "DXUCT":
            continue
        last, lines, alone = longest(s, first, tables)
        a = Around(s, first, first if last is None else last)
        if a.last > first and kind == "N" and s.kind(first + 1) == "N":
            kinds = [k for k in alone if k.group.startswith("KIND_OF_")][:1]
            sites += [Site(first, first, [Reading({ATTRIBUTE, ADJECTIVE}, k.sense, k.group, k.group, BASE)])
                      for k in kinds]
        present |= {k.sense for k in lines}
        used = [k for k in lines if meant(s, a, k) and not (
            len(lines) > 1 and k.group == ("FOOD" if a.right in "NA" else "COLORS"))]
        used = used[:READINGS]
        site = Site(first, a.last, [read_line(s, a, k, tables) for k in used])
        if not used and a.first == a.last:
            site = unlisted(s, a, start)
        if site.readings and not any(k.concept == FIXED for k in used):
            sites.append(site)
        if site.readings:
            start = a.last + 1
        i = a.last + 1
    return sites, present
