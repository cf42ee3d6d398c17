"""What happens to a text before it is split: each function turns a str into UTF-8 bytes in lower case.

A byte FE in the result is the start token, FF the end token: neither occurs in UTF-8.
"""

import html
import re
import unicodedata
import warnings

from vlmneg.vocabulary import SPECIALS

SAID: set[str] = set()  # warnings given


def _finish(text):
    """What follows ftfy: HTML unescaped twice, white space, lower case."""
    text = html.unescape(html.unescape(text))
    return " ".join(text.split()).lower().encode("utf-8", "replace")


def clean_ftfy(text):
    """As OpenAI and open_clip."""
    import ftfy

    return _finish(ftfy.fix_text(text))


# what ftfy removes from ASCII: terminal escapes, then control characters
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


def _join_surrogates(text):
    """Pairs become their character, single ones U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean_basic(text):
    """As far as it goes without ftfy; warns once."""
    if "basic" not in SAID:
        SAID.add("basic")
        warnings.warn("without ftfy, text beyond ASCII and text with '&' may get other ids than CLIP's own tokenizer "
                      "gives; pip install 'vlmneg[text]'", stacklevel=4)
    text = unicodedata.normalize("NFC", _join_surrogates(text))
    return _finish(_CONTROLS.sub("", _ESCAPES.sub("", text)))


class TransformersCleaner:
    """NFC, white space, lower case character by character; special tokens only exactly as they are spelled."""

    WHITE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")

    def __init__(self, specials):
        self.tokens = SPECIALS.get(specials, ())
        self.exact = re.compile("(" + "|".join(map(re.escape, self.tokens or SPECIALS["openai"])) + ")")
        # in lower case they are no tokens but pieces that end here, when nothing before swallows them
        spelled = "|".join(map(re.escape, SPECIALS["openai"]))
        self.spelled = re.compile(rf"(?:(?<=[^\W_])|(?<=\s)|^)(?:{spelled})+")

    def __call__(self, text):
        out = []
        for part in self.exact.split(_join_surrogates(text)):
            if part in self.tokens:
                out.append((b"\xfe", b"\xff")[self.tokens.index(part)])
                continue
            part = self.WHITE.sub(" ", unicodedata.normalize("NFC", part))
            part = "".join(map(str.lower, part))
            out.append(self.spelled.sub(lambda m: m[0].replace(">", "> "), part).encode("utf-8"))
        return b"".join(out)
