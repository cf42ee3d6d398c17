"""Negatives of word nets: a tiny WordNet in its database format, read by NLTK, and the same as WN-LMF, read by wn."""

import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_llm import check
from test_negatives import CAPTIONS

import vlmneg as vn
from vlmneg.negatives import text
from vlmneg.negatives.text.lexicons import Lexicon, Nltk, Wn, lexicon_of
from vlmneg.negatives.text.writing import inflected, tagged

# synset: part of speech, words, {relation: synsets or (word of own, synset, word there)}
NET = {
    "thing": ("n", ["thing"], {"up": []}),
    "animal": ("n", ["animal", "beast"], {"up": ["thing"]}),
    "pet": ("n", ["pet"], {"up": ["animal"]}),
    "cattle": ("n", ["livestock"], {"up": ["animal"]}),
    "sheep": ("n", ["sheep"], {"up": ["cattle"]}),
    "dog": ("n", ["dog", "hound", "domestic_dog"], {"up": ["pet"]}),
    "puppy": ("n", ["puppy"], {"up": ["dog"]}),
    "cat": ("n", ["cat", "Tom"], {"up": ["pet"]}),
    "cow": ("n", ["cow"], {"up": ["cattle"]}),
    "pony": ("n", ["pony"], {"up": ["cattle"]}),
    "fellow": ("n", ["chap", "dog"], {"up": ["man"]}),
    "man": ("n", ["man"], {"up": ["thing"]}),
    "woman": ("n", ["woman"], {"up": ["thing"]}),
    "value": ("n", ["value"], {"up": ["thing"]}),
    "colour": ("n", ["colour"], {"up": ["value"]}),
    "shade": ("n", ["shade"], {"up": ["value"]}),
    "redness": ("n", ["redness"], {"up": ["colour"], "derivation": [("redness", "red", "red")]}),
    "blueness": ("n", ["blueness"], {"up": ["shade"], "derivation": [("blueness", "blue", "blue")]}),
    "red": ("a", ["red", "ruddy"], {"derivation": [("red", "redness", "redness")], "similar": ["scarlet"]}),
    "scarlet": ("a", ["scarlet"], {"similar": ["red"]}),
    "blue": ("a", ["blue"], {"derivation": [("blue", "blueness", "blueness")]}),
    "big": ("a", ["big", "large"], {"antonym": [("big", "small", "small"), ("large", "small", "little")]}),
    "small": ("a", ["small", "little"], {"antonym": [("small", "big", "big"), ("little", "big", "large")]}),
    "act": ("v", ["act"], {"up": []}),
    "travel": ("v", ["travel", "go"], {"up": ["act"]}),
    "rest": ("v", ["rest"], {"up": ["act"]}),
    "run": ("v", ["run"], {"up": ["travel"]}),
    "ride": ("v", ["ride"], {"up": ["travel"]}),
    "doze": ("v", ["doze"], {"up": ["rest"]}),
    "quickly": ("r", ["quickly"], {"antonym": [("quickly", "slowly", "slowly")]}),
    "slowly": ("r", ["slowly"], {"antonym": [("slowly", "quickly", "quickly")]}),
}
FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
OFTEN = {("cow", "cow"): 50}


def relations(name):
    """(symbol, other synset, number of the own word, of the other) of a synset; numbers are 0 between synsets."""
    pos, words, links = NET[name]
    for other in links.get("up", ()):
        yield "@", other, 0, 0
    for other, (_, _, theirs) in NET.items():
        if name in theirs.get("up", ()):
            yield "~", other, 0, 0
    for other in links.get("similar", ()):
        yield "&", other, 0, 0
    for relation, symbol in (("antonym", "!"), ("derivation", "+")):
        for own, other, word in links.get(relation, ()):
            yield symbol, other, words.index(own) + 1, NET[other][1].index(word) + 1


def wndb(folder):
    """Files of the database format: offsets of synsets are places in the file of their part of speech."""
    def line(name, at):
        pos, words, _ = NET[name]
        pointers = [f"{symbol} {at[other]:08d} {NET[other][0]} {a:02x}{b:02x}"
                    for symbol, other, a, b in relations(name)]
        frames = " 01 + 02 00" if pos == "v" else ""
        return (f"{at[name]:08d} 03 {pos} {len(words):02x} " + " ".join(f"{w} 0" for w in words) +
                f" {len(pointers):03d} " + " ".join(pointers) + frames + " | made up  \n")

    at = dict.fromkeys(NET, 0)
    for pos in FILES:  # lengths don't depend on the places: eight digits each
        place = 0
        for name in NET:
            if NET[name][0] == pos:
                at[name], place = place, place + len(line(name, at).encode())
    for pos, file in FILES.items():
        mine = [name for name in NET if NET[name][0] == pos]
        (folder / f"data.{file}").write_text("".join(line(name, at) for name in mine))
        index = {}
        for name in mine:
            for word in NET[name][1]:
                index.setdefault(word.lower(), []).append(name)
        (folder / f"index.{file}").write_text("".join(
            f"{word} {pos} {len(names)} 0 {len(names)} 0 " + " ".join(f"{at[n]:08d}" for n in names) + "  \n"
            for word, names in sorted(index.items())))
        (folder / f"{file}.exc").write_text("")
    (folder / "lexnames").write_text("".join(f"{i:02d}\tfile{i}\t1\n" for i in range(4)))
    number = {"n": 1, "v": 2, "a": 3, "r": 4}
    (folder / "index.sense").write_text("".join(
        f"{word.lower()}%{number[pos]}:03:00:: {at[name]:08d} 1 0\n" for name, (pos, words, _) in NET.items()
        for word in words))
    (folder / "cntlist.rev").write_text("".join(
        f"{word}%{number[NET[name][0]]}:03:00:: 1 {count}\n" for (name, word), count in OFTEN.items()))


@pytest.fixture(scope="module")
def nltk_net(tmp_path_factory):
    nltk = pytest.importorskip("nltk")
    data = tmp_path_factory.mktemp("nltk_data")
    folder = data / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    wndb(folder)
    nltk.data.path.insert(0, str(data))  # NLTK reads from no other place
    yield Nltk(nltk.corpus.reader.WordNetCorpusReader(str(folder), None))
    nltk.data.path.remove(str(data))


def lmf():
    """The same net as WN-LMF."""
    names = {"@": "hypernym", "~": "hyponym", "&": "similar", "!": "antonym", "+": "derivation"}
    entries, synsets = {}, []
    for name, (pos, words, _) in NET.items():
        links = [(names[s], other) for s, other, a, _ in relations(name) if a == 0]
        synsets.append(f'<Synset id="t-{name}" ili="" partOfSpeech="{pos}">' + "".join(
            f'<SynsetRelation relType="{r}" target="t-{other}"/>' for r, other in links) + "</Synset>")
        for number, word in enumerate(words, 1):
            senses = "".join(f'<SenseRelation relType="{names[s]}" target="t-{other}-{b}"/>'
                             for s, other, a, b in relations(name) if a == number)
            count = f"<Count>{OFTEN[name, word]}</Count>" if (name, word) in OFTEN else ""
            entries.setdefault((word, pos), []).append(
                f'<Sense id="t-{name}-{number}" synset="t-{name}">{senses}{count}</Sense>')
    lexical = "".join(f'<LexicalEntry id="t-{pos}-{word}"><Lemma writtenForm="{word.replace("_", " ")}" '
                      f'partOfSpeech="{pos}"/>{"".join(s)}</LexicalEntry>' for (word, pos), s in entries.items())
    return ('<?xml version="1.0" encoding="UTF-8"?>\n'
            '<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.0.dtd">\n'
            '<LexicalResource xmlns:dc="http://purl.org/dc/elements/1.1/">'
            '<Lexicon id="t" label="tiny" language="en" email="none" license="none" version="1">'
            f'{lexical}{"".join(synsets)}</Lexicon></LexicalResource>')


@pytest.fixture(scope="module")
def wn_net(tmp_path_factory):
    wn = pytest.importorskip("wn")
    folder = tmp_path_factory.mktemp("wn")
    (folder / "tiny.xml").write_text(lmf(), encoding="utf-8")
    before = wn.config.data_directory
    wn.config.data_directory = folder / "data"
    wn.add(folder / "tiny.xml", progress_handler=None)
    yield Wn("t:1")
    wn.config.data_directory = before


@pytest.fixture(params=["nltk", "wn"])
def net(request):
    return request.getfixturevalue(f"{request.param}_net")


def test_lexicon(net):
    assert isinstance(net, Lexicon)
    assert net.antonyms("big", "A") == {"small": 1} and net.antonyms("large", "A") == {"little": 1}
    assert net.antonyms("quickly", "R") == {"slowly": 1} and net.antonyms("dog", "N") == {}
    # brothers and cousins, not the word, its synonyms, names, or what has two words
    assert net.siblings("dog", "N") == {"cat": 1, "cow": 50, "pony": 1, "sheep": 1}
    assert net.siblings("dogs", "N") == net.siblings("Dog", "N") == net.siblings("dog", "N")
    assert net.siblings("pony", "N") == {"cat": 1, "cow": 50, "dog": 1, "hound": 1, "sheep": 1}
    assert net.siblings("red", "A") == {"blue": 1}, "by way of redness"
    assert net.siblings("runs", "V") == {"doze": 1, "ride": 1}
    assert net.siblings("unheard", "N") == net.siblings("dog", "P") == net.antonyms("on", "P") == {}


@pytest.mark.parametrize(("old", "new", "kind", "related"), [
    ("dog", "hounds", "N", True), ("dogs", "dog", "N", True), ("dog", "animal", "N", True), ("dog", "puppy", "N", True),
    ("puppy", "pets", "N", True), ("dog", "chap", "N", True), ("dog", "man", "N", True), ("dog", "cat", "N", False),
    ("red", "ruddy", "A", True), ("red", "scarlet", "A", True), ("red", "blue", "A", False), ("xx", "xx", "N", True),
    ("xx", "yy", "N", False), ("dog", "hound", "P", False)])
def test_relatives(net, old, new, kind, related):
    assert net.related(old, new, kind) is related


def test_negatives(net):
    g = text.wordnet(k=3, kinds="noun", relation="sibling", lexicon=net)
    r = g(["Two dogs rest."], seed=1, avoid=[["a sheep"]])
    check(r)
    assert sorted(r.text[0]) == ["Two cats rest.", "Two cows rest.", "Two ponies rest."]
    assert r.kind == [["wordnet_noun"] * 3] and r.edits[0][0][0].old == "dogs"
    four = text.wordnet(k=4, kinds="noun", relation="sibling", lexicon=net)(["a dog"], avoid=[["CATS run", "sheep"]])
    assert sorted(four.text[0][:2]) == ["a cow", "a pony"] and not four.valid[0, 2:].any()
    assert set(four.reason[0][2:]) <= {"ABSENT", "REPEAT"}


@pytest.mark.parametrize(("caption", "kinds", "made"), [
    ("A BIG DOG", "adjective", "A SMALL DOG"), ("a red thing", "adjective", "a blue thing"),
    ("she quickly eats", "adverb", "she slowly eats"),
    ("a bigger dog", "adjective", None), ("", None, None),
    ("an unheard zork", None, None), ("a <mask> dog", None, None), ("the dog's ball", "noun", None)])
def test_rules(net, caption, kinds, made):
    r = text.wordnet(k=1, kinds=kinds, lexicon=net)([caption])
    check(r)
    assert r.text == [[made or caption]] and r.valid.all() == (made is not None)


def test_verbs(net):
    made = {t for (t,) in text.wordnet(k=1, kinds="verb", lexicon=net)(["a man running"] * 20, ids=range(20)).text}
    assert made == {"a man riding", "a man dozing"}


def test_frequent_words_are_drawn_more_often(net):
    r = text.wordnet(k=1, kinds="noun", lexicon=net)(["a dog"] * 200, ids=range(200))
    cows = sum(t == ["a cow"] for t in r.text)
    assert r.valid.all() and 180 <= cows < 200, "50 of 53 by weight"


def test_rare_words_can_be_left_out(net):
    g = text.wordnet(k=2, kinds="noun", least=2, lexicon=net)
    assert g(["a dog"]).text == [["a cow", "a dog"]] and g(["a dog"]).reason == [["", "REPEAT"]]


def test_two_readers_one_result(nltk_net, wn_net):
    captions = ["A big dog runs near a red cow.", "two ponies riding", "a small cat and a woman", *CAPTIONS]
    a, b = (text.wordnet(k=3, lexicon=net)(captions, seed=2) for net in (nltk_net, wn_net))
    check(a)
    assert a.text == b.text and a.reason == b.reason and a.valid[0].all()
    g = text.wordnet(k=3, lexicon=nltk_net)
    assert [g([c], seed=2).text[0] for c in captions] == a.text, "row by row equals batch"
    assert g(captions, seed=2, visit=1).text != a.text
    assert g(captions, seed=2, annotations=vn.negatives.annotate(captions)).text == a.text
    check((text.swap(k=1) + g + text.replace(k=1) + g)(captions))
    mixed = vn.negatives.mix(text.swap(), g, k=2)(captions)
    check(mixed)
    assert any(k.startswith("wordnet") for row in mixed.kind for k in row)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(max_size=40) | st.sampled_from(["a dog", "É dog", "a big, red dog’s cow"]), min_size=1,
                max_size=3))
def test_any_unicode(nltk_net, captions):
    check(text.wordnet(k=2, lexicon=nltk_net)(captions))


def test_fill_mask_takes_it(net):
    g = text.fill_mask(k=1, model="none", kinds="noun", lexicon=net)
    g._filler = lambda places: [["hound", "puppy", "cow"] for _ in places]
    assert g(["a dog"]).text == [["a cow"]]


def test_what_is_missing(monkeypatch, tmp_path):
    nltk = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    with pytest.raises(FileNotFoundError, match=r"nltk.download\('wordnet'\)"):
        Nltk().siblings("dog", "N")
    wn = pytest.importorskip("wn")
    monkeypatch.setattr(wn.config, "data_directory", tmp_path / "wn")
    with pytest.raises(FileNotFoundError, match=r"wn.download\('oewn:2024'\)"):
        text.wordnet(lexicon="wn")(["a dog"])
    monkeypatch.setitem(sys.modules, "nltk.corpus", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'vlmneg[text]'")):
        text.wordnet()(["a dog"])
    monkeypatch.setitem(sys.modules, "wn", None)
    with pytest.raises(ImportError, match="pip install wn"):
        text.wordnet(lexicon="wn")(["a dog"])


def test_refusals():
    for bad, words in (({"kinds": "joke"}, "kinds"), ({"relation": "x"}, "relation"), ({"lexicon": None}, "lexicon"),
                       ({"lexicon": "x"}, "lexicon"), ({"lexicon": Nltk}, "lexicon"), ({"k": 17}, "k must"),
                       ({"least": 0}, "least")):
        with pytest.raises(ValueError, match=words):
            text.wordnet(**bad)
    assert lexicon_of(None) is None and lexicon_of("wn").name == "wn"


@pytest.mark.parametrize(("caption", "old", "new", "made"), [
    ("a car parked here", "parked", "eat", "eaten"), ("the man ate", "ate", "ride", "rode"),
    ("a dog runs", "runs", "carry", "carries"), ("dogs RUN", "RUN", "sit", "sit"),
    ("five dogs", "dogs", "wolf", "wolves"), ("a dog", "dog", "box", "box"), ("a red dog", "red", "blue", "blue")])
def test_forms(caption, old, new, made):
    word = next(w for w in tagged([caption])[0] if caption[w.start:w.stop] == old)
    assert inflected(new, word, old) == made
