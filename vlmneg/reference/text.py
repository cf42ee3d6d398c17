"""Twin of csrc/text: keys, words and classes, in plain Python over UTF-8 bytes. The lexicon is handed in."""

MAX_WORDS = 75
BASE, PLURAL, EITHER, THIRD, ING, PAST, A, AN, OF, MUTUAL = range(10)

ENDINGS = [  # ending, bytes cut, put on ("=": undo a doubled letter), class of the base, form
    (b"s", 1, b"", "NV", PLURAL), (b"es", 2, b"", "NV", PLURAL), (b"ies", 3, b"y", "NV", PLURAL),
    (b"ing", 3, b"e", "V", ING), (b"ing", 3, b"", "V", ING), (b"ing", 3, b"=", "V", ING),
    (b"ed", 1, b"", "V", PAST), (b"ed", 2, b"", "V", PAST), (b"ied", 3, b"y", "V", PAST), (b"ed", 2, b"=", "V", PAST),
    (b"er", 1, b"", "A", BASE), (b"er", 2, b"", "A", BASE), (b"ier", 3, b"y", "A", BASE), (b"er", 2, b"=", "A", BASE),
    (b"est", 2, b"", "A", BASE), (b"est", 3, b"", "A", BASE), (b"iest", 4, b"y", "A", BASE),
    (b"est", 3, b"=", "A", BASE),
]
SUFFIXES = [
    (b"ly", "R", BASE), (b"ing", "V", ING), (b"ed", "V", PAST), (b"ous", "A", BASE), (b"ful", "A", BASE),
    (b"less", "A", BASE), (b"ish", "A", BASE), (b"able", "A", BASE), (b"ible", "A", BASE), (b"ive", "A", BASE),
    (b"ic", "A", BASE), (b"al", "A", BASE), (b"ss", "N", BASE), (b"us", "N", BASE), (b"is", "N", BASE),
    (b"s", "N", PLURAL),
]
PREPOSITIONS = [
    b"next to", b"in front of", b"on top of", b"close to", b"far from", b"out of", b"in between", b"instead of",
    b"ahead of", b"in back of", b"inside of", b"outside of", b"because of", b"such as", b"along with",
]
PLURALS = [  # an ending and what it becomes
    (b"human", b"humans"), (b"german", b"germans"), (b"ottoman", b"ottomans"), (b"man", b"men"),
    (b"child", b"children"), (b"person", b"people"), (b"foot", b"feet"), (b"tooth", b"teeth"), (b"goose", b"geese"),
    (b"mouse", b"mice"), (b"knife", b"knives"), (b"wife", b"wives"), (b"shelf", b"shelves"), (b"leaf", b"leaves"),
    (b"loaf", b"loaves"), (b"calf", b"calves"), (b"scarf", b"scarves"), (b"half", b"halves"), (b"wolf", b"wolves"),
    (b"thief", b"thieves"), (b"potato", b"potatoes"), (b"tomato", b"tomatoes"), (b"hero", b"heroes"),
    (b"cactus", b"cacti"), (b"aircraft", b"aircraft"), (b"sheep", b"sheep"), (b"deer", b"deer"),
    (b"bison", b"bison"), (b"series", b"series"), (b"hoof", b"hooves"), (b"wildlife", b"wildlife"),
    (b"life", b"lives"), (b"mango", b"mangoes"), (b"stomach", b"stomachs"), (b"sis", b"ses"), (b"sh", b"shes"),
    (b"ch", b"ches"), (b"s", b"ses"), (b"x", b"xes"), (b"z", b"zes"), (b"ay", b"ays"), (b"ey", b"eys"),
    (b"oy", b"oys"), (b"uy", b"uys"), (b"y", b"ies"), (b"", b"s"),
]


def is_letter(c):
    """Whether a character counts as a letter or digit."""
    if c < "\x80":
        return c.isalnum()
    n = ord(c)
    return not (n < 0xAA or n in (0xAB, 0xB7, 0xBB, 0xBF) or 0x2000 <= n < 0x2070 or 0x3000 <= n < 0x3005 or
                0x3008 <= n < 0x3021 or 0x1F300 <= n < 0x1FA00)


def key(text):
    """The core's key of bytes: ASCII letters in lower case, others as they are, one blank for all between words."""
    lowered = "".join(c.lower() if c < "\x80" else c for c in text.decode())
    return " ".join("".join(c if is_letter(c) else " " for c in lowered).split(" ")).split()


def lower(text):
    """ASCII lower case."""
    return bytes(c + 32 if 65 <= c <= 90 else c for c in text)


class Word:
    """A word at bytes [begin, end) with class and form; lemma: its line of the lexicon or None."""

    def __init__(self, begin, end):
        self.begin, self.end, self.kind, self.form, self.lemma = begin, end, "", BASE, None


class Guess:
    """What a word can be by itself."""

    def __init__(self, kinds, noun=BASE, verb=BASE, other=BASE, lemma=None):
        self.kinds, self.noun, self.verb, self.other, self.lemma = kinds, noun, verb, other, lemma


def one(kind, form):
    """A word of a single class, which the lexicon doesn't have."""
    return Guess(kind, form, form)


def guess(word, lexicon):
    """What a word can be; lexicon: dict of bytes to (text, classes, lemma, form)."""
    if len(word) > 31:
        return one("N", BASE)
    low = lower(word)
    if low in lexicon:
        entry = lexicon[low]
        form = entry[3]
        noun = form if form in (PLURAL, EITHER) else BASE
        verb = THIRD if form == PLURAL else BASE if form == EITHER else form
        return Guess(entry[1], noun, verb, form if form >= A else BASE, entry)
    if low[:1].isdigit():
        return one("M", BASE)
    if len(low) > 2 and low.endswith(b"'s") or len(low) > 4 and low.endswith("\u2019s".encode()):
        return one("D", BASE)
    for ending, cut, put, classes, form in ENDINGS:
        stem = low[:-cut]
        if len(stem) < 2 or not low.endswith(ending) or len(low) > 2 and low.endswith(b"ss"):
            continue
        if put == b"=":
            if stem[-1] != stem[-2]:
                continue
            stem = stem[:-1]
        else:
            stem += put
        entry = lexicon.get(stem)
        if entry is None or entry[3] == PLURAL:
            continue
        kinds = "".join(c for c in entry[1] if c in classes)[:2]
        if kinds:
            return Guess(kinds, form, THIRD if classes == "NV" else form, BASE, entry)
    head, dash, tail = low.rpartition(b"-")
    if dash and tail:
        g = guess(tail, lexicon)
        if g.kinds[0] in "VA":
            return one("A", BASE)
        return one("N", PLURAL) if g.noun == PLURAL else Guess("NA")
    for suffix, kind, form in SUFFIXES:
        if len(low) > len(suffix) and low.endswith(suffix):
            return one(kind, form)
    return one("N", BASE)


def cut(text):
    """The first words of bytes."""
    words, chars, at = [], text.decode(), 0
    i = 0
    while i < len(chars) and len(words) < MAX_WORDS:
        if not is_letter(chars[i]):
            at += len(chars[i].encode())
            i += 1
            continue
        begin = at
        while i < len(chars) and (is_letter(chars[i]) or
                                  chars[i] in "'-\u2019" and i + 1 < len(chars) and is_letter(chars[i + 1])):
            at += len(chars[i].encode())
            i += 1
        words.append(Word(begin, at))
    return words


def joined(text, words, i):
    """Whether words i - 1 and i exist and only blanks part them."""
    if not 0 < i < len(words):
        return False
    between = text[words[i - 1].end:words[i].begin]
    return len(between) > 0 and not between.strip(b" \t\n\r")


def wants_an(word):
    """Whether "an" stands before the word."""
    low = lower(word[:7])
    if low.startswith((b"uni", b"use", b"usu", b"eu", b"one", b"once")):
        return False
    return low.startswith((b"hour", b"honest", b"heir", b"8", b"11", b"18")) or low[:1] != b"" and low[:1] in b"aeiou"


def choose(g, left, left_form, right, right_noun, verb_seen):
    """Class of a word among its neighbours."""
    def can(c):
        return c in g.kinds

    def within(kind, kinds):
        return kind != "" and kind in kinds

    first = g.kinds[0]
    if g.kinds == "V" and g.verb == PAST:
        return "A" if right_noun and not within(left, "XNURC") else "V"
    if g.kinds == "V" and g.verb != THIRD:
        return "N" if left == "D" and not right_noun and (right == "" or right in "PCXVR") else "V"
    if len(g.kinds) == 1 or g.kinds[1] == "h":
        return first
    if can("P") and left == "D" and (can("A") or can("N")):
        return "A" if can("A") and right_noun else "N" if can("N") else "A"
    if can("P"):
        return "P" if within(right, "DANMU") else "R" if can("R") else "C" if can("C") else "P"
    if can("D") and can("U"):
        return "D" if right_noun or right == "M" else "U"
    if can("X"):
        return "N" if within(left, "DA") else "X"
    if can("N") and can("V"):
        if within(left, "DAM") or left == "P" and g.verb != ING:
            return "A" if first == "A" and right_noun else "N"
        if within(left, "TXU"):
            return "V"
        if g.verb in (ING, PAST):
            return "V" if first == "V" or within(right, "DU") else "N"
        if g.verb == THIRD:
            object = within(right, "DM") or within(right, "NA") and left_form != PLURAL
            return "V" if within(left, "NR") and (first == "V" or object and not verb_seen) else "N"
        if left == "N" and left_form == PLURAL:
            return "V" if first == "V" or within(right, "DPR") and not verb_seen else "N"
        if left == "N":
            return "V" if first == "V" and within(right, "DPR") and not verb_seen else "N"
        return "V" if first == "V" and within(left, "RC") else "A" if first == "A" else "N"
    if can("A") and can("N"):
        if right_noun:
            return "A"
        if left == "V" and can("R"):
            return "R"
        return "N" if within(left, "DAMP") and not (left == "P" and first == "A") else first
    if can("A") and first == "V":
        return "A" if right_noun and within(left, "DMA") else "V"
    if can("A") and can("V"):
        return "V" if left in ("T", "U") or left == "N" and left_form == PLURAL and right == "D" else "A"
    if can("A") and can("R"):
        return "A" if right_noun or left == "X" else "R"
    return first


def narrow(g, kind):
    """Leave a tagger's class as the only one."""
    if kind == "V" and "X" in g.kinds:
        kind = "X"
    if kind == "V" and g.verb == PLURAL:
        g.verb = THIRD
    g.kinds = kind


def tag(text, lexicon, tags=()):
    """Words of bytes with class and form; tags: (begin, end, class or "") of a tagger, in order of begin."""
    words = cut(text)
    guesses = [guess(text[w.begin:w.end], lexicon) for w in words]
    fixed = []
    for w, g in zip(words, guesses, strict=True):
        said = [kind for begin, end, kind in tags if begin < w.end and end > w.begin and kind]
        own = text[w.begin:w.end]
        closed = not set(g.kinds) & set("NVAR") or b"'" in own or "\u2019".encode() in own
        fixed.append(bool(said) and not closed)
        if fixed[-1]:
            narrow(g, said[-1])
    verb_seen = False
    for i, (w, g) in enumerate(zip(words, guesses, strict=True)):
        left = left_form = right = ""
        right_noun = False
        if joined(text, words, i):
            left, left_form = words[i - 1].kind, words[i - 1].form
        if joined(text, words, i + 1):
            right = guesses[i + 1].kinds[0]
            right_noun = right in "NA" or "N" in guesses[i + 1].kinds and right not in "PV"
            if g.kinds[0] == "A" and guesses[i + 1].other == MUTUAL and joined(text, words, i + 2):
                right_noun = guesses[i + 2].kinds[0] == "A"
        kind = g.kinds[0] if fixed[i] else choose(g, left, left_form, right, right_noun, verb_seen)
        after = guesses[i + 2].kinds[0] if right and joined(text, words, i + 2) else ""
        if kind == "T" and not (right and infinitive(guesses[i + 1], after)):
            kind = "P"
        if kind == "V" and right and helps(text[w.begin:w.end], guesses[i + 1], after):
            kind = "X"
        w.kind, w.lemma = kind, g.lemma
        w.form = (BASE if g.noun > EITHER else g.noun) if kind == "N" else g.verb if kind == "V" else g.other
        if kind == "N" and g.noun == EITHER:
            w.form = count(text, words, i)
        if kind == "C":
            verb_seen = False
        elif kind == "X" or kind == "V" and w.form not in (ING, PAST):
            verb_seen = True
    join_prepositions(text, words)
    return words


def infinitive(after_to, after):
    """Whether what follows "to" is a verb: "to brush his teeth"."""
    return after_to.kinds[0] == "V" or "V" in after_to.kinds and after_to.verb == BASE and after == "D"


def helps(word, g, after):
    """Whether "have" is an auxiliary: "has been", "have stopped", but "has painted walls"."""
    return key(word) in (["have"], ["has"], ["had"]) and (
        g.kinds[0] == "X" or g.kinds[0] == "V" and g.verb == PAST and after not in ("N", "A"))


def plural(noun):
    """Plural of a singular noun, in lower case."""
    low = lower(noun)
    ending, more = next(rule for rule in PLURALS if low.endswith(rule[0]))
    return low[:len(low) - len(ending)] + more


def count(text, words, i):
    """Number of "sheep", by the determiner of its phrase."""
    j = i
    while joined(text, words, j):
        j -= 1
        if words[j].kind not in "AN":
            says = key(text[words[j].begin:words[j].end])
            return BASE if says in [[s] for s in "a an one this that each every another".split()] else PLURAL
    return PLURAL


def join_prepositions(text, words):
    """Give prepositions of several words one class."""
    ends = {w.end: i for i, w in enumerate(words)}
    i = 0
    while i + 1 < len(words):
        for phrase in PREPOSITIONS:
            end = words[i].begin + len(phrase)
            if lower(text[words[i].begin:end]) == phrase and end in ends:
                for j in range(i, ends[end] + 1):
                    words[j].kind, words[j].form = "P", MUTUAL if phrase == b"next to" else BASE
                i = ends[end]
                break
        i += 1
