"""The engine for the work at hand: eager for a few images, the fastest that stays near enough for many.

To know an engine is to have prepared it, which takes from a tenth of a second to half a minute. So none is tried
unless what it may save repays the trial several times over, and what was found is remembered between processes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ilsvrc.errors import SpecError
from ilsvrc.predict import remember
from ilsvrc.predict.engines import ENGINES, HALF, Engine, Runner, missing, prepared
from ilsvrc.predict.measure import BROKEN, ROUNDS, UNCHANGED, Measured, measured, timed

WITHIN = 0.02  # the largest change of a probability that is near enough where nothing else is said
REPAID = 3  # times: a trial may take this part of what the rest of the work would take without it
ALIKE = 1.05  # engines within 5 per cent of the fastest are as fast: the nearest to eager is taken
# Seconds to prepare, per layer with weights, on a slow core; a trial's cost before it was ever made.
PREPARE: dict[Engine, float] = {
    "fp32": 0.01,
    "bf16": 0.01,
    "openvino": 0.06,
    "openvino-bf16": 0.06,
    "compiled": 0.3,
    "compiled-bf16": 0.3,
}


@dataclass(frozen=True)
class Wish:
    """What is asked of the choice.

    within is the largest change of a probability that is accepted, on the images it is measured on; at_once
    measures every engine on the first images, however few; say is told what was chosen.
    """

    within: float = WITHIN
    at_once: bool = False
    say: Callable[[str], None] = lambda line: None


@dataclass(frozen=True)
class Work:
    """What is to be computed: images at a time, and how many are left, those at hand included."""

    batch: int
    left: int


class Auto:
    """A runner that chooses: call it with images and the work they are part of.

    machine names the hardware and the versions that a measurement holds for; half says whether bfloat16 is
    multiplied in hardware.
    """

    def __init__(self, network: nn.Module, wish: Wish, *, machine: str, half: bool) -> None:
        self.network, self.wish, self.machine = network.eval(), wish, machine
        self._half = half
        self._eager = prepared(network, "eager", torch.empty(0))
        self._ready: tuple[Engine, Runner] = ("eager", self._eager)
        self._known: dict[str, dict[Engine, Measured]] = {}
        self._seen, self._said = 0, ""
        layers = sum(isinstance(module, nn.Conv2d | nn.Linear) for module in network.modules())
        self._cost: dict[Engine, float] = {engine: each * layers for engine, each in PREPARE.items()}

    @property
    def engine(self) -> Engine:
        """The engine that is prepared now."""
        return self._ready[0]

    def __call__(self, images: Tensor, work: Work) -> Tensor:
        """Logits of images (N, 3, S, S) float32, (N, classes) float32."""
        key = remember.key(self.network, images.shape[-1], size_class(work.batch), f"{self.machine} {images.device}")
        if key not in self._known:
            self._known[key] = {} if self.wish.at_once else remember.read(key)
        known = self._known[key]
        # Who has shown n images one after another will show as many again.
        left = max(work.left, self._seen)
        self._seen += len(images)
        logits = None
        if "eager" not in known:
            seconds, logits = timed(self._eager, images)
            known["eager"] = Measured(0.0, seconds / len(images), UNCHANGED)
        settled = self.best(known, left, images.device) == self.engine
        if settled and self._worth(known, left - len(images), images):
            logits = self._try(known, left - len(images), images)
            remember.write(key, known)
        if logits is None:
            logits = self._runner(known, left, images)(images)
        self._tell(known, work)
        return logits

    def best(self, known: dict[Engine, Measured], left: int, device: torch.device) -> Engine:
        """Of what is known, the engine that is done with so many images first and is near enough."""
        totals: dict[Engine, float] = {}
        for engine in ENGINES:
            if engine in known and self._near(engine, known) and not missing(engine, device):
                prepare = 0.0 if engine in ("eager", self.engine) else known[engine].prepare
                totals[engine] = prepare + known[engine].image * left
        fastest = min(totals.values())
        alike = [engine for engine, total in totals.items() if total <= ALIKE * fastest]
        return min(alike, key=lambda engine: (known[engine].change.largest, totals[engine]))

    def _near(self, engine: Engine, known: dict[Engine, Measured]) -> bool:
        """Whether it may be chosen: int8 may not, it is for the images it was calibrated on."""
        return engine == "eager" or (engine != "int8" and known[engine].change.largest <= self.wish.within)

    def _worth(self, known: dict[Engine, Measured], left: int, images: Tensor) -> list[Engine]:
        """Engines nothing is known of that are worth a trial, those that take least first."""
        image = min(known[engine].image for engine in ENGINES if engine in known and self._near(engine, known))
        runs = (1 + ROUNDS) * len(images) * image / 2  # what is worth a trial is faster
        return [
            engine
            for engine, cost in sorted(self._cost.items(), key=lambda item: item[1])
            if engine not in known
            and (self._half or engine not in HALF)
            and not missing(engine, images.device)
            and (self.wish.at_once or REPAID * (cost + runs) <= left * image)
        ]

    def _try(self, known: dict[Engine, Measured], left: int, images: Tensor) -> Tensor:
        """Measure one engine after another while it is worth it and keep the best prepared; eager's logits."""
        seconds, logits = timed(self._eager, images)  # once more: the very first run is slower than those that follow
        known["eager"] = Measured(0.0, seconds / len(images), UNCHANGED)
        while untried := self._worth(known, left, images):
            engine = untried[0]
            try:
                known[engine], run = measured(self.network, engine, images, logits)
            except SpecError:
                known[engine] = BROKEN
                continue
            before, self._ready = self._ready, (engine, run)
            if self.best(known, max(left, 1), images.device) != engine:
                self._ready = before
        return logits

    def _runner(self, known: dict[Engine, Measured], left: int, images: Tensor) -> Runner:
        """The best engine's, prepared where it is not; the next one's where it cannot be any more."""
        engine = self.best(known, left, images.device)
        if engine == "eager":
            return self._eager
        if engine != self.engine:
            try:
                self._ready = (engine, prepared(self.network, engine, images))
            except SpecError:
                del known[engine]
                return self._runner(known, left, images)
        return self._ready[1]

    def _tell(self, known: dict[Engine, Measured], work: Work) -> None:
        """Say what was chosen, when it is something else than was said last."""
        if self.engine == self._said:
            return
        self._said = self.engine
        if len(known) == 1:
            few = f"{work.left} images are too few to measure others on"
            self.wish.say(f"engine: eager; {'no other serves on this machine' if self.wish.at_once else few}")
            return
        rate, eager = 1 / known[self.engine].image, 1 / known["eager"].image
        others = ", ".join(engine for engine in ENGINES if engine in known and engine != self.engine)
        self.wish.say(
            f"engine: {self.engine}, {rate:.3g} images/s where eager does {eager:.3g}; no probability was off by "
            f"more than {known[self.engine].change.largest:.1g} when it was measured beside {others}"
        )


def size_class(batch: int) -> int:
    """1 for one image at a time, 8 for a few, 32 for more: within a class engines keep their order."""
    return 1 if batch == 1 else 8 if batch <= 8 else 32
