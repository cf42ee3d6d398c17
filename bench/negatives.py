"""Valid text negatives a second on one core, each generator: from captions and their annotations to token ids.

Ours: the generator with annotations, strings, then `Tokenizer.pack`. The peer is plain Python in the manner of the
published scripts: a tagger reads each caption (TextBlob; spaCy where a model of it is installed), the same kind of edit
is made by the same lists, the result is compared with its caption, and open_clip's tokenizer, or ours where open_clip
isn't installed, turns it into ids. spaCy's blank pipeline has no tagger: without a model there is no such peer.
"""

import json
import random
import re
import statistics
import time

from bench.step import DATA
from bench.turns import Worker, interleave, ratios

GENERATORS = ("swap k=1", "swap k=2", "swap k=4", "replace k=1", "replace k=2", "replace k=3", "replace all k=3",
              "swap + replace k=4", "mix k=2")
PEER = {"swap": "swap k=1", "replace": "replace k=1"}   # what the peer makes, and the generator it stands beside
MODELS = ("en_core_web_sm", "en_core_web_md", "en_core_web_lg")


def add_arguments(parser):
    parser.add_argument("--captions", type=int, default=20000, help="captions a round, repeated as needed")
    parser.add_argument("--peer-captions", type=int, default=400, help="captions a round of the peers (default 400)")
    parser.add_argument("--pairs", type=int, default=7, help="rounds that count, after two that do not (default 7)")
    parser.set_defaults(run=run)


def captions(count):
    """Real captions, repeated to be so many."""
    rows = json.loads((DATA / "coco" / "captions.json").read_text(encoding="utf-8"))["annotations"]
    texts = sorted({row["caption"].strip() for row in rows})
    return (texts * (count // len(texts) + 1))[:count]


def run(arguments):
    workers = {"vlmneg": Worker("bench.negatives"), "TextBlob": Worker("bench.negatives")}
    workers["TextBlob"]("start_peer", "textblob", arguments.peer_captions)
    model = spacy_model()
    if model is None:
        print("spaCy: no model installed, so it has no tagger to compare with")
    else:
        workers["spaCy"] = Worker("bench.negatives")
        workers["spaCy"]("start_peer", model, arguments.peer_captions)
    workers["vlmneg"]("start", arguments.captions)
    try:
        ours, split = {}, {}
        for name in GENERATORS:
            times = [workers["vlmneg"]("make", name) for _ in range(arguments.pairs + 2)][2:]
            ours[name] = statistics.median(t for t, _ in times)
            split[name] = min(times)[1]
        seconds = {kind: interleave(workers, "a_negative", arguments.pairs, kind) for kind in PEER}
    finally:
        for worker in workers.values():
            worker.close()
    report(ours, split, seconds)


def report(ours, split, seconds):
    print("| | valid negatives a second | valid share | microseconds each: make, tokenize |\n|---|---|---|---|")
    for name, each in ours.items():
        share, make, tokenize = split[name]
        print(f"| {name} | {1 / each:,.0f} | {share:.2f} | {make * 1e6:.2f}, {tokenize * 1e6:.2f} |")
    print("\n| | peer | valid negatives a second | over vlmneg: median (quartiles) |\n|---|---|---|---|")
    for kind, rounds in seconds.items():
        for peer in list(rounds)[1:]:
            middle, low, high = ratios(rounds, "vlmneg", peer)
            print(f"| {PEER[kind]} | {peer} | {1 / statistics.median(rounds[peer]):,.0f} | {middle:,.0f}x "
                  f"({low:,.0f} to {high:,.0f}) |")


# What runs in the workers: a negative's seconds are those of one process, on one thread.

_state = {}


def start(count):
    """Get ready to make our negatives of so many captions."""
    import vlmneg as vn

    vn.set_num_threads(1)
    text, mix = vn.negatives.text, vn.negatives.mix
    swap, replace = text.swap, text.replace
    generators = (swap(k=1), swap(k=2), swap(k=4), replace(k=1), replace(k=2), replace(k=3),
                  replace(k=3, concept=replace.CONCEPTS), swap(k=2) + replace(k=2), mix(swap(), replace(), k=2))
    texts = captions(count)
    vocabulary = DATA / "clip" / "bpe_simple_vocab_16e6.txt.gz"
    tokenizer = vn.Tokenizer.from_file(vocabulary) if vocabulary.exists() else vn.Tokenizer.find()
    _state.update(captions=texts, annotations=vn.negatives.annotate(texts), tokenizer=tokenizer, visit=0,
                  generators=dict(zip(GENERATORS, generators, strict=True)))


def make(name):
    """CPU seconds a valid negative, and (valid share, seconds to make one, seconds to tokenize one)."""
    g, annotations = _state["generators"][name], _state["annotations"]
    _state["visit"] += 1
    begin = time.process_time()
    r = g(_state["captions"], visit=_state["visit"], annotations=annotations)
    texts = [t for row, ok in zip(r.text, r.valid.tolist(), strict=True) for t, v in zip(row, ok, strict=True) if v]
    made = time.process_time()
    _state["tokenizer"].pack(texts)
    end = time.process_time()
    n = len(texts)
    return (end - begin) / n, (n / r.valid.size, (made - begin) / n, (end - made) / n)


def spacy_model():
    """The name of an installed model of spaCy, or None."""
    import importlib.util

    return next((m for m in MODELS if importlib.util.find_spec(m) is not None), None)


def start_peer(tagger, count):
    """Get ready to make the peer's negatives of so many captions."""
    from vlmneg import _core

    groups, found, put = _core.text_keywords()
    wanted = {i for i, (_, concept, _) in enumerate(groups) if concept < 4}
    words, targets = {}, {}
    for text, group, sense, form in found:
        if group in wanted and " " not in text:
            words[text] = (group, sense, form)
    for text, group, sense, _, form, _ in put:
        targets.setdefault((group, form), []).append((text, sense))
    _state.update(captions=captions(count), words=words, targets=targets, tag=_tagger(tagger), ids=_tokenizer(),
                  random=random.Random(0))


def _tagger(name):
    from vlmneg.negatives import taggers

    tagger = taggers.get(name if name == "textblob" else f"spacy:{name}")
    return lambda text: [(text[start:stop], tag) for start, stop, tag in tagger([text])[0]]


def _tokenizer():
    try:
        import open_clip
    except ImportError:
        import vlmneg as vn

        return vn.Tokenizer.from_file(DATA / "clip" / "bpe_simple_vocab_16e6.txt.gz")
    return open_clip.tokenizer.SimpleTokenizer()


def a_negative(kind):
    """CPU seconds a valid negative of this kind."""
    if "generators" in _state:
        return make(PEER[kind])[0]
    edit = {"swap": _swapped, "replace": _replaced}[kind]
    begin = time.process_time()
    texts = [made for c in _state["captions"] if (made := edit(c)) is not None and made.lower() != c.lower()]
    _state["ids"](texts)
    return (time.process_time() - begin) / len(texts)


def _swapped(caption):
    """Two nouns or two adjectives exchange places."""
    tags = _state["tag"](caption)
    groups = [sorted({word for word, tag in tags if tag == wanted}) for wanted in ("NN", "NNS", "JJ")]
    groups = [words for words in groups if len(words) > 1]
    if not groups:
        return None
    a, b = _state["random"].sample(_state["random"].choice(groups), 2)
    return re.sub(rf"\b({re.escape(a)}|{re.escape(b)})\b", lambda m: b if m[1] == a else a, caption)


def _replaced(caption):
    """A word becomes another of its group."""
    known = [word for word, tag in _state["tag"](caption)
             if tag[:2] in ("NN", "JJ", "IN", "RB") and word.lower() in _state["words"]]
    if not known:
        return None
    word = _state["random"].choice(known)
    group, sense, form = _state["words"][word.lower()]
    others = [text for text, other in _state["targets"].get((group, form), ()) if other != sense]
    return re.sub(rf"\b{re.escape(word)}\b", _state["random"].choice(others), caption, count=1) if others else None
