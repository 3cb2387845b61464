"""OpenVINO: a network of ours as OpenVINO's CPU code, in float32, bfloat16 or 8-bit whole numbers.

The only file that knows OpenVINO and NNCF, which the extra fast-cpu installs.
"""

import contextlib
import io
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ilsvrc.predict.engines import Runner


def converted(network: nn.Module, size: int) -> Any:
    """An `openvino.Model` of a network in eval mode: any number of images, (N, 3, size, size)."""
    two = torch.zeros(2, 3, size, size)  # one alone would be taken for a constant
    with torch.no_grad(), _quiet():
        vino = _openvino()
        program = torch.export.export(network, (two,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        model = vino.convert_model(program)
    model.reshape([-1, 3, size, size])
    return model


def runner(model: Any, *, half: bool) -> Runner:
    """What computes it, in bfloat16 where `half`, with as many threads as torch has."""
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": str(torch.get_num_threads()),
    }
    request = _openvino().Core().compile_model(model, "CPU", hints).create_infer_request()
    one_at_a_time = threading.Lock()

    def run(images: Tensor) -> Tensor:
        with one_at_a_time:
            logits = request.infer([images.contiguous().numpy()], share_inputs=True)[0]
            return torch.from_numpy(logits.copy())

    return run


def quantized(model: Any, images: Tensor) -> Any:
    """The model in 8-bit whole numbers, their scales from what it makes of images (B, 3, S, S) float32."""
    with _quiet():
        _openvino()
        import nncf

        nncf.set_log_level(logging.ERROR)
        singles = nncf.Dataset([image[None].numpy() for image in images])
        return nncf.quantize(model, singles, subset_size=len(images))


def _openvino() -> Any:
    """The package, without its telemetry.

    As shipped, importing it sends an event to a statistics server and leaves files in the home directory, without
    asking. Both it and NNCF do without the package that sends where that cannot be imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither warnings nor bars of the converters: standard output is the answer's."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
