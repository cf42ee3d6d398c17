"""Writes keywords.def, the tables of replace.c, from lists/*.txt: run it after a change of a list.

Words are inflected here, found words sorted for the search, and what is put in is laid out by form and group, so that a
draw is a number in a range.
"""

import bisect
import re
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("nouns", "relations", "adjectives", "numbers", "verbs", "fallback")
FORMS = ("BASE", "PLURAL", "THIRD", "ING", "PAST")
# the past, and "*" where the participle is another word: such a past is found but not put in
PASTS = dict(p.split("/") for p in """
    sit/sat stand/stood lay/laid lie/lay* kneel/knelt sleep/slept run/ran* leap/leapt swim/swam* fly/flew* fall/fell*
    slide/slid fight/fought ride/rode* hold/held throw/threw* catch/caught hit/hit swing/swung strike/struck hide/hid*
    bring/brought eat/ate* bite/bit* sell/sold cut/cut drink/drank* see/saw* feed/fed lead/led wear/wore* speak/spoke*
    sing/sang* read/read write/wrote* tear/tore* draw/drew* make/made build/built break/broke* have/had leave/left
    teach/taught hang/hung drive/drove* begin/began* shut/shut give/gave* take/took* steal/stole* shine/shone weep/wept
    sink/sank* grow/grew* fling/flung grind/ground spread/spread tie/tied show/showed* come/came* go/went* do/did*
    let/let get/got become/became* be/was* don/donned buy/bought""".split())
DOUBLED = set("""sit run jog hop swim slip grab grip hit bat cut chop chat pet drag hug jog skip shut put let get
    nap tap dip rip swim begin stop spot drop grin sip squat top wrap""".split())
HEAD = """\
/* Written by lists.py from the folder lists: the keywords of replace and what may stand in their place.
 * VN_GROUP(name, concept, instead, starts): instead: what stands for a word that means the whole group; starts: its
 * first VN_PUT of each form. VN_FOUND(text, group, sense, form), sorted by bytes; sense 0: the whole group.
 * VN_PUT(text, group, sense, home, mass), by form and group; home: where it is found; mass: 1 where "a" never stands
 * before it. VN_SENSE(name, start): its first VN_MEMBER, the numbers of the VN_FOUND that have it. VN_PAIR: the first
 * VN_FOUND with these first two letters. */"""
MACROS = {"GROUP": "name, concept, instead, base, plural, third, ing, past", "FOUND": "text, group, sense, form",
          "PUT": "text, group, sense, home, mass", "SENSE": "name, start", "MEMBER": "at", "PAIR": "start"}


def plural(word):
    """Regular plural of a noun's last word."""
    if re.search(r"(s|x|z|ch|sh)$", word):
        return word + "es"
    return word[:-1] + "ies" if re.search(r"[^aeiou]y$", word) else word + "s"


def verb_forms(verb):
    """(form, text, put in) of a verb whose first word is inflected."""
    head, _, rest = verb.partition(" ")
    rest = rest and " " + rest
    stem = head + head[-1] if head in DOUBLED else head
    third = {"have": "has", "be": "is", "go": "goes", "do": "does"}.get(head, plural(head))
    ing = head[:-2] + "ying" if head in ("lie", "die", "tie") else stem + "ing"
    past = stem + "ed"
    if re.search(r"[^eoy]e$", head) and head not in ("be", "die", "lie", "tie"):
        ing, past = head[:-1] + "ing", head + "d"
    elif head.endswith("e"):
        past = head + "d"
    elif re.search(r"[^aeiou]y$", head):
        past = head[:-1] + "ied"
    past = PASTS.get(head, past)
    forms = (("BASE", head, 1), ("THIRD", third, 1), ("ING", ing, 1), ("PAST", past.rstrip("*"), past[-1] != "*"))
    return [(form, text + rest, put) for form, text, put in forms]


def noun_forms(noun):
    """(form, text, put in) of one/more, one/, /more or a regular noun."""
    one, slash, more = noun.partition("/")
    if one == more:
        return [("EITHER", one, 1)]
    more = more if slash else plural(one)
    return [(form, text, 1) for form, text in (("BASE", one), ("PLURAL", more)) if text]


class Group:
    """Senses that replace one another."""

    def __init__(self, name, concept, instead):
        self.name, self.concept, self.instead, self.senses = name, concept, instead, []


def read():
    """Groups of all lists."""
    groups = []
    for file in FILES:
        text = re.sub(r"\n +", " ", (HERE / "lists" / f"{file}.txt").read_text())
        for line in filter(None, text.split("\n")):
            head = re.fullmatch(r"\[(\w+) (\w+)(?: > (\w+))?\]", line)
            if line[0] == "#":
                continue
            if head:
                name, concept, instead = head.groups()
                default = {"adjectives": "ANY_ADJECTIVE", "verbs": "ANY_VERB"}.get(file, "ANY_NOUN")
                groups.append(Group(name, concept, instead or default))
                groups[-1].file = file
            elif " > " in line:
                found, put = (part.split(", ") for part in line.split(" > "))
                if groups[-1].senses:
                    groups.append(Group("TO_" + found[0].upper().replace(" ", "_"), "relation", "ANY_NOUN"))
                    groups[-1].file = file
                else:
                    groups[-1].name = "TO_" + found[0].upper().replace(" ", "_")
                groups[-1].senses = [(found[0], [(w, False) for w in found], False)]
                groups[-1].senses += [(w, [(w, True)], True) for w in put]
            else:
                head, _, more = line.partition(": ")
                words = [(head.lstrip("~*"), head[0] not in "~*")] if head != "*" else []
                words += [(w.lstrip("+"), w[0] == "+") for w in more.split(", ") if w]
                groups[-1].senses.append(("*" if head == "*" else head.lstrip("~"), words, False))
    return groups


def word_class(group):
    """What senses of one name are the same: verbs, nouns, adjectives, or those of one group."""
    kind = {"verbs": "V", "adjectives": "A", "nouns": "N", "fallback": "N"}.get(group.file, group.name)
    return group.name if group.concept in ("size", "location", "relation") else kind


def lay_out(groups):
    """found: (text, group, sense, form); put: (form, group, text, sense); senses: names."""
    found, put, senses = set(), [], {("", "*"): 0}
    for g in groups:
        for name, words, only_put in g.senses:
            sense = 0 if name == "*" else senses.setdefault((word_class(g), name.strip("/").split("/")[0]), len(senses))
            for word, target in words:
                forms = noun_forms(word) if g.file in ("nouns", "fallback") else (
                    verb_forms(word) if g.file == "verbs" else [("BASE", word, 1)])
                for form, text, ok in forms:
                    if g.concept != "any" and not only_put:
                        found.add((text, g.name, sense, form))
                    if target and ok:
                        mass = int(len(forms) == 1 and form == "BASE" and g.file in ("nouns", "fallback"))
                        each = ("BASE", "PLURAL") if form == "EITHER" else (form,)
                        put += [(f, g.name, text, sense, mass) for f in each]
    names = [g.name for g in groups]
    order = {name: i for i, name in enumerate(names)}
    return (sorted(found, key=lambda f: (f[0].encode(), order[f[1]], f[2], f[3])),
            sorted(put, key=lambda t: (FORMS.index(t[0]), order[t[1]])), [name for _, name in senses])


def pair(text):
    """First two letters as a number, in the order of bytes."""
    first, second = (max(0, min(27, ord(c) - ord("a") + 1)) for c in (text + "  ")[:2])
    return 28 * first + second


def tables(groups):
    """Text of keywords.def."""
    found, put, senses = lay_out(groups)
    if len({f[:2] for f in found}) != len({f[:3] for f in found}):
        raise ValueError("a word has two senses in a group")
    home = {(sense, text): group for text, group, sense, _ in reversed(found)}
    members = {}
    for i, f in enumerate(found):
        members.setdefault(f[2], []).append(i)
    lines = [HEAD] + [f"#ifndef VN_{m}\n#define VN_{m}({a})\n#endif" for m, a in MACROS.items()]
    names = [g.name for g in groups]
    columns = [[names.index(t[1]) for t in put if t[0] == form] for form in FORMS]
    firsts = [sum(map(len, columns[:f])) for f in range(len(FORMS))]
    starts = [[first + sum(at < i for at in column) for first, column in zip(firsts, columns, strict=True)]
              for i in range(len(names) + 1)]
    lines += [f"VN_GROUP({g.name}, {g.concept.upper()}, {g.instead}, {', '.join(map(str, starts[i]))})"
              for i, g in enumerate(groups)]
    lines += [f"VN_GROUP(GROUPS, ANY, GROUPS, {', '.join(map(str, starts[-1]))})"]
    lines += [f'VN_FOUND("{t}", {g}, {s}, VN_{f})' for t, g, s, f in found]
    lines += [f'VN_PUT("{t}", {g}, {s}, {home.get((s, t), g)}, {m})' for _, g, t, s, m in put]
    at = 0
    for s, name in enumerate(senses):
        lines.append(f'VN_SENSE("{name}", {at})')
        at += len(members.get(s, ())) if s else 0
    lines.append(f'VN_SENSE("", {at})')
    numbers = [f"VN_MEMBER({i})" for s in range(1, len(senses)) for i in members.get(s, ())]
    lines += [" ".join(numbers[i:i + 7]) for i in range(0, len(numbers), 7)]
    pairs = [pair(f[0]) for f in found]
    numbers = [f"VN_PAIR({bisect.bisect_left(pairs, p)})" for p in range(28 * 28 + 1)]
    lines += [" ".join(numbers[i:i + 8]) for i in range(0, len(numbers), 8)]
    lines += [f"#undef VN_{m}" for m in MACROS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "keywords.def").write_text(tables(read()))
