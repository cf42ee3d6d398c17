"""Forms of words: plural, singular, forms of verbs, a or an, capital letters.

The built-in lexicon and rules come first. Words that it doesn't know are asked of lemminflect and inflect where those
are installed (``pip install 'vlmneg[text]'``), else regular rules apply.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np

from vlmneg import _core

# last parts of compounds, and words that only look like such
_LAST_PARTS = {"man": "men", "child": "children", "foot": "feet", "tooth": "teeth", "loaf": "loaves",
               "shelf": "shelves", "knife": "knives", "leaf": "leaves", "wolf": "wolves"}
_NOT_MEN = ("human", "roman", "german", "shaman", "norman", "talisman", "ottoman", "caiman")
VERB_FORMS = ("base", "third", "ing", "past", "participle")
_PLURAL, _EITHER = 1, 2  # vn_form of csrc/text/vn_text.h
_PENN = {"base": "VB", "third": "VBZ", "ing": "VBG", "past": "VBD", "participle": "VBN"}
# past and participle; verbs that are not here and not regular are the lexicon's business
_STRONG = {
    row.split()[0]: (row.split()[1], row.split()[-1])
    for row in """
    be was been|bear bore borne|beat beat beaten|become became become|begin began begun|bend bent|bet bet
    bite bit bitten|blow blew blown|break broke broken|bring brought|build built|burst burst|buy bought|cast cast
    catch caught|choose chose chosen|cling clung|come came come|cost cost|cut cut|deal dealt|dig dug|do did done
    draw drew drawn|drink drank drunk|drive drove driven|eat ate eaten|fall fell fallen|feed fed|feel felt
    fight fought|find found|flee fled|fling flung|fly flew flown|forget forgot forgotten|freeze froze frozen
    get got gotten|give gave given|go went gone|grind ground|grow grew grown|hang hung|have had|hear heard
    hide hid hidden|hit hit|hold held|hurt hurt|keep kept|kneel knelt|know knew known|lay laid|lead led|leave left
    lend lent|let let|lie lay lain|lose lost|make made|mean meant|meet met|oversee oversaw overseen|pay paid|put put
    quit quit|read read|ride rode ridden|ring rang rung|rise rose risen|run ran run|say said|see saw seen
    seek sought|sell sold|send sent|set set|sew sewed sewn|shake shook shaken|shear sheared shorn|shed shed
    shine shone|shoot shot|show showed shown|shut shut|sing sang sung|sink sank sunk|sit sat|sleep slept|slide slid
    sling slung|speak spoke spoken|speed sped|spend spent|spin spun|spit spat|split split|spread spread
    spring sprang sprung|stand stood|steal stole stolen|stick stuck|sting stung|strew strewed strewn
    stride strode stridden|strike struck|string strung|sweep swept|swim swam swum|swing swung|take took taken
    teach taught|tear tore torn|tell told|think thought|throw threw thrown|tread trod trodden|understand understood
    upset upset|wake woke woken|wear wore worn|weave wove woven|wed wed|weep wept|win won|wind wound
    write wrote written
    """.replace("\n", "|").split("|")
    if row.strip()
}
_DOUBLED = re.compile(r"([^aeiou]|^|qu)[aeiou][bdgklmnprtvz]$")  # stop, sit, quit; one syllable is checked apart


_LAST_STRESSED = {"admit", "begin", "commit", "control", "equip", "forget", "occur", "permit", "prefer", "refer",
                  "regret", "unwrap", "unzip", "upset"}


@functools.cache
def _entries() -> list[tuple[str, str, str, int]]:
    return _core.text_lexicon()


@functools.cache
def _irregular_plurals() -> dict[str, str]:
    found: dict[str, str] = {}
    for text, _, lemma, form in _entries():
        if form == _PLURAL and lemma:
            found.setdefault(lemma, text)
    return found


def _look_up(word: str, letter: str) -> tuple[int, str]:
    """Form and base of a word of this class, as the core's lexicon and endings have it; "" where it knows none."""
    word = _encodable(word)
    tag = np.array([[0, len(word.encode()), ord(letter)]], np.int32)
    rows = _core.text_annotate((word,), tag, np.array([0, 1]))[0].tolist()
    if len(rows) != 1:
        return 0, ""
    if rows[0][3] < 0:
        return rows[0][2] >> 16, ""
    text, _, lemma, _ = _entries()[rows[0][3]]
    return rows[0][2] >> 16, lemma or text


def _encodable(word: str) -> str:
    """Halves of surrogate pairs, which are no Unicode text, as question marks."""
    return word.encode(errors="replace").decode()


def _last_word(text: str, name: str) -> tuple[str, str]:
    """What stands before the last word, and that word."""
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, got {type(text).__name__}")
    head = text.strip()
    if not head:
        raise ValueError(f"{name} must hold a word, got {text!r}")
    cut = max(head[:-1].rfind(" "), head[:-1].rfind("-")) + 1
    return head[:cut], head[cut:]


def _is_abbreviation(word: str) -> bool:
    return word.isupper() and not set(word) & set("AEIOU")  # TV, whose plural is TVs


def _compound(word: str, endings: dict[str, str]) -> str:
    """The word with another last part, "" where it has none of these."""
    for old, new in endings.items():
        if word.endswith(old) and not word.endswith(_NOT_MEN):
            return word[: -len(old)] + new
    return ""


def plural(word: str) -> str:
    """A noun in the plural; of several words, the last.

    Parameters
    ----------
    word : str
        In the singular; a plural stays as it is.

    Returns
    -------
    str

    Examples
    --------
    >>> [plural(w) for w in ("dog", "Child", "teddy bear", "sheep", "wolf", "pony", "dish")]
    ['dogs', 'Children', 'teddy bears', 'sheep', 'wolves', 'ponies', 'dishes']
    """
    head, last = _last_word(word, "word")
    low = last.lower()
    if _is_abbreviation(last):
        return head + last + "s"
    form, base = _look_up(low, "N")
    if form in (_PLURAL, _EITHER) or (not base and low.endswith(tuple(_LAST_PARTS.values()))):
        made = low
    elif low in _irregular_plurals():
        made = _irregular_plurals()[low]
    elif _compound(low, _LAST_PARTS):
        made = _compound(low, _LAST_PARTS)
    elif not base and low.isalpha() and _inflect() is not None:
        made = _inflect().plural_noun(low) or low
    else:
        made = _add_s(low)
    return head + (last if made == low else capital_like(made, last))


def singular(word: str) -> str:
    """A noun in the singular; of several words, the last.

    Parameters
    ----------
    word : str
        In the plural; a singular stays as it is.

    Returns
    -------
    str

    Examples
    --------
    >>> [singular(w) for w in ("dogs", "Children", "teddy bears", "sheep", "glass", "zorbs")]
    ['dog', 'Child', 'teddy bear', 'sheep', 'glass', 'zorb']
    """
    head, last = _last_word(word, "word")
    low = last.lower()
    if last.endswith("s") and _is_abbreviation(last[:-1]):
        return head + last[:-1]
    form, base = _look_up(low, "N")
    if base:
        made = base if form == _PLURAL else low
    elif low.endswith(tuple(_LAST_PARTS)):
        made = low
    elif _compound(low, {more: one for one, more in _LAST_PARTS.items()}):
        made = _compound(low, {more: one for one, more in _LAST_PARTS.items()})
    elif low.isalpha() and _inflect() is not None:
        made = _inflect().singular_noun(low) or low
    else:
        made = _cut_s(low)
    return head + (last if made == low else capital_like(made, last))


def verb_form(word: str, form: str) -> str:
    """A form of a verb.

    Parameters
    ----------
    word : str
        In any form; of several words ("look at"), the first changes.
    form : str
        One of "base", "third" (he walks), "ing", "past" (he walked, ate), "participle" (walked, eaten).

    Returns
    -------
    str

    Examples
    --------
    >>> [verb_form("ride", form) for form in VERB_FORMS]
    ['ride', 'rides', 'riding', 'rode', 'ridden']
    >>> verb_form("sits", "ing"), verb_form("Carry up", "past")
    ('sitting', 'Carried up')
    """
    if form not in VERB_FORMS:
        raise ValueError(f"form must be one of {', '.join(VERB_FORMS)}, got {form!r}")
    _last_word(word, "word")
    first, blank, rest = word.strip().partition(" ")
    low = first.lower()
    base = _base(low)
    if base in _STRONG and form in ("past", "participle"):
        made = _STRONG[base][form == "participle"]
    elif base == "be" and form == "third":
        made = "is"
    elif base == "have" and form == "third":
        made = "has"
    elif base.isalpha() and not _look_up(base, "V")[1] and base not in _STRONG and _lemminflect() is not None:
        made = (_lemminflect().getInflection(base, _PENN[form]) or (_regular(base, form),))[0]
    else:
        made = _regular(base, form)
    return capital_like(made, first) + blank + rest


def article(word: str) -> str:
    """The indefinite article that stands before a word: the core's rule, by which captions are mended too.

    Parameters
    ----------
    word : str

    Returns
    -------
    str
        "a" or "an".

    Examples
    --------
    >>> [article(w) for w in ("dog", "apple", "hour", "uniform", "8-ball")]
    ['a', 'an', 'an', 'a', 'an']
    """
    _last_word(word, "word")
    return _core.text_apply("a dog", ((2, 5, _encodable(word.strip())),)).split()[0]


def capital_like(new: str, old: str) -> str:
    """A text with the capital letters of what it stands for.

    Parameters
    ----------
    new, old : str

    Returns
    -------
    str
        In capitals where old has two letters or more, all capital; with a first capital where old has one; else new.

    Examples
    --------
    >>> capital_like("cat", "DOG"), capital_like("cat", "Dog"), capital_like("cat", "dog"), capital_like("TV", "dog")
    ('CAT', 'Cat', 'cat', 'TV')
    """
    letters = [c for c in old if c.isalpha()]
    if len(letters) > 1 and all(c.isupper() for c in letters):
        return new.upper()
    if letters and letters[0].isupper():
        return new[:1].upper() + new[1:]
    return new


def _base(word: str) -> str:
    """The base of a verb."""
    if word in _strong_bases():
        return _strong_bases()[word]
    base = _look_up(word, "V")[1]
    if base:
        return base
    if word.isalpha() and _lemminflect() is not None:
        return (_lemminflect().getLemma(word, "VERB") or (word,))[0]
    return word


@functools.cache
def _strong_bases() -> dict[str, str]:
    found = {"is": "be", "are": "be", "am": "be", "were": "be", "has": "have"}
    for base, pair in _STRONG.items():
        for form in (base, *pair, _regular(base, "third"), _regular(base, "ing")):
            found.setdefault(form, base)
    return found


def _regular(base: str, form: str) -> str:
    double = base
    if _DOUBLED.search(base) and (_syllables(base) == 1 or base in _LAST_STRESSED):
        double += base[-1]
    elif base.endswith("ic"):
        double += "k"
    if form == "third":
        return {"go": "goes", "do": "does"}.get(base) or _add_s(base)
    if form == "ing":
        if base.endswith("ie"):
            return base[:-2] + "ying"
        return (base[:-1] if re.search(r"[^aeioy]e$", base) and len(base) > 2 else double) + "ing"
    if form in ("past", "participle"):
        if base.endswith("e"):
            return base + "d"
        return base[:-1] + "ied" if re.search(r"[^aeiou]y$", base) else double + "ed"
    return base


def _syllables(word: str) -> int:
    return len(re.findall(r"[aeiou]+|(?<=[^aeiou])y", word))


def _add_s(word: str) -> str:
    if word.endswith("sis"):
        return word[:-2] + "es"
    if word.endswith("stomach"):  # the ch of a k
        return word + "s"
    if re.search(r"(s|x|z|ch|sh)$", word):
        return word + "es"
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def _cut_s(word: str) -> str:
    if re.search(r"[^aeiou]ies$", word) and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(s|x|z|ch|sh)es$", word):
        return word[:-2]
    return word[:-1] if re.search(r"[^suia]s$|[aeiou]as$", word) else word


@functools.cache
def _inflect() -> Any:
    try:
        import inflect
    except ImportError:
        return None
    return inflect.engine()


@functools.cache
def _lemminflect() -> Any:
    try:
        import lemminflect
    except ImportError:
        return None
    return lemminflect
