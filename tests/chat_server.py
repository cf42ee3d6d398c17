"""A chat server in a thread: it answers as a test tells it to and keeps what it was asked."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def completion(content, **message):
    """The body of a reply in which the assistant says this."""
    return {"choices": [{"message": {"role": "assistant", "content": content, **message}, "finish_reason": "stop"}]}


class Server:
    """``url``; ``asked``: bodies of the requests; ``headers`` of them; ``most``: requests under way at a time."""

    def __init__(self, reply):
        self.reply, self.asked, self.headers, self.now, self.most = reply, [], [], 0, 0
        self.lock = threading.Lock()
        self.gone = threading.Event()  # lets a slow reply end with the server
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _handler(server):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with server.lock:
                    server.asked.append(body)
                    server.headers.append(dict(self.headers))
                    number = len(server.asked) - 1
                    server.now += 1
                    server.most = max(server.most, server.now)
                try:
                    status, headers, data = server.reply(body, number)
                    data = data if isinstance(data, bytes) else json.dumps(data).encode()
                    with contextlib.suppress(OSError):  # a client that went away
                        self.send_response(status)
                        for name, value in {"Content-Length": str(len(data)), **headers}.items():
                            self.send_header(name, value)
                        self.end_headers()
                        self.wfile.write(data)
                finally:
                    with server.lock:
                        server.now -= 1

            def log_message(self, *_):
                pass

        return Handler

    def close(self):
        self.gone.set()
        self.http.shutdown()
        self.http.server_close()


@contextlib.contextmanager
def serve(reply):
    """A server whose ``reply(body, number)`` gives status, headers and body; or a str, which the assistant says."""

    def full(body, number):
        made = reply(body, number)
        return (200, {}, completion(made)) if isinstance(made, str) else made

    server = Server(full)
    try:
        yield server
    finally:
        server.close()
