"""By what a network is computed while it is judged: an engine, named or chosen, for crops or for images of any size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.jobs.predictor import conditions, half
from ilsvrc.predict.auto import WITHIN, Auto, Wish, Work
from ilsvrc.predict.dense import Windows
from ilsvrc.predict.engines import Engine, Runner, missing, prepared
from ilsvrc.predict.measure import change
from ilsvrc.predict.predict import VIEWS

ANY_SIZE: tuple[Engine, ...] = ("eager", "fp32", "bf16")  # engines whose images may differ in size


@dataclass(frozen=True)
class How:
    """What is asked: an engine, or 'auto' and how far it may move a probability; say is told what was chosen."""

    engine: Engine | Literal["auto"] = "auto"
    within: float = WITHIN
    say: Callable[[str], None] = lambda line: None


class Computing:
    """A runner that is prepared when it meets its first images. views is how many it will be shown in all."""

    def __init__(self, network: nn.Module, views: int, how: How, device: torch.device) -> None:
        self.network, self.how, self.device = network.eval(), how, device
        self._left, self._any_size = views, isinstance(network, Windows)
        self.engine: Engine = "eager" if how.engine == "auto" else how.engine
        self._run: Runner | None = None
        self._auto: Auto | None = None
        if how.engine != "auto":
            self._check(how.engine)

    def __call__(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) float32 to what the network answers, (N, classes) float32."""
        left, self._left = self._left, max(0, self._left - len(images))
        if self.how.engine == "auto" and not self._any_size:
            if self._auto is None:
                wish = Wish(self.how.within, False, self.how.say)
                self._auto = Auto(self.network, wish, machine=conditions(), half=half(self.device))
            answers = self._auto(images, Work(min(VIEWS, max(left, 1)), max(left, len(images))))
            self.engine = self._auto.engine
            return answers
        if self._run is None:
            if self.how.engine == "auto":
                self.engine = self._nearest(images)
            self._run = prepared(self.network, self.engine, images)
        return self._run(images)

    def _check(self, engine: Engine) -> None:
        if self._any_size and engine not in ANY_SIZE:
            raise SpecError(
                f"engine {engine} computes images of one size, and a dense protocol shows many; "
                f"use {', '.join(ANY_SIZE)} or auto"
            )
        lacking = missing(engine, self.device)
        if lacking:
            raise SpecError(f"engine {engine} {lacking}, or use another engine")

    def _nearest(self, images: Tensor) -> Engine:
        """bf16 where it is multiplied in hardware and near enough on the first image, else fp32."""
        if not half(self.device):
            return "fp32"
        first = images[:1]
        found = [prepared(self.network, engine, first)(first) for engine in ("bf16", "eager")]
        if getattr(self.network, "places", "") == "probabilities":
            found = [answers.clamp_min(1e-30).log() for answers in found]
        moved = change(*found).largest
        engine: Engine = "bf16" if moved <= self.how.within else "fp32"
        self.how.say(f"engine: {engine}; bf16 moved no probability of the first image by more than {moved:.1g}")
        return engine
