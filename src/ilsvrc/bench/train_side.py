"""One side of the benchmark of training: a process that takes a network's steps when told to.

Sides are processes of their own because ours keeps its memory, as the command line does, and a peer is timed as
shipped. It reads a JSON object per line, and answers with one.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ilsvrc import models
from ilsvrc.bench import peers
from ilsvrc.entries.recipes import PAPER
from ilsvrc.jobs.machine import bench, bf16_in_hardware, keep_memory, set_arithmetic
from ilsvrc.jobs.pace import called, halved, paced, settled
from ilsvrc.models.anatomy import layer_table, macs
from ilsvrc.spec import SGD
from ilsvrc.train.loss import autocast, classification
from ilsvrc.train.optim import optimizer

WARM = 6  # steps before any that counts: memory grows for some five of them
RATE, DECAY, MOMENTUM = 1e-3, 1e-4, 0.9

# ours: who writes the same network, by package and name. "plain" is ours with PyTorch's own LocalResponseNorm.
REFERENCE = {
    "alexnet": ("plain", ""),
    "googlenet": ("plain", ""),
    "googlenet_torchvision": ("torchvision", "googlenet"),
    "vgg16": ("torchvision", "vgg16"),
    "resnet50_v1_5": ("torchvision", "resnet50"),
    "resnext50_32x4d": ("torchvision", "resnext50_32x4d"),
    "se_resnet50": ("timm", "legacy_seresnet50"),
    "senet154": ("timm", "legacy_senet154"),
}
TIMM = {
    "vgg16": "vgg16",
    "resnet50_v1_5": "resnet50",
    "resnext50_32x4d": "resnext50_32x4d",
    "se_resnet50": "legacy_seresnet50",
    "senet154": "legacy_senet154",
}


class Towers(nn.Module):
    """PyTorch's LocalResponseNorm on each tower's maps by themselves."""

    def __init__(self, k: float, towers: int) -> None:
        super().__init__()
        self.towers = towers
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=k)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same."""
        if x.dtype != torch.float32:
            x = x.float()  # its average pool knows no bfloat16 on a CPU
        if self.towers == 1:
            whole: Tensor = self.norm(x)
            return whole
        count, maps, height, width = x.shape
        parts = x.reshape(count * self.towers, maps // self.towers, height, width)
        y: Tensor = self.norm(parts)
        return y.reshape(x.shape)


def plain(model: str) -> nn.Module:
    """Our network as one writes it with what PyTorch has."""
    network = models.build(model)
    for name, module in list(network.named_modules()):
        if type(module).__name__ == "ResponseNorm":
            parent = network.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], Towers(module.k, module.towers))
    return network


def peer(package: str, name: str) -> nn.Module | None:
    """A peer's network with random weights, or None where it is not installed."""
    try:
        if package == "timm":
            return peers.timm().create_model(name, pretrained=False)  # type: ignore[no-any-return]
        extra = {"init_weights": True} if name == "googlenet" else {}
        return getattr(peers.torchvision().models, name)(weights=None, **extra)  # type: ignore[no-any-return]
    except ImportError:
        return None


class Side:
    """A network in training; what the parent asks for are methods of it.

    kind: ours, as `ilsvrc train` would; reference, the same network in eager as shipped (float32 on a CPU, bf16
    under autocast on a GPU); timm, channels last and with AMP where bf16 is multiplied in hardware.
    """

    def __init__(self, model: str, kind: str, device: str, batch: int, options: dict[str, Any] | None = None) -> None:
        self.model, self.kind, self.size = model, kind, models.paper_size(model)
        self.bench = bench(device, **(options or {}))
        self.device = self.bench.device
        if kind == "ours":
            keep_memory()
        torch.manual_seed(0)
        self.network = self._network()
        self.ready = self.network is not None
        if self.network is not None:
            self._prepare(self.network, batch)

    def _network(self) -> nn.Module | None:
        if self.kind == "ours":
            return models.build(self.model)
        if self.kind == "timm":
            return peer("timm", TIMM[self.model]) if self.model in TIMM else None
        package, name = REFERENCE.get(self.model, ("plain", ""))
        return plain(self.model) if package == "plain" else peer(package, name)

    def _prepare(self, network: nn.Module, batch: int) -> None:
        last = torch.contiguous_format if self.kind == "reference" else torch.channels_last
        network.to(self.device, memory_format=last).train()  # type: ignore[call-overload]
        precision = self.bench.precision if self.kind == "ours" or self.device.type == "cuda" else "fp32"
        if self.kind == "timm" and (self.device.type == "cuda" or bf16_in_hardware()):
            precision = "bf16"  # a processor that has to emulate it takes minutes for a step: its AMP is left out there
        loss = classification(side_weight=0.3, label_smoothing=0.0, precision=precision)
        self.precision, self.last = precision, last
        if self.kind == "ours":
            recipe = replace(PAPER["resnet50"], optimizer=SGD(lr=RATE, momentum=MOMENTUM, weight_decay=DECAY))
            self.bench = settled(self.bench, network, self.size, batch, recipe)
            set_arithmetic(self.bench)
            self.moves = optimizer(network, recipe.optimizer)
            halved(network, self.moves, self.bench, recipe)
            loss = paced(loss, self.moves, self.bench)
            self.callee = called(network, self.bench)
        else:
            self.moves = torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
            self.callee = network
        self._loss: Callable[[nn.Module, tuple[Tensor, Tensor]], Tensor] = loss
        self._fill(batch)

    def _fill(self, batch: int) -> None:
        generator = torch.Generator().manual_seed(1)
        images = torch.randn(batch, 3, self.size, self.size, generator=generator)
        self.images = images.to(self.device, memory_format=self.last)
        self.labels = torch.randint(0, 1000, (batch,), generator=generator).to(self.device)

    def step(self) -> None:
        """Forward, backward, update."""
        self.moves.zero_grad()
        self._loss(self.callee, (self.images, self.labels)).backward()  # type: ignore[no-untyped-call]
        self.moves.step()

    def time(self, steps: int) -> dict[str, Any]:
        """Seconds per step."""
        return {"seconds": self._seconds(self.step, steps)}

    def warm(self) -> dict[str, Any]:
        """Steps until memory and code are in place."""
        return {"seconds": self._seconds(self.step, WARM)}

    def best(self) -> dict[str, Any]:
        """Double the batch as long as that makes a step faster per image by a hundredth, or until memory ends."""
        batch, rates = len(self.images), {}
        while True:
            try:
                self._fill(batch)
                self._seconds(self.step, WARM)
                rates[batch] = batch / self._seconds(self.step, 10)
            except torch.cuda.OutOfMemoryError:
                torch.cuda.empty_cache()
                break
            if rates[batch] < 1.01 * rates.get(batch // 2, 0.0):
                break
            batch *= 2
        best = max(rates, key=lambda size: rates[size], default=0)
        self._fill(best)
        self._seconds(self.step, WARM)
        return {"batch": best, "rates": rates}

    def norms(self) -> dict[str, Any]:
        """Seconds that the response norms of one step take, forward and backward, each by itself on its own maps."""
        assert self.network is not None
        seen: list[tuple[nn.Module, Tensor]] = []
        found = [m for m in self.network.modules() if type(m).__name__ in ("ResponseNorm", "Towers")]
        hooks = [m.register_forward_pre_hook(lambda module, x: seen.append((module, x[0].detach()))) for m in found]
        with autocast(self.device, self.precision), torch.no_grad():
            self.network(self.images)
        for hook in hooks:
            hook.remove()
        return {"seconds": sum(self._seconds(partial(_there_and_back, norm, x), 5) for norm, x in seen)}

    def facts(self) -> dict[str, Any]:
        """Numbers of the network, and bytes: of its parameters, the optimizer's state, and of what a step keeps."""
        assert self.network is not None
        own = {parameter.untyped_storage().data_ptr() for parameter in self.network.parameters()}
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            self._loss(self.network, (self.images, self.labels))
        moving = [value for state in self.moves.state.values() for value in state.values() if torch.is_tensor(value)]
        return {
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "parameter_bytes": sum(p.nbytes for p in self.network.parameters()),
            "optimizer_bytes": sum(tensor.nbytes for tensor in moving),
            "activation_bytes": sum(kept.values()),
            "peak_bytes": torch.cuda.max_memory_allocated() if self.device.type == "cuda" else _largest(),
            "macs": macs(layer_table(models.build(self.model), self.size, training=True)) if self.kind == "ours" else 0,
            "precision": self.precision,
            "compile": self.bench.compile if self.kind == "ours" else "no",
        }

    def _seconds(self, act: Callable[[], None], times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            act()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return (time.perf_counter() - start) / times


def _there_and_back(norm: nn.Module, x: Tensor) -> None:
    x = x.detach().requires_grad_()
    y = norm(x)
    y.backward(torch.ones_like(y))


def _largest() -> int:
    """The process's largest resident memory so far; 0 where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    """Serve standard input until it ends."""
    answers, sys.stdout = sys.stdout, sys.stderr  # nothing but answers on the line to the parent
    side = Side(**json.loads(sys.stdin.readline()))
    print(json.dumps({"ready": side.ready}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(side, request.pop("do"))(**request)), file=answers, flush=True)


if __name__ == "__main__":
    main()
