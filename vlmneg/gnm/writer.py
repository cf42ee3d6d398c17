"""A chat model thinks of portrayals."""

from __future__ import annotations

import re
from typing import Any

from vlmneg.gnm.plugins import Dropped, Portrayal, Unavailable
from vlmneg.negatives.chat import ChatClient, ChatError, read_json

SYSTEM = """You plan edits of photographs. You are given a sentence about a photograph and one item in it, and say what
could stand in the item's place, so that the picture is still plausible but the sentence is no longer true.
Rules:
- Give exactly {n} portrayals, all different from each other and from the item.
- An animal may only become another kind of animal.
- One portrayal stays close in meaning to the item; the others are farther away.
- "long" describes how it looks, in one sentence that a painter could work from.
- "short" names it in two or three words, one of them a colour. Only what can be seen counts.
Answer in JSON alone: {{"portrayals": [{{"long": "...", "short": "..."}}, ...]}}"""
TEXT = {"type": "string", "minLength": 1}
VERSION = "1"                               # of the words above


class ChatWriter:
    """Portrayals by a model behind a server with OpenAI's interface.

    Parameters
    ----------
    client : ChatClient or str
        A client, or a server's address, such as ``http://localhost:8000/v1``.
    model : str, optional
        As the server calls it, where an address is given.
    n : int
        Portrayals asked for.
    seed : int
    **options
        Of the client that is made of an address.

    Examples
    --------
    >>> writer = ChatWriter("http://localhost:8000/v1", "qwen3-4b", temperature=0.9)
    >>> writer.settings["model"], writer.concurrency
    ('qwen3-4b', 8)
    """

    name, version = "chat", VERSION

    def __init__(self, client: Any, model: str | None = None, *, n: int = 4, seed: int = 0, **options: Any) -> None:
        if isinstance(client, str):
            if not model:
                raise TypeError("model is missing: say what the server calls it")
            client = ChatClient(client, model, **options)
        elif not hasattr(client, "chat"):
            raise TypeError(f"client must be a ChatClient or a server's address, got {type(client).__name__}")
        self.client, self.n, self.seed, self.concurrency = client, n, seed, client.concurrency
        self.settings = {"model": client.model, "model_version": client.version, "parameters": client.parameters,
                         "n": n, "seed": seed}

    def __call__(self, sentence: str, item: str) -> list[Portrayal]:
        messages = [{"role": "system", "content": SYSTEM.format(n=self.n)},
                    {"role": "user", "content": f"Sentence: {sentence}\nItem: {item}"}]
        try:
            answer = self.client.chat(messages, schema=_schema(self.n), seed=self.seed, kind="gnm-portrayals")
        except ChatError as error:
            if error.hopeless:
                raise Unavailable(str(error)) from error
            raise
        found = _read(answer)
        if len(found) < self.n:
            raise Dropped("unusable answer of the writer")
        return found[:self.n]


def _schema(n):
    portrayal = {"type": "object", "properties": {"long": TEXT, "short": TEXT}, "required": ["long", "short"],
                 "additionalProperties": False}
    return {"type": "object", "required": ["portrayals"], "additionalProperties": False, "properties": {
        "portrayals": {"type": "array", "items": portrayal, "minItems": n, "maxItems": n}}}


def _read(answer):
    """Portrayals of an answer in JSON, or with one "long (short)" a line."""
    try:
        content = read_json(answer)
    except ValueError:
        lines = (re.fullmatch(r"[\s\d.)*-]*(.+?)\s*\(([^()]+)\)[\s.]*", line) for line in answer.splitlines())
        return [Portrayal(m[1], m[2]) for m in lines if m]
    content = content.get("portrayals") if isinstance(content, dict) else content
    entries = content if isinstance(content, list) else []
    return [Portrayal(e["long"], e["short"]) for e in entries
            if isinstance(e, dict) and isinstance(e.get("long"), str) and isinstance(e.get("short"), str)]
