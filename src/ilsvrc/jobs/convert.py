"""Convert the weights of others into a file of ours."""

from pathlib import Path

from ilsvrc import weights
from ilsvrc.errors import SpecError
from ilsvrc.weights import Weights


def convert(source: Path, model: str, out: Path) -> Weights:
    """Write `source`, read as that network's weights, to `out` with their record; the record is returned.

    Raises WeightsError as `weights.load` and `weights.save` do, SpecError for an `out` of another kind.
    """
    if out.suffix != ".safetensors":
        raise SpecError(
            f"--out is {out}, and what is written is .safetensors; name it {out.with_suffix('.safetensors')}"
        )
    network, record = weights.load(model, source)
    weights.save(out, network, record)
    return record
