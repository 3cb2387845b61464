"""Files at a URL, read by byte ranges: what `source.Source` is to a file on disk. Needs fsspec, the extra `remote`.

Over HTTP every answer is compared with the first: a file that changed under way, or a server that sends whole files
where a range was asked for, is an error and not wrong pixels. Other filesystems of fsspec (s3, gs, ...) are asked
once for size and version. Nothing but the URL is pickled, and a forked process opens its own connections.
"""

import itertools
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from ilsvrc.data.source import Bytes
from ilsvrc.errors import DataError

SCHEME = re.compile(r"(?:^|(?<=::))([a-z][a-z0-9+.-]+):/+(?=[^/])")  # a path makes one slash of the two
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # seconds before another try, after errors that pass
PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP's words for "later"
SILENCE = 60  # seconds without a byte after which a connection is given up
RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
BRACES = re.compile(r"\{([^{}]*)\}")
LINK = re.compile(r"""<a\s[^>]*?href=["']([^"'?#]+)""", re.IGNORECASE)
PAGE = 1 << 24  # bytes of a listing that are looked at
MOST = 100_000  # shards that one pattern may name

T = TypeVar("T")


class _PassingError(Exception):
    """What may go away by itself: worth another try."""


@dataclass(frozen=True)
class _Answer:
    """What a server gave: bytes, and of the whole file its size and version ('' where it does not say)."""

    data: bytes
    size: int | None
    version: str


def url_of(path: Path | str) -> str | None:
    """The URL a path is, also one that went through `Path`, which makes one slash of two; None for other paths."""
    text = str(path)
    if (not SCHEME.match(text) and "::" not in text) or os.path.exists(text):
        return None
    return SCHEME.sub(lambda found: f"{found[1]}:///" if found[1] in ("file", "local") else f"{found[1]}://", text)


def expanded(url: str) -> list[str]:
    """The URLs that braces stand for: {000000..000146} counts, {train,val} lists."""
    parts: list[list[str]] = []
    for place, part in enumerate(BRACES.split(url)):
        parts.append([part] if place % 2 == 0 else list(_alternatives(part, url)))
    return ["".join(chosen) for chosen in itertools.islice(itertools.product(*parts), MOST)]


def _alternatives(braces: str, url: str) -> Iterator[str]:
    for part in braces.split(","):
        ends = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", part)
        if ends and int(ends[2]) - int(ends[1]) >= MOST:
            raise DataError(f"{url} names more than {MOST:,} files; give fewer, or the directory")
        yield from (f"{n:0{len(ends[1])}d}" for n in range(int(ends[1]), int(ends[2]) + 1)) if ends else (part,)


class Store:
    """A directory at a URL; its filesystem is opened once in each process and shared by its threads.

    query is what follows a question mark in the URL, a token or a signature: it goes with every request over HTTP, and
    stands in no path, so that no error, table or run holds it.
    """

    def __init__(self, url: str, query: str = "") -> None:
        self.url, self.query = url, query
        self.filesystem  # noqa: B018 - what is not installed or no URL is said now

    @property
    def filesystem(self) -> Any:
        """fsspec's, of this process. Raises DataError when it or the package for this kind of URL is not installed."""
        return _filesystem(os.getpid(), self.url if "::" in self.url else "/".join(self.url.split("/", 3)[:3]))

    def names(self) -> list[str]:
        """What is in the directory, by last names; empty where the server does not list it."""
        filesystem = self.filesystem

        def listed() -> list[str]:
            try:
                if self.query:  # which fsspec would spell anew
                    page = self.answer(f"{self.url}/", 0, PAGE, whole=True).data.decode("utf-8", "replace")
                    found = LINK.findall(page)
                else:
                    found = filesystem.ls(filesystem._strip_protocol(self.url), detail=False)
            except Exception as error:  # each filesystem has its own
                if isinstance(error, _PassingError | DataError):
                    raise
                if isinstance(error, FileNotFoundError | NotADirectoryError | NotImplementedError | PermissionError):
                    return []
                if getattr(error, "status", 500) < 500:
                    return []
                raise _PassingError(str(error) or type(error).__name__) from error
            return sorted({str(each).rstrip("/").rpartition("/")[2] for each in found})

        return _patiently(listed, self.url)

    def whole(self, url: str, largest: int) -> bytes | None:
        """A small file; None where there is none. Raises DataError when it has more than `largest` bytes."""

        def got() -> bytes | None:
            data = b""
            try:
                while True:
                    answer = self.answer(url, len(data), largest + 1, whole=not data)
                    data += answer.data
                    if not answer.data or answer.size is None or len(data) >= min(answer.size, largest + 1):
                        return data
            except FileNotFoundError:
                return None

        data = _patiently(got, url)
        if data is not None and len(data) > largest:
            raise DataError(f"{url} has more than {largest:,} bytes, which no such file has; put the right one there")
        return data

    def answer(self, url: str, start: int, stop: int, *, whole: bool = False) -> _Answer:
        """Bytes `start` to `stop` of a file, fewer where it ends before; one try.

        Raises FileNotFoundError, DataError for what no other try would mend, and _PassingError for the rest.
        """
        filesystem = self.filesystem
        if "http" in filesystem.protocol:
            return _over_http(filesystem, (url, self.query), start, stop, whole=whole)
        try:
            path = filesystem._strip_protocol(url)
            said = filesystem.info(path)
            data = filesystem.cat_file(path, start=start, end=min(stop, said["size"])) if start < said["size"] else b""
            return _Answer(bytes(data), said["size"], _version(said))
        except FileNotFoundError:
            raise
        except (PermissionError, IsADirectoryError, NotImplementedError, ValueError, TypeError) as error:
            raise DataError(f"{url} cannot be read ({error}); check the URL and who may read it") from error
        except Exception as error:  # each filesystem has its own: most are of the network
            raise _PassingError(str(error) or type(error).__name__) from error

    def data(self, url: str, start: int, stop: int) -> bytes:
        """Bytes of a file whose size and version are known, of anything but HTTP; one try."""
        filesystem = self.filesystem
        try:
            return bytes(filesystem.cat_file(filesystem._strip_protocol(url), start=start, end=stop))
        except FileNotFoundError:
            raise
        except (PermissionError, ValueError, TypeError) as error:
            raise DataError(f"{url} cannot be read ({error}); check the URL and who may read it") from error
        except Exception as error:
            raise _PassingError(str(error) or type(error).__name__) from error


class Remote:
    """One file at a URL, with a Source's manners. `size` is asked for when it is not given."""

    def __init__(self, store: Store, url: str, size: int | None = None, version: str = "") -> None:
        self.store, self.path = store, url
        self._size, self._version, self._compared = size, version, False

    def __reduce__(self) -> tuple[type["Remote"], tuple[Store, str, int | None, str]]:
        """Another process compares and connects anew."""
        return Remote, (self.store, self.path, self._size, self._version)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        if self._size is None:
            self.read(0, 1)
        if self._size is None:
            raise DataError(f"the server of {self.path} does not say how large it is; use a server that does")
        return self._size

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer only where the file ends.

        Raises DataError when the file is gone or another, or the server refuses, or fails for half a minute.
        """
        data = b""
        while len(data) < size:
            more = _patiently(partial(self._once, offset + len(data), offset + size), self.path)
            if not more:
                break
            data += more
        return data

    def _once(self, start: int, stop: int) -> bytes:
        try:
            if self._compared and "http" not in self.store.filesystem.protocol:
                return self.store.data(self.path, start, stop)
            answer = self.store.answer(self.path, start, stop)
        except FileNotFoundError as error:
            raise DataError(f"{self.path} is not there; check the URL, or put the file back") from error
        other = self._size is not None and answer.size is not None and answer.size != self._size
        if other or (self._version and answer.version and answer.version != self._version):
            was, now = (
                f"{size or 0:,} bytes, version {version or 'unknown'}"
                for size, version in ((self._size, self._version), (answer.size, answer.version))
            )
            raise DataError(
                f"{self.path} is not the file it was ({now}; {was} before); open the data set anew, and where it has "
                "a table, index it anew"
            )
        self._size = answer.size if self._size is None else self._size
        self._version, self._compared = self._version or answer.version, True
        return answer.data


class Ahead:
    """A source read with some bytes more than asked for, so that a tar's headers and labels do not cost a request each.

    For one thread.
    """

    def __init__(self, source: Bytes, more: int = 16_384) -> None:
        self.path, self._source, self._more = source.path, source, more
        self._start, self._kept = 0, b""

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._source.size

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on; fewer only where the file ends."""
        at = offset - self._start
        if at < 0 or at + size > len(self._kept):
            self._start, self._kept = offset, self._source.read(offset, max(size, self._more))
            at = 0
        return self._kept[at : at + size]


@cache  # never closed: a forked child that closed its parent's connections would wait for a thread it has not
def _filesystem(process: int, url: str) -> Any:
    """fsspec's filesystem of a URL's host, one in each process."""
    try:
        import fsspec
    except ImportError as error:
        raise DataError(f"{url} is read by fsspec, which is not installed; pip install 'ilsvrc[remote]'") from error
    try:
        return fsspec.core.url_to_fs(url, skip_instance_cache=True)[0]
    except ImportError as error:
        remedy = "pip install 'ilsvrc[remote]'" if url.startswith("http") else "install what it names"
        raise DataError(f"{url} needs a package that is not installed ({error}); {remedy}") from error
    except (ValueError, TypeError, OSError) as error:
        raise DataError(f"{url} is no URL that fsspec reads ({error}); give one such as https:// or s3://") from error


def _version(said: dict[str, Any]) -> str:
    """What tells one content of a file from the next, as far as a filesystem says."""
    return str(next((said[key] for key in ("ETag", "etag", "generation", "mtime", "created") if said.get(key)), ""))


def _over_http(filesystem: Any, place: tuple[str, str], start: int, stop: int, *, whole: bool) -> _Answer:
    import aiohttp
    from fsspec.asyn import sync

    url = place[0]
    try:
        status, headers, data = sync(filesystem.loop, _requested, filesystem, place, start, stop)
    except (aiohttp.InvalidURL, ValueError) as error:
        raise DataError(f"{url} is no URL ({error}); check it") from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise _PassingError(str(error) or type(error).__name__) from error
    if status in (404, 410) or (status == 403 and whole):  # 403: a bucket that may be read and not listed
        raise FileNotFoundError(url)
    if status in PASSING:
        raise _PassingError(f"HTTP {status}")
    said = RANGE.fullmatch(headers.get("Content-Range", ""))
    version = headers.get("ETag") or headers.get("Last-Modified") or ""
    if status == 416:
        return _Answer(b"", int(said[2]) if said and said[2] != "*" else None, version)
    if status == 200 and whole:
        return _Answer(data, None, version)
    if status == 200 or (status == 206 and (not said or said[1] is None or int(said[1]) != start)):
        raise DataError(
            f"the server of {url} does not give byte ranges, without which every image would cost a whole shard; "
            "use a server or an object store that does, or copy the shards to a disk"
        )
    if status != 206:
        raise DataError(f"the server of {url} answers HTTP {status}; check the URL and who may read it")
    return _Answer(data, int(said[2]) if said and said[2] != "*" else None, version)


async def _requested(filesystem: Any, place: tuple[str, str], start: int, stop: int) -> tuple[int, Any, bytes]:
    """Status, headers and as much of the content of (URL, query) as was asked for."""
    import aiohttp

    options = dict(filesystem.kwargs)
    headers = {**options.pop("headers", {}), "Range": f"bytes={start}-{stop - 1}", "Accept-Encoding": "identity"}
    options.setdefault("timeout", aiohttp.ClientTimeout(total=None, sock_connect=SILENCE, sock_read=SILENCE))
    session = await filesystem.set_session()
    url, query = filesystem.encode_url(place[0]), place[1]
    url = type(url)(f"{url}?{query}", encoded=True) if query else url  # a signature is of the letters it was given in
    async with session.get(url, headers=headers, **options) as response:
        content = bytearray()
        if response.status in (200, 206):
            async for block in response.content.iter_any():
                content += block
                if len(content) >= stop - start:  # a server without ranges would send the whole shard
                    break
        return response.status, response.headers, bytes(content[: stop - start])


def _patiently(act: Callable[[], T], url: str) -> T:
    """What `act` gives, tried again after errors that pass. Raises DataError when they do not."""
    for pause in (*PAUSES, None):
        try:
            return act()
        except _PassingError as error:
            if pause is None:
                raise DataError(
                    f"{url} cannot be read ({error}), tried {len(PAUSES) + 1} times; check the network and the server"
                ) from error
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")
