"""Shards at a URL: their table is fetched, images are read by byte ranges when they are asked for.

Nothing is stored but, by `ilsvrc index`, the table of shards that have none, in the user's cache.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ilsvrc.data import shards
from ilsvrc.data.remote import Ahead, Remote, Store, expanded
from ilsvrc.data.tar_index import write_whole
from ilsvrc.errors import DataError

READERS = 16  # shards whose headers are read at once: they wait for the network together
LARGEST = 1 << 30  # bytes of a table or a list of classes


def read(url: str, split: str, *, boxes: bool = True) -> shards.Shards:
    """The shards of a split at a URL: of a directory, or of a pattern such as https://host/train-{000000..000146}.tar.

    Raises DataError when there are none, they or their table are damaged, or the server does not give byte ranges.
    """
    if split not in shards.SPLITS:
        raise DataError(f"no split is called {split!r}; a data set has train, val and test")
    store, base, asked = _asked(url, split)
    table = _table(store, url, base, split, asked) or scan(url, split)
    names = table["shards"].tolist()
    sources = tuple(
        Remote(store, f"{base}/{name}", int(size)) for name, size in zip(names, table["shard_size"], strict=True)
    )
    return shards.opened(split_query(url)[0], split, sources, table, boxes=boxes)


def scan(url: str, split: str) -> dict[str, np.ndarray]:
    """The table of a split's shards, from their headers, labels and JSON: a request or so for each sample.

    Raises DataError when there are none or one is damaged.
    """
    store, base, names = shards_of(url, split)
    if not names:
        raise DataError(
            f"{url} holds no shard of {split}: there is no {split}.table.npz, and no *{split}*.tar is named or listed; "
            f"give the directory of packed shards, or all of them as {base}/{split}-{{000000..000146}}.tar"
        )
    sources = [Remote(store, f"{base}/{name}") for name in names]
    with ThreadPoolExecutor(READERS) as pool:
        found_in = list(pool.map(lambda k: shards.samples(Ahead(sources[k]), k), range(len(sources))))
    sizes = [(name, source.size) for name, source in zip(names, sources, strict=True)]
    known = shards.listed_classes(lambda name: store.whole(f"{base}/{name}", LARGEST), base)
    return shards.tabled(url, found_in, sizes, known)


def shards_of(url: str, split: str) -> tuple[Store, str, list[str]]:
    """The store, the directory's URL, and the names of a split's shards: those the URL names, or the server lists."""
    store, base, asked = _asked(url, split)
    return store, base, _of_split(store.names(), split) if asked is None else asked


def _asked(url: str, split: str) -> tuple[Store, str, list[str] | None]:
    """The store, the directory's URL, and the names of the shards the URL names; None where it is the directory's.

    A query (https://host/train-0.tar?token=...) is the store's, which asks for all of the directory's files with it.
    """
    url, query = split_query(url)
    if url.endswith(".tar") or "{" in url:
        return Store(url.rpartition("/")[0], query), url.rpartition("/")[0], _of_split(expanded(url), split)
    return Store(url.rstrip("/"), query), url.rstrip("/"), None


def split_query(url: str) -> tuple[str, str]:
    """A URL without its query, and the query; of HTTP alone, where a question mark is no part of a name."""
    if not url.startswith(("http://", "https://")):
        return url, ""
    place, _, query = url.partition("?")
    return place, query


def table_place(url: str, split: str) -> Path:
    """Where the table of shards that have none at their URL is kept, whatever the URL's query."""
    url = split_query(url)[0]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache) / "ilsvrc" / "indexes" / f"{hashlib.sha256(url.encode()).hexdigest()[:12]}.{split}.table.npz"


def save(url: str, split: str, table: dict[str, np.ndarray]) -> Path:
    """Keep a table in the user's cache, and say where. Raises DataError when it cannot be written."""
    place = table_place(url, split)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, shards.as_bytes(table))
    except OSError as error:
        raise DataError(
            f"{place} cannot be written ({error.strerror}); set XDG_CACHE_HOME to a place that can"
        ) from error
    return place


def _table(store: Store, url: str, base: str, split: str, asked: list[str] | None) -> dict[str, np.ndarray] | None:
    """The table at the URL, or the one in the cache; None where neither is of the shards that were asked for."""
    at = f"{base}/{split}.table.npz"
    raw = store.whole(at, LARGEST)
    if raw is not None:
        table = shards.parsed(raw, at, f"run `ilsvrc index` on the shards' directory and copy {split}.table.npz there")
        if asked is None or table["shards"].tolist() == asked:
            return table
    place = table_place(url, split)
    if not place.is_file():
        return None
    try:
        kept = place.read_bytes()
    except OSError as error:
        raise DataError(f"{place} cannot be read ({error.strerror}); make it readable or remove it") from error
    return shards.parsed(kept, str(place), f"run `ilsvrc index {url}` to write it anew")


def _of_split(urls: list[str], split: str) -> list[str]:
    """The last names of shards of a split, as `shards.shards_in` takes them from a directory."""
    names = (url.rpartition("/")[2] for url in urls)
    return [name for name in names if fnmatchcase(name, f"*{split}*.tar") and "_img_" not in name]
