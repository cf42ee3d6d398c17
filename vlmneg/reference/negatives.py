"""Twin of csrc/negatives: swap, replace and the driver, in plain Python. Lexicon and keywords are handed in."""

from vlmneg.reference import text as words_of
from vlmneg.reference.philox import Rng
from vlmneg.reference.text import AN, BASE, EITHER, MUTUAL, OF, PLURAL, A, joined, key, lower, wants_an

VALID, EMPTY, SAME, REPEAT, SYMMETRIC, ABSENT = range(6)
COLOR, SIZE, LOCATION, OBJECT = range(4)
PHRASE, VERB, NOUN, PLURALS, ADVERB, ADJECTIVE = range(6)
DRAWS = 11


class Sentence:
    """A caption with its words, and what else is true of its image."""

    def __init__(self, text, truth, lexicon, keywords):
        self.text, self.truth, self.keywords = text, truth, keywords
        marked = b"<mask>" in text or b"###" in text
        self.words = [] if marked else words_of.tag(text, lexicon)

    def part(self, first, last):
        """Bytes of words first to last."""
        return self.text[self.words[first].begin:self.words[last].end]

    def joined(self, i):
        """Whether words i - 1 and i have only blanks between them."""
        return joined(self.text, self.words, i)

    def kind(self, i):
        """Class of word i, joined to the one before; "-" where there is none."""
        return self.words[i].kind if self.joined(i) else "-"


# --- swap


def measures(s, i):
    """A noun before "of" stays where it is."""
    return s.joined(i + 1) and s.words[i + 1].form == OF


def leans(s, i):
    """Whether word i belongs to the noun after it."""
    adjective, j = s.words[i].kind == "A", i + 1
    if adjective and s.kind(j) == "C" and s.words[j].form == MUTUAL:
        j += 1
    return s.kind(j) in ("AN" if adjective else "N")


def find_spans(s, group):
    """Spans (first, last, form) of a group of words."""
    spans, i = [], 0
    if group not in (PHRASE, VERB):
        for i, w in enumerate(s.words):
            noun = w.kind == "N" and not measures(s, i) and (group == PLURALS) == (w.form == PLURAL)
            if (noun if group in (NOUN, PLURALS) else w.kind == ("R" if group == ADVERB else "A")):
                spans.append((i, i, int(w.kind != "R" and leans(s, i))))
        return spans
    while i < len(s.words):
        last, j = -1, i
        if s.words[i].kind in ("DMAN" if group == PHRASE else "XV"):
            while True:
                if s.words[j].kind == ("N" if group == PHRASE else "V"):
                    last = j
                j += 1
                if s.kind(j) not in ("MAN" if group == PHRASE else "V" if last >= 0 else "VXR"):
                    break
        if group == PHRASE and last >= i + 2 and not measures(s, last):
            spans.append((i, last, s.words[last].form))
        if group == VERB and last >= 0:
            spans.append((i, last, 255 if s.words[i].kind == "X" else s.words[i].form))
        i = max(last, i) + 1
    return spans


def article_fits(s, at, first):
    """Whether the word before position `at` agrees with word `first`."""
    form = s.words[at - 1].form if s.joined(at) else BASE
    return form not in (A, AN) or wants_an(s.part(first, first)) == (form == AN)


def exchangeable(s, a, b, group):
    """VALID, SYMMETRIC or EMPTY for a pair of spans."""
    if key(s.part(*a[:2])) == key(s.part(*b[:2])):
        return EMPTY
    others = "DN" if group in (PHRASE, NOUN, PLURALS) else ""
    between = s.words[a[1] + 1:b[0]]
    if all(w.form == MUTUAL or w.kind in others for w in between):
        return SYMMETRIC
    return VALID if a[2] == b[2] and article_fits(s, a[0], b[0]) and article_fits(s, b[0], a[0]) else EMPTY


def opens(s):
    """Whether the text's first letter is a capital because it comes first."""
    chars = s.text[s.words[0].begin:].decode()
    rest = [c for c in chars[1:] if words_of.is_letter(c) and not "0" <= c <= "9"]
    return "A" <= chars[0] <= "Z" and bool(rest) and "a" <= rest[0] <= "z"


def swap(s, param, rng):
    """(reason, text, kind, variants)"""
    groups, symmetric = {}, 0
    for group in range(6):
        if not param[0] >> group & 1:
            continue
        spans = find_spans(s, group)
        pairs = [(a, b) for i, a in enumerate(spans) for b in spans[i + 1:]]
        why = [exchangeable(s, a, b, group) for a, b in pairs]
        symmetric += why.count(SYMMETRIC)
        if VALID in why:
            groups[group] = [p for p, r in zip(pairs, why, strict=True) if r == VALID]
    if not groups:
        return SYMMETRIC if symmetric else EMPTY, b"", 0, 0
    kind = list(groups)[rng.below(len(groups))]
    a, b = groups[kind][rng.below(len(groups[kind]))]
    one, two, w = s.part(*a[:2]), s.part(*b[:2]), s.words
    if a[0] == 0 and opens(s):
        if w[0].lemma is not None:
            one = lower(one[:1]) + one[1:]
        two = two[:1].upper() + two[1:]
    made = s.text[:w[a[0]].begin] + two + s.text[w[a[1]].end:w[b[0]].begin] + one + s.text[w[b[1]].end:]
    return VALID, made, kind, sum(map(len, groups.values()))


# --- replace


class Keyword:
    """A line of the keywords."""

    def __init__(self, line):
        self.text, self.concept, self.group, self.sense, self.form, self.target = line
        self.bytes = self.text.encode()


class Found:
    """Words first to last are one keyword, which has these lines."""

    def __init__(self, first, last, lines):
        self.first, self.last, self.lines = first, last, lines


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


def says(s, i, text):
    """Whether word i is this one."""
    return 0 <= i < len(s.words) and key(s.part(i, i)) == [text]


def meant(s, f, k):
    """Whether the neighbours leave the keyword the sense it is listed for."""
    kind, left, right = s.words[f.last].kind, "-", s.kind(f.last + 1)
    if s.joined(f.first):
        left = s.words[f.first - 1].kind
    if k.concept == SIZE:
        return kind == "A" and not says(s, f.last + 1, "bit")
    if k.concept == OBJECT:
        return kind == "N" and right != "N"
    return {
        "LEFT": lambda: right == "N" or left in "DPA" and right not in "PR",
        "TOP": lambda: left in "DP" and kind != "R",
        "UPPER": lambda: kind == "A",
        "NEAR": lambda: f.last > f.first or kind == "P",
        "ABOVE": lambda: kind == "P" and right != "M" and not says(s, f.first - 1, "all"),
        "FRONT": lambda: not says(s, f.first - 1, "from"),
    }.get(k.group, lambda: True)()


def search(s):
    """Keywords of the caption, none inside another, the longest first."""
    found, i = [], 0
    ends = {w.end: j for j, w in enumerate(s.words)}
    while i < len(s.words):
        begin = s.words[i].begin
        if s.words[i].kind in "DXUCTM":
            i += 1
            continue
        hits = [(ends[begin + len(k.bytes)], k) for k in s.keywords
                if begin + len(k.bytes) in ends and lower(s.text[begin:begin + len(k.bytes)]) == k.bytes]
        if hits:
            last = max(h[0] for h in hits)
            f = Found(i, last, [k for end, k in hits if end == last])
            if len(f.lines) == 2 and f.lines[0].concept == COLOR:
                f.lines = [f.lines[0 if s.kind(last + 1) in "NA" else 1]]
            f.form = s.words[last].form if f.lines[0].form == EITHER else f.lines[0].form
            f.meant = meant(s, f, f.lines[0])
            if f.lines[0].sense == "less" and len(f.lines) == 2:
                f.lines = [f.lines[int(upright(s, last))]]
            found.append(f)
            i = last
        i += 1
    return found


def targets(s, f, found, whole):
    """Keywords that can stand where f does; whole: of any group."""
    chosen = []
    concept = f.lines[0].concept
    present = [g.lines[0].sense for g in found if g.lines[0].concept == concept and concept in (COLOR, OBJECT)]
    for t in s.keywords:
        near = any(t.sense != k.sense and
                   (t.group == k.group or whole and concept == OBJECT and k.group != "HUMAN" and
                    not (k.group == "PERSON" and t.group == "HUMAN")) for k in f.lines)
        if f.meant and t.target and t.concept == concept and t.form in (f.form, EITHER) and near:
            if t.sense not in present:
                chosen.append(t)
    return chosen


def holds(text, words):
    """Whether the key of text has these words in a row."""
    have, want = key(text), key(words)
    return any(have[i:i + len(want)] == want for i in range(len(have)))


def write(s, f, target):
    """The caption with keyword f replaced."""
    first, begin, end = s.words[f.first], s.words[f.first].begin, s.words[f.last].end
    source = s.text[first.begin:end]
    capital = source[:1].isupper()
    shout = capital and source[1:2].isupper()
    put = target.upper() if shout else target[:1].upper() + target[1:] if capital else target
    before = s.text[:begin]
    if s.joined(f.first) and s.words[f.first - 1].form in (A, AN):
        article = s.words[f.first - 1]
        n = (b"N" if shout else b"n") if wants_an(target) else b""
        before = s.text[:article.begin + 1] + n + s.text[article.end:begin]
    return before + put + s.text[end:]


def replace(s, param, rng):
    """(reason, text, kind, variants)"""
    found = search(s)
    choices = [(f, targets(s, f, found, param[1])) for f in found if param[0] >> f.lines[0].concept & 1]
    choices = [(f, t) for f, t in choices if t]
    concepts = sorted({f.lines[0].concept for f, _ in choices})
    if not concepts:
        return EMPTY, b"", 0, 0
    kind = concepts[rng.below(len(concepts))]
    here = [(f, t) for f, t in choices if f.lines[0].concept == kind]
    f, options = here[rng.below(len(here))]
    t = options[rng.below(len(options))]
    made = write(s, f, t.bytes)
    absent = kind == OBJECT and any(k.concept == OBJECT and k.sense == t.sense and holds(c, k.bytes)
                                    for k in s.keywords for c in s.truth)
    return ABSENT if absent else VALID, made, kind, sum(len(t) for _, t in choices)


# --- the driver

MAKERS = {"swap": swap, "replace": replace}


def draw(captions, avoid, taken, rows, seed, slots, listed, lexicon, keywords):
    """Twin of the core's text_draw.

    Parameters
    ----------
    captions, avoid, taken, rows, seed, slots
        As there.
    listed, lexicon, keywords
        What the core's text_listed(), text_lexicon() and text_keywords() return.

    Returns
    -------
    texts, reasons, kinds : lists of N lists of K
    """
    lexicon = {line[0].encode(): line for line in lexicon}
    keywords = [Keyword(line) for line in keywords]
    texts, reasons, kinds = [], [], []
    for i, caption in enumerate(captions):
        truth = [c.encode() for c in avoid[i]] if avoid else []
        s = Sentence(caption.encode(), truth, lexicon, keywords)
        true = [key(c) for c in [s.text, *truth]]
        seen = [key(c.encode()) for c in (taken[i] if taken else ())]
        row, why, what = [], [], []
        for line, a, b, number in slots:
            rng = Rng(seed, int(rows[i]), number << 16, listed[line][3])
            for _ in range(DRAWS):
                reason, made, kind, variants = MAKERS[listed[line][0]](s, (a, b), rng)
                if reason == VALID:
                    says_ = key(made)
                    reason = SAME if says_ in true else REPEAT if says_ in seen else VALID
                if variants == 1 or reason not in (SAME, REPEAT, ABSENT):
                    break
            if reason == VALID:
                seen.append(key(made))
            row.append(made.decode() if reason == VALID else caption)
            why.append(reason)
            what.append(kind)
        texts.append(row)
        reasons.append(why)
        kinds.append(what)
    return texts, reasons, kinds
