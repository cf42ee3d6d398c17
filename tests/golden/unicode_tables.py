"""Writes csrc/text/vn_unicode.h: Unicode's letters, numbers and white space as the regex package knows them.

    python tests/golden/unicode_tables.py > csrc/text/vn_unicode.h
"""

import re
from importlib.metadata import metadata

import regex


def ranges(pattern):
    """Ranges [first, last] of the code points that the pattern matches."""
    found = []
    for match in regex.finditer(f"{pattern}+", "".join(map(chr, [*range(0xD800), *range(0xE000, 0x110000)]))):
        found.append((ord(match[0][0]), ord(match[0][-1])))
    return found


def table(name, pattern):
    """One table as C."""
    cells = [f"{{0x{a:X}, 0x{b:X}}}," for a, b in ranges(pattern)]
    rows = [" ".join(cells[i : i + 5]) for i in range(0, len(cells), 5)]
    return f"static const vn_range vn_unicode_{name}[] = {{\n    " + "\n    ".join(rows) + "\n};\n"


def header():
    """The whole file; the package's description says which Unicode it holds."""
    about = metadata("regex")
    unicode = re.search(r"supports Unicode ([\d.]+\d)", about.get_payload())[1]
    return "\n".join([
        f"/* Unicode {unicode}: general categories L and N, and White_Space, as sorted ranges of code points.\n"
        f" * Made by tests/golden/unicode_tables.py with regex {about['Version']}; do not edit. */\n"
        "#ifndef VN_UNICODE_H\n#define VN_UNICODE_H\n\n#include <stdint.h>\n\n"
        "typedef struct vn_range {\n    uint32_t first, last;\n} vn_range;\n",
        table("letter", r"\p{L}"),
        table("number", r"\p{N}"),
        table("space", r"\s"),
        "#endif",
    ])


if __name__ == "__main__":
    print(header())
