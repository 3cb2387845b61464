"""A server on this machine that gives byte ranges, and can be made to fail in the ways that servers do."""

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Served(ThreadingHTTPServer):
    """Serves a directory. What it does wrong is set from outside; what was asked of it is kept."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.directory = directory
        self.asked: list[tuple[str, str | None]] = []  # path and range of every GET
        self.ranges = True  # without: whole files, whatever was asked for
        self.failing: list[str] = []  # one for each of the next answers of a tar: an HTTP status, 'cut' or 'drop'
        self.tag = "1"  # of every file's version
        self.lists = True  # directories are listed
        self.sent = 0  # bytes of content
        self.query = ""  # that every request must have behind its question mark, letter for letter

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Served
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and content in one packet
    disable_nagle_algorithm = True

    def do_HEAD(self) -> None:
        self.answer(b"")

    def do_GET(self) -> None:
        server, asked = self.server, self.headers.get("Range")
        server.asked.append((self.path, asked))
        path, _, query = self.path.partition("?")
        if query != server.query:
            return self.answer(b"who are you", status=403)
        place = server.directory / path.lstrip("/")
        if place.is_dir() and server.lists:
            links = "".join(f'<a href="{each.name}">{each.name}</a>' for each in sorted(place.iterdir()))
            return self.answer(links.encode(), {"Content-Type": "text/html"})
        if not place.is_file():
            return self.answer(b"not here", status=404)
        wrong = server.failing.pop(0) if server.failing and place.suffix == ".tar" else ""
        if wrong.isdigit():
            return self.answer(b"later", status=int(wrong))
        content, form = place.read_bytes(), {"ETag": f'"{server.tag}"'}
        if asked and server.ranges:
            first, last = map(int, re.fullmatch(r"bytes=(\d+)-(\d+)", asked).groups())
            if first >= len(content):
                return self.answer(b"", form | {"Content-Range": f"bytes */{len(content)}"}, 416)
            part = content[first : last + 1]
            form["Content-Range"] = f"bytes {first}-{first + len(part) - 1}/{len(content)}"
            return self.answer(part, form, 206, wrong)
        return self.answer(content, form, 200, wrong)

    def answer(self, content: bytes, form: dict[str, str] | None = None, status: int = 200, wrong: str = "") -> None:
        if wrong == "drop":
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**(form or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):  # a client that has what it wants goes
            self.server.sent += len(content)
            self.wfile.write(content[: len(content) // 2] if wrong == "cut" else content)
        self.close_connection = self.close_connection or wrong == "cut"

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[Served]:
    server = Served(directory)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
