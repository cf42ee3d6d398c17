"""Negatives that a chat model writes: asked once, kept on disk, judged like all others."""

import logging
import re
from collections import Counter

from vlmneg.negatives.base import Negatives
from vlmneg.negatives.chat import ChatClient, read_json
from vlmneg.negatives.rules import key
from vlmneg.negatives.text.choice import bits
from vlmneg.negatives.text.pool import draw_from, truths
from vlmneg.negatives.text.prompts import KINDS, STYLES, messages, schema

STREAM_LLM = 65  # reserved in csrc/vn_registry.def
MOST = 64        # captions of an answer that are looked at
PLACEHOLDER = re.compile(r"<\w+>|\[mask\]|###", re.I)
ODD = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # controls but white space; halves of pairs
REFUSAL = re.compile(r"\W*(i['’]?m |i am )?(very )?(sorry|unable)\b|"
                     r"\W*(i (can['’]?t|cannot|can not|won['’]?t)|as an ai)\b", re.I)
log = logging.getLogger("vlmneg")


class llm(Negatives):
    """Captions that a chat model writes when asked for some that are false but close.

    A request asks for ``pool`` captions of one caption; the call's seed and visit draw k of them, so that epochs differ
    and nothing is asked twice. Answers go to the cache as they come: a run that is stopped, or whose server goes down,
    is called again and goes on. What the model gets wrong is counted in ``stats`` and never a valid negative. No rule
    can see that a caption is true after all; look at samples of what a model writes.

    Parameters
    ----------
    k : int in [1, 16]
        Negatives a caption.
    model : str
        As the server calls it.
    url : str
        Any server with OpenAI's interface.
    kinds : None, str or tuple of str
        Of "object", "attribute", "relation", "action", "number", "negation", "swap"; None: all.
    prompt : "rules", "examples" or str with "{caption}"
        "examples" shows the model answers first. A text of your own may also have "{kinds}" and "{n}".
    pool : int
        Captions asked for; the negatives of all visits are drawn from them.
    seed : int in [0, 2**63)
        Of the model's sampling: another seed, other answers.
    temperature : float, optional
        None: the server's.
    cache : str, Path or DiskCache, optional
        JSON lines; None: answers are kept in memory only.
    offline : bool
        Never call the server, as in training: a caption without an answer in the cache has no negative.
    api_key : str, optional
        Default: the environment variable OPENAI_API_KEY.
    concurrency, retries, timeout, schema, max_tokens, version, options
        See `vlmneg.negatives.chat.ChatClient`.

    Attributes
    ----------
    stats : collections.Counter
        Over all calls: the client's counts; answers with "no answer", "empty answer", "wrong JSON", "refused"; the
        "items" of answers and, among them, those not used: "same" as a true caption, "repeat" of another, "empty",
        "placeholder", "not a string", "refusal", "long", "odd" characters, "kind" not asked for or not what it says.

    Raises
    ------
    ChatError
        When called, if no caption has an answer because the server is down.

    References
    ----------
    Patel et al., TripletCLIP. NeurIPS 2024, arXiv:2411.02545: negatives of an LLM by in-context learning.

    Examples
    --------
    >>> negatives = llm(k=1, model="qwen3-4b", cache="answers.jsonl", offline=True)
    >>> negatives(["a red cube"]).reason
    [['EMPTY']]
    >>> negatives.stats["no answer"]
    1
    """

    name = "llm"

    def __init__(self, *, k=3, model, url="http://localhost:8000/v1", kinds=None, prompt="rules", pool=8, seed=0,
                 temperature=0.7, cache=None, offline=False, api_key=None, concurrency=8, retries=4, timeout=30.0,
                 schema=True, max_tokens=1024, version="", options=None):
        super().__init__(k=k, model=model, url=url, kinds=kinds, prompt=prompt, pool=pool, seed=seed,
                         temperature=temperature, cache=cache, offline=offline, concurrency=concurrency,
                         retries=retries, timeout=timeout, schema=schema, max_tokens=max_tokens, version=version,
                         options=options)  # but not api_key: parameters are shown and stored
        chosen = bits(kinds, tuple(KINDS), "kinds")
        self._kinds = [kind for i, kind in enumerate(KINDS) if chosen >> i & 1]
        if prompt not in STYLES and not (isinstance(prompt, str) and "{caption}" in prompt):
            raise ValueError(f'prompt must be {", ".join(STYLES)} or a text with "{{caption}}" in it, got {prompt!r}')
        if isinstance(pool, bool) or not isinstance(pool, int) or not k <= pool <= MOST:
            raise ValueError(f"pool must be an integer in [k, {MOST}], got {pool!r}")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise ValueError(f"seed must be an integer in [0, 2**63), got {seed!r}")
        self.client = ChatClient(url, model, api_key=api_key, temperature=temperature, max_tokens=max_tokens,
                                 version=version, concurrency=concurrency, retries=retries, timeout=timeout,
                                 cache=cache, schema=schema, options=options, offline=offline)

    @property
    def stats(self):
        """Counts of requests and of what was wrong with the answers."""
        return self.client.stats

    def draw(self, request, taken, first):
        """This part's slots.

        Parameters
        ----------
        request : Request
            Captions, what is true of their images, random rows.
        taken : list of N lists of str
            Each row's negatives so far.
        first : int
            This part's first slot.

        Returns
        -------
        text, kind : list of N lists of k str
        code : ndarray of shape (N, k), uint8
        """
        p = self.parameters
        rows = [i for i, c in enumerate(request.captions) if key(c) and not PLACEHOLDER.search(c)]
        answers = self.client.ask([messages(p["prompt"], self._kinds, p["pool"], request.captions[i]) for i in rows],
                                  schema=schema(self._kinds), seed=p["seed"], kind=self.name)
        pools, wrong = [[] for _ in request.captions], Counter()
        for i, answer in zip(rows, answers, strict=True):
            pools[i] = self._read(request, i, answer, wrong)
        self.stats.update(wrong)
        log.info("llm: %d captions; %s", len(rows), ", ".join(f"{n} {what}" for what, n in sorted(wrong.items())))
        return draw_from(pools, self.k, request, taken, first, STREAM_LLM)

    def _read(self, request, i, answer, wrong):
        """Kinds and captions of an answer; what is of no use is counted and left out."""
        if answer is None or not answer.strip():
            wrong["no answer" if answer is None else "empty answer"] += 1
            return []
        try:
            items = read_json(answer)
        except ValueError:
            wrong["refused" if REFUSAL.match(answer) else "wrong JSON"] += 1
            return []
        items = items.get("negatives") if isinstance(items, dict) else items
        if not isinstance(items, list):
            wrong["wrong JSON"] += 1
            return []
        if not items:
            wrong["empty answer"] += 1
        caption, true, pool, seen = request.captions[i], truths(request, i), [], set()
        for item in items[:MOST]:
            wrong["items"] += 1
            kind, text = (item.get("kind"), item.get("caption")) if isinstance(item, dict) else (None, item)
            if kind is None and len(self._kinds) == 1:
                kind = self._kinds[0]
            fault = self._fault(caption, kind, text)
            if fault is None:
                text = like(caption, text)
                says = key(text)
                fault = "same" if says in true else "repeat" if says in seen else None
                seen.add(says)
                pool.append((f"{self.name}_{kind}", text))  # the rules of all negatives reject it again, and say why
            if fault is not None:
                wrong[fault] += 1
        return pool

    def _fault(self, caption, kind, text):
        """What is wrong with an item, beyond the rules of all negatives; None: nothing."""
        if not isinstance(text, str):
            return "not a string"
        if not key(text):
            return "empty"
        if PLACEHOLDER.search(text):
            return "placeholder"
        if REFUSAL.match(text):
            return "refusal"
        if len(text) > 2 * len(caption) + 100:
            return "long"
        if ODD.search(text):
            return "odd"
        if kind not in self._kinds or (kind == "swap" and sorted(key(text).split()) != sorted(key(caption).split())):
            return "kind"
        return None


def like(caption, text):
    """The text in the caption's style, which must not tell the two apart: spaces, first capital, last full stop.

    Examples
    --------
    >>> like("a dog on a sofa", "A cat on a sofa.")
    'a cat on a sofa'
    """
    text, caption = " ".join(text.split()), caption.strip()
    stop = caption[-1:] if caption[-1:] in ".!" else ""
    text = text.rstrip(".! ") + stop
    first, second = text[:1], text[1:2]
    if caption[:1].islower() and first.isupper() and not second.isupper() and text[:2] != "I ":
        return first.lower() + text[1:]
    return first.upper() + text[1:] if caption[:1].isupper() else text
