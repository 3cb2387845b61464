"""Damaged, mutated and made-up files into every reader of weights: a right answer or a WeightsError, no more.

No other exception, no code run, no memory beyond the file's size and a constant, no waiting.
A few hundred inputs each here; ILSVRC_FUZZ=10000 for that many.
"""

import os
import random
import resource
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from files import ORIGINALS, blob, number, run, tag, text, v0_layer, v1_layer, v2_layer, varint
from safetensors.torch import save_file
from torch import nn

from ilsvrc import weights
from ilsvrc.errors import WeightsError
from ilsvrc.weights import definition, own, state_dict, wire
from ilsvrc.weights.caffe import Network
from ilsvrc.weights.source import Weights

COUNT = int(os.environ.get("ILSVRC_FUZZ", "150"))
SLOWEST = 15.0  # seconds of the processor that one input may take; a slow machine with all cores busy took 5.4
ROOM = 48 << 20  # bytes of resident memory that all inputs together may add
LONGEST = 1500  # characters of a sentence
HOSTILE = (0, 1, 127, 128, 255, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 62, (1 << 63) - 1, (1 << 64) - 1)


def resident() -> int:
    """The most memory this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def hold(inputs: Iterator[bytes], path: Path, read: Callable[[Path], object], first: bytes) -> tuple[int, int]:
    """Feed inputs to a reader; how many were read and how many refused. first is read before anything is counted."""
    path.write_bytes(first)
    read(path)
    before, good, refused, data = resident(), 0, 0, b""
    for place, data in enumerate(inputs):
        path.write_bytes(data)
        started, sentence = time.process_time(), ""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                read(path)
            good += 1
        except WeightsError as error:
            refused += 1
            sentence = str(error)
        except BaseException as error:
            kept = Path(os.environ.get("ILSVRC_FUZZ_KEEP", path.parent)) / f"{path.stem}{place}{path.suffix}"
            kept.write_bytes(data)
            raise AssertionError(f"input {place} of {path.name}, kept as {kept}: {error!r}") from error
        assert len(sentence) < LONGEST, f"input {place}: {sentence[:300]}"
        assert time.process_time() - started < SLOWEST, f"input {place}"
    assert resident() - before < ROOM + len(data), f"{(resident() - before) >> 20} MiB beyond the files' size"
    return good, refused


def mutated(seeds: list[bytes], count: int = COUNT, alphabet: tuple[bytes, ...] = ()) -> Iterator[bytes]:
    """Each seed with one to eight of: bits flipped, bytes set, pieces cut, doubled, moved, swapped in, truncated."""
    rng = random.Random(0)
    for _ in range(count):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            at, end = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
            piece = bytes(data[at : min(end, at + rng.choice((4, 64, 4096)))])
            match rng.randrange(8):
                case 0 if data:
                    data[at % len(data)] ^= 1 << rng.randrange(8)
                case 1 if data:
                    data[at % len(data)] = rng.randrange(256)
                case 2:
                    del data[at : at + len(piece)]
                case 3:
                    data[at:at] = piece * rng.choice((1, 1, 2, 50))
                case 4:
                    del data[at:]
                case 5:
                    data[at:at] = varint(rng.choice(HOSTILE))
                case 6:
                    data[at : at + 8] = rng.choice(HOSTILE).to_bytes(8, rng.choice(("little", "big")))
                case _:
                    data[at : at + len(piece)] = rng.choice(alphabet) if alphabet else rng.randbytes(len(piece))
        yield bytes(data[: 1 << 20])


# --- .prototxt -------------------------------------------------------------------------------------------------------

NET = b"""name: "n" input: "data" input_shape { dim: 1 dim: 3 dim: 16 dim: 16 }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 pad: 1
  stride: 2 group: 1 dilation: 1 } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "c" batch_norm_param { eps: 1e-3 use_global_stats: true } }
layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true axis: 1 } }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" relu_param { negative_slope: 0.1 } }
layer { name: "n" type: "LRN" bottom: "c" top: "n" lrn_param { local_size: 5 alpha: 1e-4 beta: .75 k: 2 } }
layer { name: "p" type: "Pooling" bottom: "n" top: "p" pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "sl" type: "Slice" bottom: "p" top: "x" top: "y" slice_param { slice_point: 2 } }
layer { name: "e" type: "Eltwise" bottom: "x" bottom: "y" top: "e" eltwise_param { operation: SUM coeff: 1 coeff: 2 } }
layer { name: "k" type: "Concat" bottom: "e" bottom: "x" top: "k" concat_param { axis: 1 } }
layer { name: "sp" type: "Split" bottom: "k" top: "k1" top: "k2" }
layer { name: "g" type: "Pooling" bottom: "k1" top: "g" pooling_param { pool: AVE global_pooling: true } }
layer { name: "ax" type: "Axpy" bottom: "g" bottom: "k1" bottom: "k2" top: "ax" }
layer { name: "re" type: "Reshape" bottom: "ax" top: "re" reshape_param { shape { dim: 0 dim: -1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "re" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "d" type: "Dropout" bottom: "ip" top: "ip" dropout_param { dropout_ratio: 0.5 scale_train: false } }
layer { name: "so" type: "Softmax" bottom: "ip" top: "so" include { phase: TEST } }
"""
OLD = b"""layers { layer { name: 'pad' type: 'padding' pad: 1 } bottom: 'data' top: 'pad' } input: 'data' input_dim: 1
input_dim: 3 input_dim: 9 input_dim: 9 layers { layer { name: 'c' type: 'conv' num_output: 2 kernelsize: 3 }
bottom: 'pad' top: 'c' } layers { layer { name: 'f' type: 'innerproduct' num_output: 3 } bottom: 'c' top: 'f' }"""
WORDS = (
    *(b"{", b"}", b"<", b">", b"[", b"]", b":", b'"', b"'", b"#", b"\\", b"\n", b"\x00", b" dim: 2147483647 "),
    *(b" dim: 0 ", b" dim: -1 ", b" num_output: 2147483647 ", b" kernel_size: 65535 ", b" group: 3 ", b" axis: -3 "),
    *(b"layer { ", b"layers { ", b" type: 'ROIPooling' ", b" type: 'Reshape' ", b" nan ", b" 1e400 ", b" 9" * 99),
    *(b" type: 'InnerProduct' ", b" bottom: 'data' ", b" top: 'c' ", b" pooled_h: 4096 ", b" pad: 65535 ", b"\xff"),
)


def definitions() -> list[bytes]:
    published = sorted((ORIGINALS / "prototxt").glob("*.prototxt")) + sorted(
        (ORIGINALS / "oracle").glob("**/*.prototxt")
    )
    return [NET, NET, OLD, *(path.read_bytes() for path in published if path.stat().st_size < 12_000)]


def read_definition(path: Path) -> None:
    Network(definition.read(path))


def test_definitions(tmp_path: Path) -> None:
    good, refused = hold(
        mutated(definitions(), alphabet=WORDS), tmp_path / "n.prototxt", read_definition, max(definitions(), key=len)
    )
    if not ORIGINALS.is_dir():
        pytest.skip("the published definitions are not here; of our own short ones hardly any stays whole")
    assert min(good, refused) > COUNT // 50, "both must be met"


@pytest.mark.sampled
@pytest.mark.parametrize(
    "data",
    [
        b"a{" * 500_000,
        b"a{}" * 1_000_000,
        b"a:1 " * 1_000_000,
        b"a:" + b'"x"' * 1_000_000,
        b"a:[" + b"1," * 1_000_000,
        b"a" * 3_000_000 + b"{" * 40,
        (b"a" * 40_000 + b"{") * 40,
        b"layer{}" * 300_000,
        b"layer { name: '" + b"n" * 1_000_000 + b"' type: 'Nothing' }" + b"layer { type: 'ReLU' }",
        b"input: 'data' input_shape { "
        + b"dim: 2147483647 " * 30
        + b"} layer { type: 'ReLU' bottom: 'data' top: 'r' }",
        b"input: 'data' input_shape { dim: 1 } layer { type: 'Split' bottom: 'data' " + b"top: 't' " * 100_000 + b"}",
        b"#" * 3_000_000,
        b"\n" * 3_000_000 + b"?",
        b"a: '" + b"\\x41" * 500_000 + b"' ?",
        b"input: 'data' input_shape { dim: 1 dim: 1 dim: 1 dim: 1 }"
        + b"layer { name: 'r' type: 'Concat' bottom: 'data' bottom: 'data' top: 'data' }" * 200,
    ],
    ids=map(str, range(15)),
)
def test_definitions_that_swell_are_refused_soon_and_in_little_memory(tmp_path: Path, data: bytes) -> None:
    hold(iter([data]), tmp_path / "n.prototxt", read_definition, NET)


# --- .caffemodel -----------------------------------------------------------------------------------------------------

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2) / 8


def caffemodels() -> list[bytes]:
    made = []
    for layer in (v0_layer, v1_layer, v2_layer):
        for legacy, packed, double in ((0, 1, 0), (1, 1, 0), (0, 0, 0), (0, 1, 1), (1, 0, 1)):
            blobs = [
                blob(v, legacy=bool(legacy), packed=bool(packed), double=bool(double)) for v in (VALUES, VALUES[0])
            ]
            made.append(text(1, "net") + layer("conv1", "Convolution", blobs) + layer("fc", "InnerProduct", blobs[:1]))
    return made + [path.read_bytes() for path in sorted((ORIGINALS / "oracle" / "fixture").glob("*.caffemodel"))]


def messages(count: int) -> Iterator[bytes]:
    """Made of the format's own pieces: tags of every field and kind, lengths that lie, messages in messages."""
    rng = random.Random(1)
    numbers = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 50, 100, 7777)

    def message(depth: int) -> bytes:
        parts = []
        for _ in range(rng.randrange(6)):
            field = rng.choice(numbers)
            match rng.randrange(7):
                case 0:
                    parts.append(number(field, rng.choice((*HOSTILE, 3, 24))))
                case 1:
                    parts.append(tag(field, 5) + rng.randbytes(4))
                case 2:
                    parts.append(tag(field, 1) + rng.randbytes(8))
                case 3:
                    parts.append(tag(field, 2) + varint(rng.choice(HOSTILE)) + rng.randbytes(3))
                case 4:
                    parts.append(blob(VALUES, packed=rng.random() < 0.5, double=rng.random() < 0.5))
                case _ if depth:
                    parts.append(run(rng.choice((field, 100, 2, 7, 6, 1)), message(depth - 1)))
                case _:
                    parts.append(text(field, "conv1"))
        return b"".join(parts)

    for _ in range(count):
        yield message(4) or b"\x0a"


def read_caffemodel(path: Path) -> None:
    wire.net_name(path)
    layers = wire.read(path)
    assert sum(b.nbytes for layer in layers for b in layer.blobs) <= path.stat().st_size * 1.01


def test_weight_files_of_caffe(tmp_path: Path) -> None:
    good, refused = hold(mutated(caffemodels()), tmp_path / "w.caffemodel", read_caffemodel, caffemodels()[0])
    assert min(good, refused) > COUNT // 50
    good, refused = hold(messages(COUNT), tmp_path / "m.caffemodel", read_caffemodel, caffemodels()[0])
    assert refused > COUNT // 50


@pytest.mark.slow
def test_weight_files_of_caffe_into_a_network(tmp_path: Path) -> None:
    fixture = ORIGINALS / "oracle" / "fixture"
    if not fixture.is_dir():
        pytest.skip("the folder of original definitions is absent")
    net = fixture / "tiny_v2.prototxt"
    seeds = [path.read_bytes() for path in sorted(fixture.glob("tiny_v2_*.caffemodel")) if "axpy" not in path.name]
    hold(mutated(seeds, COUNT), tmp_path / "w.caffemodel", lambda path: weights.caffe.network(net, path), seeds[0])


def test_mean_files(tmp_path: Path) -> None:
    seeds = [blob(np.ones((1, 3, 4, 4), np.float32), legacy=legacy) for legacy in (False, True)]
    hold(mutated(seeds, COUNT), tmp_path / "m.binaryproto", weights.caffe.read_mean, seeds[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        v2_layer("a", "Scale", [run(7, run(1, varint((1 << 31) - 1) * 32)) * 20_000]),
        v2_layer("a", "Scale", [number(1, 1) * 500_000 + run(5, bytes(4))]),
        run(100, text(1, "a")) * 300_000,
        v2_layer("a", "Scale", [run(5, bytes(4)) * 200_000 + run(7, run(1, varint(200_000)))]),
        (tag(100, 2) + varint(1 << 31)) + bytes(2000),
        b"\xff" * 2000,
        text(1, "n") * 200_000,
    ],
    ids=map(str, range(7)),
)
def test_weight_files_of_caffe_that_swell_are_read_soon_and_in_little_memory(tmp_path: Path, data: bytes) -> None:
    hold(iter([data]), tmp_path / "w.caffemodel", read_caffemodel, caffemodels()[0])


# --- .safetensors ----------------------------------------------------------------------------------------------------

RECORD = Weights(
    model="resnet18",
    origin="a test",
    licence="none",
    sha256="0" * 64,
    channels="BGR",
    top=255.0,
    mean=(1.0, 2.0, 3.0),
    image_size=32,
    resize=40,
    width=0.02,
    classes=3,
    order="own",
    wnids=("n1", "n2", "n3"),
)
TEXTS = (
    *(b"null", b"[]", b"{}", b'"a"', b"-1", b"1e999", b"NaN", b"1" * 50, b"true", b"[1,2,3]", b'["n1"]', b"1048575"),
    *(b'"alexnet"', b'"vgg19"', b'"model"', b'"width"', b"900000", b"0.0", b"[" * 2000, b"\\ud800", b"\xff", b"0"),
)


def read_safetensors(path: Path) -> None:
    weights.load(weights.read_record(path).model, path)


@pytest.fixture
def ours(tmp_path: Path) -> bytes:
    from ilsvrc import models

    path = tmp_path / "seed.safetensors"
    weights.save(path, models.build("resnet18", 3, 32, 0.02).eval(), RECORD)
    return path.read_bytes()


@pytest.mark.slow
def test_our_own_files(tmp_path: Path, ours: bytes) -> None:
    header = int.from_bytes(ours[:8], "little")
    heads = (ours[: 8 + header], ours[8 : 8 + header])

    def inputs() -> Iterator[bytes]:
        for head in mutated([heads[1]], COUNT, TEXTS):
            yield len(head).to_bytes(8, "little") + head + ours[8 + header :]
        yield from mutated([ours], COUNT)

    hold(inputs(), tmp_path / "w.safetensors", read_safetensors, ours)


@pytest.mark.slow
def test_records_of_our_own_files(tmp_path: Path, ours: bytes) -> None:
    """The record alone changed, so that the file around it is whole."""
    seed = tmp_path / "seed.safetensors"
    network, _ = weights.load("resnet18", seed)
    tensors = network.state_dict()

    def inputs() -> Iterator[bytes]:
        place = tmp_path / "made.safetensors"
        for record in mutated([RECORD.as_json().encode()], COUNT, TEXTS):
            save_file(tensors, place, metadata={own.RECORD: record.decode("utf-8", "replace")})
            yield place.read_bytes()

    good, refused = hold(inputs(), tmp_path / "w.safetensors", read_safetensors, ours)
    assert min(good, refused) > COUNT // 50


# --- .pth ------------------------------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("trap-was-sprung"),))


def checkpoints(folder: Path) -> list[bytes]:
    tensors = OrderedDict(
        {
            "a.weight": torch.randn(4, 3),
            "a.bias": nn.Parameter(torch.randn(4)),
            "n": torch.tensor(3),
            "e": torch.empty(0),
        }
    )
    path, made = folder / "seed.pth", []
    for content in (
        tensors,
        {"epoch": 3, "state_dict": tensors, "best": 0.5, "names": ["x", None, True], "sizes": (1, 2)},
        tensors | {"trap": Trap()},
        {"t": torch.randn(6, 4).t(), "h": torch.randn(3).half(), "b": torch.randn(3).bfloat16(), "i": torch.arange(3)},
    ):
        for new in (True, False):
            torch.save(content, path, _use_new_zipfile_serialization=new)
            made.append(path.read_bytes())
    return made


OPCODES = (
    *(b"\x80\x02", b"}", b"]", b")", b"(", b"t", b"\x85", b"\x86", b"\x87", b"R", b"b", b"s", b"u", b"e", b"a", b"0"),
    *(b"2", b"1", b"q\x00", b"h\x00", b"r\xff\xff\xff\xff", b"j\xff\xff\xff\xff", b"N", b"\x88", b"Q", b".", b"\x81"),
    *(
        b"cbuiltins\nbytearray\n",
        b"cos\nsystem\n",
        b"J\xff\xff\xff\x7f",
        b"X\xff\xff\xff\x7f",
        b"\x8a\xff",
        b"\x8e" * 9,
    ),
    *(b"\x8b\xff\xff\xff\x7f", b"ccollections\nOrderedDict\n", b"ctorch._utils\n_rebuild_tensor_v2\n", b"\x8e" * 9),
    *(b"I99999999999999999999\n", b"K\x05", b"X\x01\x00\x00\x00a", b"\x93", b"\x94", b"o", b"i", b"P1\n", b"\x8f"),
    *(b"\x90", b"\x96" + b"\xff" * 8, b"\x91", b"d", b"l", b"g0\n", b"p0\n", b"\x92", b"\x97", b"\x98"),
)


def test_state_dicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    seeds = checkpoints(tmp_path)
    good, refused = hold(mutated(seeds, COUNT, OPCODES), tmp_path / "w.pth", state_dict.read, seeds[0])
    assert min(good, refused) > COUNT // 50
    assert not (tmp_path / "trap-was-sprung").exists()
