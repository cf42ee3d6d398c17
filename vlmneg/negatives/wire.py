"""What OpenAI's chat interface looks like on the wire: addresses, replies, errors, waits."""

from __future__ import annotations

import datetime
import email.utils
import json
from typing import Any
from urllib.parse import urlsplit


class Transient(Exception):
    """A failure that may pass."""

    def __init__(self, message: str, *, after: float = 0.0, hopeless: bool = False) -> None:
        super().__init__(message)
        self.after, self.hopeless = after, hopeless


def http_package() -> Any:
    """The HTTP client that is installed: httpx, or httpx2."""
    try:
        import httpx
        return httpx
    except ImportError:
        pass
    try:
        import httpx2  # the same interface under another name
        return httpx2
    except ImportError:
        raise ImportError("asking a chat server needs the package httpx: pip install 'vlmneg[llm]'") from None


def endpoint(url: str) -> str:
    """Where a server takes chats.

    Examples
    --------
    >>> endpoint("http://localhost:8000")
    'http://localhost:8000/v1/chat/completions'
    """
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url must be a server's address, as http://localhost:8000/v1, got {url!r}")
    if parts.username or parts.password:
        raise ValueError("url must not hold a name and password; give api_key=")
    url = url.rstrip("/")
    if url.endswith("/chat/completions"):
        return url
    return url + ("/chat/completions" if parts.path.strip("/") else "/v1/chat/completions")


def content_of(data: bytes) -> str:
    """What the assistant says in a reply; "" where it says nothing."""
    try:
        message = json.loads(data)["choices"][0]["message"]
        content = message.get("content") or message.get("refusal") or ""
        if isinstance(content, list):
            content = "".join(part.get("text", "") for part in content)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        content = None
    if not isinstance(content, str):
        raise Transient(f"the reply is no chat completion: {data[:60].decode(errors='replace')!r}")
    return content


def said_in(data: bytes) -> str:
    """The sentence in a reply that reports an error."""
    try:
        error = json.loads(data)["error"]
        said = error["message"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError, RecursionError):
        said = data.decode(errors="replace")
    return " ".join(str(said).split())[:200] or "no reason given"


def retry_after(value: str | None) -> float:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        then = email.utils.parsedate_to_datetime(value)
        now = datetime.datetime.now(then.tzinfo or datetime.timezone.utc)
        return max(0.0, (then.replace(tzinfo=now.tzinfo) - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0
