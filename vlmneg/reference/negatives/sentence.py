"""A caption with its words, and the text that a list of edits makes of it: twin of csrc/negatives/apply.c."""

from vlmneg.reference import text as words_of
from vlmneg.reference.text import AN, A, joined, lower, wants_an

VALID, EMPTY, SAME, REPEAT, SYMMETRIC, ABSENT = range(6)
GROWTH, PLACES = 64, 8


class Sentence:
    """A caption with its words, and what else is true of its image."""

    def __init__(self, text, truth, lexicon, keywords, phrases=()):
        self.text, self.truth, self.keywords, self.phrases = text, truth, keywords, phrases
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

    def reads(self, i, word):
        """Whether word i is this one."""
        return 0 <= i < len(self.words) and lower(self.part(i, i)) == word

    def opens(self):
        """Whether the text's first letter is a capital because it comes first."""
        if not self.words:
            return False
        chars = self.text[self.words[0].begin:].decode()
        rest = [c for c in chars[1:] if words_of.is_letter(c) and not "0" <= c <= "9"]
        if self.words[0].end - self.words[0].begin == 1:        # "A TV on a table": any small letter behind says so
            rest = [c for c in rest if "a" <= c <= "z"]
        return "A" <= chars[0] <= "Z" and bool(rest) and "a" <= rest[0] <= "z"

    def word_at(self, byte):
        """The first word that ends behind this byte."""
        return next((i for i, w in enumerate(self.words) if w.end > byte), len(self.words))


class Edit:
    """Bytes [begin,end) become text; moved: where in the caption the text stands, None for new text."""

    def __init__(self, begin, end, text, moved=None):
        self.begin, self.end, self.text, self.moved = begin, end, text, moved


def put(s, first, last, text):
    """Words first to last become new text."""
    return Edit(s.words[first].begin, s.words[last].end, text)


def move(s, first, last, from_first, from_last):
    """Words first to last become other words of the caption."""
    return Edit(s.words[first].begin, s.words[last].end, s.part(from_first, from_last), s.words[from_first].begin)


def is_upper(char):
    """Whether a byte is a capital of ASCII."""
    return b"A" <= char <= b"Z" and len(char) == 1


def capital(text, at):
    """The text with the byte there a capital."""
    return text[:at] + text[at:at + 1].upper() + text[at + 1:] if text[at:at + 1].isascii() else text


def wrong_article(s, edit, start):
    """The number of an article before the edit that doesn't agree with what then follows, or None."""
    i = s.word_at(edit.begin) - 1
    if i < 0 or s.words[i].form not in (A, AN) or s.words[i].begin < start:
        return None
    gap = s.text[s.words[i].end:edit.begin]
    if not gap or gap.strip(b" \t\n\v\f\r"):
        return None
    after = s.word_at(edit.end)
    following = edit.text or (s.part(after, after) if after < len(s.words) else b"")
    return i if following and wants_an(following) != (s.words[i].form == AN) else None


def article(s, i):
    """The other article in place of word i."""
    first = s.text[s.words[i].begin:s.words[i].begin + 1]
    if s.words[i].form == AN:
        return first
    at = s.words[i + 1].begin if i + 1 < len(s.words) else len(s.text)
    shout = is_upper(s.text[at:at + 1]) and is_upper(s.text[at + 1:at + 2])
    return first + (b"N" if is_upper(first) and shout else b"n")


def in_case(s, edit, opening):
    """The edit's text in the case that its place asks for."""
    text = edit.text
    if edit.moved is not None:
        if opening and text and edit.moved == s.words[0].begin and s.words[0].lemma is not None:
            return lower(text[:1]) + text[1:]
        return text
    i, inserted = s.word_at(edit.begin), edit.begin == edit.end
    if i == len(s.words) and not inserted or not text:
        return text
    first = i < len(s.words) and is_upper(s.part(i, i)[:1])
    looks = i == len(s.words) or first and (inserted or len(s.part(i, i)) == 1)
    if shouts(s, i) or looks and (shouts(s, i - 1) or shouts(s, i + 1)):
        return bytes(c - 32 if 97 <= c <= 122 else c for c in text)
    return capital(text, 0) if first and not inserted else text


def shouts(s, i):
    """Whether word i exists and opens with two capitals."""
    return 0 <= i < len(s.words) and is_upper(s.part(i, i)[:1]) and is_upper(s.part(i, i)[1:2])


def widen(s, places, at):
    """The first place takes in the word behind it, of which this byte of the variant got another case."""
    begin, end, start, stop = places[0]
    if at < stop or len(places) > 1 and at >= places[1][2]:
        return
    more = s.words[s.word_at(end + at - stop)].end - end
    if len(places) == 1 or places[1][0] >= end + more:
        places[0] = (begin, end + more, start, stop + more)


def apply(s, edits, raw):
    """The variant and its places (begin, end, made, made end); None where it grows too much."""
    opening = not raw and s.opens()
    made, places, start, first_end = b"", [], 0, 0
    for n, edit in enumerate(edits):
        i = None if raw else wrong_article(s, edit, start)
        begin = edit.begin if i is None else s.words[i].begin
        made += s.text[start:begin]
        at = len(made)
        if i is not None:
            made += article(s, i) + s.text[s.words[i].end:edit.begin]
        made += edit.text if raw else in_case(s, edit, opening)
        first_end = len(made) if n == 0 else first_end
        places.append((begin, edit.end, at, len(made)))
        start = edit.end
    made += s.text[start:]
    if len(made) > len(s.text) + GROWTH:
        return None, []
    if opening and edits:
        chars = made.decode()
        first = next((k for k, c in enumerate(chars) if words_of.is_letter(c)), len(chars))
        at = len(chars[:first].encode())
        if made != capital(made, at):
            made = capital(made, at)
            widen(s, places, at)
        e = edits[0]
        pushed = e.begin == e.end == s.words[0].begin and e.text and s.words[0].lemma is not None
        if pushed and is_upper(made[first_end:first_end + 1]):
            made = made[:first_end] + lower(made[first_end:first_end + 1]) + made[first_end + 1:]
            widen(s, places, first_end)
    if len(places) > PLACES:
        places = [(places[0][0], places[-1][1], places[0][2], places[-1][3])]
    return made, places
