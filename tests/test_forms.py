"""Forms of words by the built-in tables, and by lemminflect and inflect for words that these don't know."""

import builtins

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlmneg import _core
from vlmneg.negatives import forms

PLURALS = """man men|Woman Women|person people|child children|foot feet|mouse mice|sheep sheep|aircraft aircraft
knife knives|leaf leaves|bookshelf bookshelves|giraffe giraffes|roof roofs|pony ponies|boy boys|box boxes|bus buses
church churches|dish dishes|class classes|potato potatoes|photo photos|zebra zebras|teddy bear teddy bears
TV TVs|DOG DOGS|stomach stomachs|human humans|mailman mailmen|t-shirt t-shirts|café cafés""".replace("\n", "|")
VERBS = """sit sits sitting sat sat|run runs running ran run|eat eats eating ate eaten|lie lies lying lay lain
lay lays laying laid laid|carry carries carrying carried carried|play plays playing played played
stop stops stopping stopped stopped|open opens opening opened opened|ride rides riding rode ridden
fly flies flying flew flown|watch watches watching watched watched|see sees seeing saw seen|ski skis skiing skied skied
tie ties tying tied tied|go goes going went gone|have has having had had|be is being was been
fix fixes fixing fixed fixed|begin begins beginning began begun
picnic picnics picnicking picnicked picnicked|Walk Walks Walking Walked Walked
layer layers layering layered layered|quit quits quitting quit quit
wear wears wearing wore worn""".replace("\n", "|")


@pytest.fixture(params=["alone", "with packages"])
def packages(request, monkeypatch):
    """Once with lemminflect and inflect hidden, once with them."""
    clear = (forms._inflect.cache_clear, forms._lemminflect.cache_clear)
    for c in clear:
        c()
    if request.param == "alone":
        plain = builtins.__import__

        def without(name, *args, **kwargs):
            if name in ("inflect", "lemminflect"):
                raise ImportError(name)
            return plain(name, *args, **kwargs)

        monkeypatch.setattr(builtins, "__import__", without)
    else:
        pytest.importorskip("inflect")
        pytest.importorskip("lemminflect")
    yield request.param
    for c in clear:
        c()


def test_nouns(packages):
    for row in PLURALS.split("|"):
        words = row.split()
        one, more = " ".join(words[:len(words) // 2]), " ".join(words[len(words) // 2:])
        assert forms.plural(one) == more and forms.plural(more) == more
        assert forms.singular(more) == one and forms.singular(one) == one


def test_verbs(packages):
    for row in VERBS.split("|"):
        words = row.split()
        assert [forms.verb_form(words[0], form) for form in forms.VERB_FORMS] == words
        for form in words:
            if form != "lay" and "ick" not in form:  # of two verbs; endings that the core doesn't cut
                assert [forms.verb_form(form, f) for f in forms.VERB_FORMS] == words, form
    assert forms.verb_form("sit on", "past") == "sat on"


def test_words_that_only_the_packages_know(packages):
    alone = packages == "alone"
    assert forms.plural("octopus") == "octopuses"
    assert forms.plural("cherub") == "cherubs"
    assert forms.plural("genus") == ("genuses" if alone else "genera")
    assert forms.singular("genera") == ("genera" if alone else "genus")
    assert forms.verb_form("forbid", "participle") == ("forbided" if alone else "forbidden")
    assert forms.verb_form("zorbs", "ing") == ("zorbsing" if alone else "zorbing")
    assert forms.plural("zorb") == "zorbs" and forms.singular("zorbs") == "zorb"


def test_regular_forms_are_read_back():
    """The core's endings undo what the rules do."""
    listed = {text for text, _, lemma, _ in _core.text_lexicon() if not lemma}  # "glasses" is a word of its own
    for text, kinds, _, form in _core.text_lexicon():
        if kinds[0] == "N" and form == 0 and text.isalpha() and not text.endswith("sis"):
            more = forms.plural(text)
            assert forms.singular(more) == text or more in listed, (text, more)


def test_the_core_makes_the_same_plurals():
    from vlmneg.reference.text import plural  # the core's twin
    other = [text for text, kinds, _, form in _core.text_lexicon()
             if kinds[0] == "N" and form == 0 and plural(text.encode()).decode() != forms.plural(text)]
    assert other == ["ox", "wildlife"]  # the core goes by endings alone


def test_articles():
    for word, expected in [("owl", "an"), ("unicorn", "a"), ("Hour", "an"), ("18-wheeler", "an"), ("one", "a"),
                           ("red owl", "a"), ("8", "an")]:
        assert forms.article(word) == expected


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=20))
def test_any_text(text):
    for function in (forms.plural, forms.singular, forms.article, lambda t: forms.verb_form(t, "past")):
        if text.strip():
            assert function(text)
    assert not text.strip() or forms.plural("\ud800" + text)
    assert forms.capital_like(text, text) == text or text != text.upper()


@pytest.mark.parametrize("call, error, sentence", [
    (lambda: forms.plural(3), TypeError, "must be a str, got int"),
    (lambda: forms.singular(""), ValueError, "must hold a word"),
    (lambda: forms.article("  "), ValueError, "must hold a word"),
    (lambda: forms.article(None), TypeError, "must be a str"),
    (lambda: forms.verb_form("go", "gone"), ValueError, "base, third, ing, past, participle"),
    (lambda: forms.verb_form("\n", "ing"), ValueError, "must hold a word"),
])
def test_wrong_arguments(call, error, sentence):
    with pytest.raises(error, match=sentence):
        call()
