"""Twin of csrc/text: ASCII cleaning, splitting and byte-pair encoding, as the papers describe them."""

import re
import unicodedata

CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def clean(text):
    """ASCII text without terminal escapes and controls, in lower case."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    return "".join(c for c in text if c in "\t\n\f\r" or " " <= c != "\x7f").lower()


def kind(c):
    """Class of a character: L letter, N number, a blank for white space, else a full stop."""
    major = unicodedata.category(c)[0]
    return major if major in "LN" else " " if c.isspace() and c not in "\x1c\x1d\x1e\x1f" else "."


def split(text, specials=(), fold=True):
    """Pieces of a text in lower case.

    Parameters
    ----------
    text : str
    specials : sequence of str
        Spellings of the special tokens.
    fold : bool
        Ignore case as OpenAI's pattern does: the long s is an s, U+0345 matches nothing.

    Returns
    -------
    list of str
    """
    pieces, i = [], 0
    plain = text.replace("ſ", "s") if fold else text
    while i < len(text):
        found = next((w for w in (*specials, *CONTRACTIONS) if plain.startswith(w, i)), None)
        if found:
            n = len(found)
        elif kind(text[i]) == " " or (fold and text[i] == "\u0345"):
            i += 1
            continue
        else:
            n = 1
            while kind(text[i]) != "N" and i + n < len(text) and kind(text[i + n]) == kind(text[i]) \
                    and not (fold and text[i + n] == "\u0345"):
                n += 1
        pieces.append(text[i : i + n])
        i += n
    return pieces


def merge(row, ranks):
    """Byte-pair encoding of one piece.

    Parameters
    ----------
    row : list of str
        Its symbols.
    ranks : dict
        Rank of each pair that joins.

    Returns
    -------
    list of str

    References
    ----------
    Sennrich et al., Neural machine translation of rare words with subword units. ACL 2016.
    """
    while len(row) > 1:
        best = min(zip(row, row[1:], strict=False), key=lambda pair: ranks.get(pair, float("inf")))
        if best not in ranks:
            break
        joined, i = [], 0
        while i < len(row):
            n = 2 if tuple(row[i : i + 2]) == best else 1
            joined.append("".join(row[i : i + n]))
            i += n
        row = joined
    return row


def encode(text, tokens, merges, symbols, specials=(), fold=True):
    """Ids of a text in lower case, without start and end.

    Parameters
    ----------
    text : str
    tokens : dict
        Id of each token; the last two are start and end.
    merges : sequence of (str, str)
        Pairs that join, the first one first.
    symbols : dict
        Printable character of each byte.
    specials : sequence of two str
        Spellings of start and end inside a text.
    fold : bool
        See split.

    Returns
    -------
    list of int
    """
    ranks = {tuple(pair): r for r, pair in enumerate(merges)}
    ids = []
    for piece in split(text, specials, fold):
        if piece in specials:
            ids.append(len(tokens) - 2 + specials.index(piece))
            continue
        row = [symbols[b] for b in piece.encode()]
        row[-1] += "</w>"
        ids += [tokens[t] for t in merge(row, ranks)]
    return ids
