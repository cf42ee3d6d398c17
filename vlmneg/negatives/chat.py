"""A client of chat servers that speak OpenAI's ``/v1/chat/completions``: patient, parallel, and never asking twice."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
import zlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from vlmneg import _core
from vlmneg.negatives.cache import DiskCache
from vlmneg.negatives.wire import Transient, content_of, endpoint, http_package, retry_after, said_in
from vlmneg.progress import Progress

LARGEST = 4 * 2**20     # bytes of a reply
LONGEST = 300.0         # seconds that a server may ask to wait
PATIENCE = 5            # failures one after another before the rest is left for another day
STREAM_WAIT = 64        # reserved in csrc/vn_registry.def
TRANSIENT = (408, 425, 429, 500, 502, 503, 504, 529)
log = logging.getLogger("vlmneg")


class ChatError(RuntimeError):
    """A chat server gave no answer; ``hopeless`` where other requests would fare no better."""

    def __init__(self, message: str, *, hopeless: bool = False) -> None:
        super().__init__(message)
        self.hopeless = hopeless


def read_json(answer: str) -> Any:
    """The JSON value that a model's answer consists of; thoughts before it and a Markdown fence are taken off.

    Parameters
    ----------
    answer : str

    Returns
    -------
    object

    Raises
    ------
    ValueError
        When it is no JSON, or JSON that was cut off.

    Examples
    --------
    >>> read_json('Here you are: ```json [1, 2] ```')
    [1, 2]
    """
    text = answer.rpartition("</think>")[2]
    fenced = re.search(r"```(?:json)?(.*?)```", text, re.S)
    try:
        return json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        raise ValueError(f"the answer is no JSON: {answer[:60]!r}") from None


class ChatClient:
    """Asks a chat model, through any server with OpenAI's interface (vLLM, llama.cpp, Ollama, hosted ones).

    A request is repeated after a failure that may pass (no connection, too slow, HTTP 408, 425, 429, 5xx, a reply that
    is no chat completion), at growing distances, or when the server's Retry-After says. Every answer goes to the cache
    as it comes, also one that turns out to be of no use: a run that is stopped and started again repeats none.

    Parameters
    ----------
    url : str
        Server, as ``http://localhost:8000/v1``.
    model : str
        As the server calls it.
    api_key : str, optional
        Default: the environment variable OPENAI_API_KEY.
    temperature : float, optional
        None: the server's.
    max_tokens : int, optional
        Longest answer; None: the server's.
    version : str
        Anything that tells models of one name apart; part of the cache's key.
    concurrency : int
        Requests under way at a time.
    retries : int
        Further attempts at a request.
    timeout : float
        Seconds that an attempt may take.
    cache : str, Path or DiskCache, optional
        JSON lines of answers; None: they are kept in memory only.
    schema : bool
        Send JSON schemas; a server that refuses them is asked again without.
    options : dict, optional
        Further fields of the request, as ``{"top_p": 0.9}``.
    offline : bool
        Never call the server; what isn't in the cache has no answer.
    wait : float
        Seconds before the first repetition, doubled for each further one.

    Attributes
    ----------
    stats : collections.Counter
        requests, retries, cached, answered, failed, missing (offline), plain (answered without schema).

    Examples
    --------
    >>> client = ChatClient("http://localhost:8000/v1", "qwen3-4b", offline=True)
    >>> client.ask(["What is the opposite of left?"]), dict(client.stats)
    ([None], {'missing': 1})
    """

    def __init__(self, url: str, model: str, *, api_key: str | None = None, temperature: float | None = 0.7,
                 max_tokens: int | None = 1024, version: str = "", concurrency: int = 8, retries: int = 4,
                 timeout: float = 30.0, cache: str | os.PathLike[str] | DiskCache | None = None, schema: bool = True,
                 options: dict[str, Any] | None = None, offline: bool = False, wait: float = 0.5) -> None:
        _check(model=model, api_key=api_key, temperature=temperature, max_tokens=max_tokens, version=version,
               concurrency=concurrency, retries=retries, timeout=timeout, schema=schema, options=options,
               offline=offline, wait=wait)
        self.url, self.model, self.version = endpoint(url), model, version
        self.parameters = {"temperature": temperature, "max_tokens": max_tokens, **(options or {})}
        self.parameters = {k: v for k, v in self.parameters.items() if v is not None}
        self.concurrency, self.retries, self.timeout, self.wait = concurrency, retries, float(timeout), float(wait)
        self.cache = cache if cache is None or isinstance(cache, DiskCache) else DiskCache(cache)
        self.schema, self.offline = schema, offline
        self.stats: Counter[str] = Counter()
        self._key = api_key
        self._memory: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"ChatClient({self.url!r}, {self.model!r})"

    def chat(self, messages: str | list[dict[str, Any]], *, schema: dict[str, Any] | None = None, seed: int = 0,
             kind: str = "chat") -> str:
        """The answer to one conversation.

        Parameters
        ----------
        messages : str or list of dict
            What the user says, or messages with ``role`` and ``content``.
        schema : dict, optional
            JSON schema of the answer.
        seed : int in [0, 2**63)
            Another seed may give another answer; also seeds the waits between attempts.
        kind : str
            What the answer is for: part of the cache's key.

        Returns
        -------
        str
            What the model wrote: read it with `read_json` where a schema was given, and check it.

        Raises
        ------
        ChatError
            When there is no answer.
        """
        answer = self.ask([messages], schema=schema, seed=seed, kind=kind)[0]
        if answer is None:
            raise ChatError(f"the answer is not in {self._kept()}; ask with offline=False first")
        return answer

    def ask(self, conversations: Sequence[str | list[dict[str, Any]]], *, schema: dict[str, Any] | None = None,
            seed: int = 0, kind: str = "chat") -> list[str | None]:
        """The answers to several conversations, asked side by side.

        When the server goes down in between, what was answered is kept and given, and a warning is logged that says how
        many are missing, why, and how to go on.

        Parameters
        ----------
        conversations : sequence of n str or lists of dict
            Equal ones are asked once.
        schema : dict, optional
            JSON schema of the answers.
        seed : int in [0, 2**63)
        kind : str
            See `chat`.

        Returns
        -------
        list of n str or None
            None: no answer.

        Raises
        ------
        ChatError
            When requests failed and not one of the conversations has an answer.
        """
        if isinstance(conversations, str) or not hasattr(conversations, "__len__"):
            raise TypeError("conversations must be a list; chat asks a single one")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
            raise ValueError(f"seed must be an integer in [0, 2**63), got {seed!r}")
        keys, todo = [], {}
        known: dict[str, str] = {}
        for messages in conversations:
            key = self._fields(messages, schema, seed, kind)
            name = json.dumps(key, sort_keys=True)
            keys.append(name)
            if name not in known and name not in todo:
                found = self.cache.get(key) if self.cache is not None else self._memory.get(name)
                if not isinstance(found, str):
                    todo[name] = key
                else:
                    known[name] = found
                    self.stats["cached"] += 1
        if self.offline:
            self.stats["missing"] += len(todo)
        elif todo:
            _Round(self, todo, known, schema).run()
        return [known.get(name) for name in keys]

    def _fields(self, messages: str | list[dict[str, Any]], schema: dict[str, Any] | None, seed: int,
                kind: str) -> dict[str, Any]:
        """All that an answer depends on: its key in the cache."""
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        if not isinstance(messages, list) or not all(isinstance(m, dict) and "role" in m for m in messages):
            raise TypeError(f"a conversation is a str or a list of messages with role and content, got {messages!r}")
        parameters = self.parameters if schema is None else {**self.parameters, "schema": schema}
        return {"kind": kind, "model": self.model, "version": self.version, "prompt": messages,
                "parameters": parameters, "seed": seed}

    def _keep(self, name: str, key: dict[str, Any], answer: str) -> None:
        if self.cache is not None:
            self.cache.put(key, answer)
        else:
            self._memory[name] = answer

    def _kept(self) -> str:
        return str(self.cache.path) if self.cache is not None else "memory"

    def _headers(self) -> dict[str, str]:
        key = self._key or os.environ.get("OPENAI_API_KEY", "")
        return {"Authorization": f"Bearer {key}"} if key else {}


class _Round:
    """One call's requests: threads take them from a common list until it is empty or further asking is no use."""

    def __init__(self, client: ChatClient, todo: dict[str, dict[str, Any]], known: dict[str, str],
                 schema: dict[str, Any] | None) -> None:
        self.client, self.todo, self.known = client, todo, known
        self.schema = schema if client.schema else None
        self.http = http_package()
        self.connections = self.http.Client(timeout=client.timeout, limits=self.http.Limits(
            max_connections=client.concurrency))
        self.queue = iter(todo.items())
        self.lock, self.stop = threading.Lock(), threading.Event()
        self.not_before = 0.0  # a server that wants to be left alone means all threads
        self.failures: list[ChatError] = []
        self.broken: list[BaseException] = []  # not the server's fault, such as a full disk
        self.in_a_row = 0

    def run(self) -> None:
        threads = min(self.client.concurrency, len(self.todo))
        show = None if len(self.todo) > 2 * threads else False
        pool = ThreadPoolExecutor(threads, "vlmneg-chat")
        answered = len(self.known)
        try:
            with Progress(len(self.todo), "asking", unit="request", show=show) as self.bar:
                for running in [pool.submit(self._work) for _ in range(threads)]:
                    running.result()
        finally:
            # after Ctrl-C the requests under way are not waited for; what they bring is still kept
            self.stop.set()
            pool.shutdown(wait=False)
        self.connections.close()
        if self.broken:
            raise self.broken[0]
        if self.failures:
            self._complain(len(self.known) - answered)

    def _work(self) -> None:
        while not self.stop.is_set():
            with self.lock:
                name, key = next(self.queue, ("", {}))
            if not name:
                return
            try:
                answer = self._answer(key)
                self.client._keep(name, key, answer)
            except ChatError as error:
                self._failed(error)
            except BaseException as error:
                self.broken.append(error)
                self.stop.set()
            else:
                with self.lock:
                    self.in_a_row = 0
                    self.known[name] = answer
                    self.client.stats["answered"] += 1
                    self.bar.add(failed=len(self.failures))

    def _failed(self, error: ChatError) -> None:
        with self.lock:
            if self.stop.is_set():
                return
            self.in_a_row += 1
            self.failures.append(error)
            self.client.stats["failed"] += 1
            self.bar.add(failed=len(self.failures))
            if error.hopeless or self.in_a_row >= PATIENCE:
                self.stop.set()

    def _complain(self, answered: int) -> None:
        client, reasons = self.client, Counter(map(str, self.failures)).most_common(3)
        left = len(self.todo) - answered - len(self.failures)
        message = (f"{client.url}: {answered} of {len(self.todo)} requests answered and kept in {client._kept()}, "
                   f"{len(self.failures)} failed" + (f", {left} were left" if left else "") + ": " +
                   "; ".join(f"{reason}" + (f" ({n} times)" if n > 1 else "") for reason, n in reasons) +
                   ". Call again to go on: what is kept is not asked again")
        if not self.known:
            raise ChatError(message, hopeless=self.failures[-1].hopeless)
        log.warning(message)

    def _answer(self, key: dict[str, Any]) -> str:
        """What the model wrote; without the schema where the server refuses it."""
        body = {k: v for k, v in key["parameters"].items() if k != "schema"}
        body.update(model=key["model"], messages=key["prompt"], seed=key["seed"])
        if self.schema is None:
            return self._attempts(body)
        form = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": self.schema}}
        try:
            return self._attempts({**body, "response_format": form})
        except _Refused:
            answer = self._attempts(body)
        self.schema = None  # it answers without: the others need not try
        self.client.schema = False
        self.client.stats["plain"] += 1
        return answer

    def _attempts(self, body: dict[str, Any]) -> str:
        client, error = self.client, ChatError("no attempt was made")
        mark = zlib.crc32(json.dumps(body, sort_keys=True).encode())
        for attempt in range(client.retries + 1):
            if self.stop.wait(max(0.0, self.not_before - time.monotonic())):
                raise error
            with self.lock:
                client.stats["requests"] += 1
                client.stats["retries"] += attempt > 0
            try:
                return self._attempt(body)
            except Transient as reason:
                error = ChatError(str(reason), hopeless=reason.hopeless)
                spread = 0.5 + _core.philox(body["seed"], mark, attempt, STREAM_WAIT)[0] / 2**32
                pause = min(client.wait * 2**attempt * spread, LONGEST)
                if reason.after > LONGEST:
                    raise ChatError(f"{reason}, asking to wait {reason.after:.0f} s", hopeless=True) from None
                with self.lock:
                    if reason.after:
                        self.not_before = max(self.not_before, time.monotonic() + reason.after)
            if attempt < client.retries and self.stop.wait(pause):
                break
        raise error

    def _attempt(self, body: dict[str, Any]) -> str:
        http = self.http
        try:
            status, headers, data = self._post(body)
        except http.TimeoutException:
            raise Transient(f"no answer within {self.client.timeout:g} s") from None
        except http.RequestError as error:
            unreachable = isinstance(error, http.ConnectError)
            raise Transient(f"no connection: {error}" if unreachable else f"the connection broke: {error}",
                             hopeless=unreachable) from None
        if status == 200:
            return content_of(data)
        said = f"HTTP {status}: {said_in(data)}"
        if status in TRANSIENT:
            raise Transient(said, after=retry_after(headers.get("retry-after")))
        if status in (401, 403):
            raise ChatError(f"{said}; give a valid api_key=, or set OPENAI_API_KEY", hopeless=True)
        if status in (400, 415, 422, 501) and "response_format" in body:
            raise _Refused(said)
        raise ChatError(said, hopeless=status in (404, 405) or 300 <= status < 400)

    def _post(self, body: dict[str, Any]) -> tuple[int, Any, bytes]:
        """A reply, read in parts: a timeout of the client's would start anew with each byte that drips in."""
        until, data = time.monotonic() + self.client.timeout, bytearray()
        with self.connections.stream("POST", self.client.url, json=body, headers=self.client._headers()) as reply:
            for part in reply.iter_bytes():
                data += part
                if len(data) > LARGEST:
                    raise ChatError(f"a reply of more than {LARGEST} bytes")
                if time.monotonic() > until:
                    raise self.http.ReadTimeout("too slow")
            return reply.status_code, reply.headers, bytes(data)


class _Refused(ChatError):
    """The server doesn't take the request as it is; perhaps it takes one without a schema."""


def _check(**values: Any) -> None:
    """Parameters of a client, one sentence each."""
    for name, (fits, wanted) in {
        "model": (lambda v: isinstance(v, str) and v, "a name that the server knows"),
        "api_key": (lambda v: v is None or isinstance(v, str), "a str or None"),
        "version": (lambda v: isinstance(v, str), "a str"),
        "schema": (lambda v: isinstance(v, bool), "True or False"),
        "offline": (lambda v: isinstance(v, bool), "True or False"),
        "options": (lambda v: v is None or isinstance(v, dict), "a dict of fields of the request, or None"),
    }.items():
        if not fits(values[name]):
            shown = type(values[name]).__name__ if name == "api_key" else repr(values[name])
            raise TypeError(f"{name} must be {wanted}, got {shown}")
    for name, low, high, kinds in (
        ("concurrency", 1, 1024, int), ("retries", 0, 1000, int), ("max_tokens", 1, 2**31, int),
        ("timeout", 1e-3, 1e6, (int, float)), ("wait", 1e-3, 1e6, (int, float)), ("temperature", 0, 100, (int, float)),
    ):  # fmt: skip
        value = values[name]
        if value is None and name in ("max_tokens", "temperature"):
            continue
        if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:  # type: ignore[arg-type]
            wanted = "an integer" if kinds is int else "a number"
            raise ValueError(f"{name} must be {wanted} in [{low:g}, {high:g}], got {value!r}")
