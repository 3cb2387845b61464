"""A recipe at another size, length or batch: pure functions that say what they changed; and what no recipe may say."""

from collections.abc import Iterator
from dataclasses import replace

from ilsvrc.errors import SpecError
from ilsvrc.spec import (
    SGD,
    AreaCrop,
    Augmentation,
    CenterSquare,
    Crops,
    Dense,
    Exponential,
    MovingAverage,
    Polynomial,
    Protocol,
    RandomCrop,
    Recipe,
    RMSProp,
    Schedule,
    ShortSide,
    Steps,
    TailMean,
    TenCrop,
    Together,
    Warp,
)
from ilsvrc.train.init import INITIALISATIONS


def at_size(recipe: Recipe, size: int) -> Recipe:
    """The recipe with every length of its augmentation scaled so that it ends in crops of `size` pixels."""
    crops = [step.size for step in recipe.augment if isinstance(step, RandomCrop | TenCrop | AreaCrop)]
    if not crops or crops[-1] == size:
        return recipe
    scale = size / crops[-1]
    augment = tuple(_resized(step, scale) for step in recipe.augment)
    return replace(recipe, augment=augment, gaps=(*recipe.gaps, f"images of {size} instead of {crops[-1]} pixels"))


def shortened(recipe: Recipe, epochs: float) -> Recipe:
    """The recipe in so many epochs, all that it does at a time of its own at the same part of the way.

    Raises SpecError unless epochs is above 0.
    """
    if epochs <= 0:
        raise SpecError(f"{epochs:g} epochs are asked for; a training takes at least 1")
    if epochs == recipe.epochs:
        return recipe
    share = epochs / recipe.epochs
    change = f"a length of {epochs:g} instead of {recipe.epochs:g} epochs, and the schedule in proportion"
    return replace(
        recipe,
        epochs=epochs,
        schedule=_stretched(recipe.schedule, share),
        warmup=recipe.warmup * share,
        batch_norm=replace(recipe.batch_norm, frozen=recipe.batch_norm.frozen * share),
        gaps=(*recipe.gaps, change),
    )


def scaled(recipe: Recipe, batch: int) -> Recipe:
    """The recipe with updates of `batch` images and the rate in proportion (Goyal et al. 2017: the linear rule).

    Nothing else that counts updates is changed but a moving average of weights, which goes on reaching back as many
    images; no warm-up is added. Raises SpecError unless batch is at least 1.
    """
    if batch < 1:
        raise SpecError(f"a batch of {batch} images is asked for; an update takes at least 1")
    if batch == recipe.batch:
        return recipe
    factor = batch / recipe.batch
    optimizer = replace(recipe.optimizer, lr=recipe.optimizer.lr * factor)
    rates = f"{optimizer.lr:g} instead of {recipe.optimizer.lr:g}"
    change = f"batch {batch} instead of {recipe.batch}, and the rate {rates}"
    average = recipe.average
    if isinstance(average, MovingAverage):
        average = MovingAverage(decay=average.decay**factor)
    if isinstance(average, MovingAverage) and isinstance(recipe.average, MovingAverage):
        change += f"; the average's decay {average.decay:.6g} instead of {recipe.average.decay:g}"
    return replace(recipe, batch=batch, optimizer=optimizer, average=average, gaps=(*recipe.gaps, change))


def in_updates(recipe: Recipe, updates: int) -> Recipe:
    """The recipe for a training of so many updates: batch norm's averages reach back a tenth of it at most.

    A paper's decay is made for its hundreds of thousands of updates; in a few hundred, statistics would still be
    where they started.
    """
    decay = max(0.0, 1 - 10 / max(updates, 1))
    if recipe.batch_norm.decay <= max(decay, 0.9):  # 0.9 reaches back ten updates: nobody's is shorter
        return recipe
    decay = max(decay, 0.9)
    change = (
        f"batch norm's statistics decay by {decay:.6g} instead of {recipe.batch_norm.decay:g}: "
        f"this training has {updates:,} updates"
    )
    return replace(recipe, batch_norm=replace(recipe.batch_norm, decay=decay), gaps=(*recipe.gaps, change))


def while_training(protocol: Protocol, image_size: int) -> Crops:
    """What a training is judged by after each epoch, where `protocol` is for networks of `image_size` pixels.

    One or ten crops at one side as they are; else one centre crop, from 256 pixels of 224 in proportion, which costs
    little and can be kept between epochs.
    """
    if isinstance(protocol, Crops) and protocol.layout in ("center", "ten") and len(protocol.short_sides) == 1:
        return protocol
    return Crops(layout="center", short_sides=(round(256 * image_size / 224),), size=image_size)


def protocol_at_size(protocol: Crops, size: int) -> Crops:
    """The protocol with every length scaled so that it cuts squares of `size` pixels."""
    if protocol.size == size:
        return protocol
    sides = tuple(max(size, round(side * size / protocol.size)) for side in protocol.short_sides)
    return replace(protocol, size=size, short_sides=sides)


def in_proportion(protocol: Protocol, image_size: int, size: int) -> Protocol:
    """A protocol for networks of `image_size` pixels for one of `size`: every length in proportion, rounded.

    No side is shorter than the crop that is cut from it, nor than what the network looks at in a dense protocol.
    """
    scale = size / image_size
    match protocol:
        case Crops():
            cut = round(protocol.size * scale)
            sides = tuple(max(cut, round(side * scale)) for side in protocol.short_sides)
            return replace(protocol, size=cut, short_sides=sides)
        case Dense():
            sides = tuple(max(size, round(side * scale)) for side in protocol.short_sides)
            sizes = tuple(
                (max(size, round(high * scale)), max(size, round(wide * scale))) for high, wide in protocol.sizes
            )
            return replace(protocol, short_sides=sides, sizes=sizes)
        case Together():
            parts = tuple(in_proportion(part, image_size, size) for part in protocol.of)
            return replace(protocol, of=tuple(part for part in parts if not isinstance(part, Together)))


def check(recipe: Recipe) -> None:
    """Raise SpecError with the first thing in which the recipe contradicts itself."""
    for complaint in _complaints(recipe):
        raise SpecError(f"a recipe {complaint}")


def _complaints(recipe: Recipe) -> Iterator[str]:
    """What is wrong, and what would be right, behind the words "a recipe"."""
    if recipe.epochs <= 0 or recipe.batch < 1:
        yield f"has {recipe.epochs:g} epochs of batches of {recipe.batch}; both must be at least 1"
    yield from _of_optimizer(recipe.optimizer)
    yield from _of_schedule(recipe.schedule, recipe.epochs)
    if not 0 <= recipe.warmup < recipe.epochs:
        yield f"warms up for {recipe.warmup:g} of {recipe.epochs:g} epochs; leave some to train in"
    if recipe.init not in INITIALISATIONS:
        yield f"starts from {recipe.init!r}; there are {', '.join(INITIALISATIONS)}"
    if not 0 <= recipe.label_smoothing < 1:
        yield f"smooths labels by {recipe.label_smoothing:g}; it must be at least 0 and below 1"
    for name in ("side_weight", "clip_norm", "filter_rms"):
        if getattr(recipe, name) < 0:
            yield f"has {name} = {getattr(recipe, name):g}; it must be 0, for none, or above"
    yield from _of_weights(recipe)


def _of_optimizer(optimizer: SGD | RMSProp) -> Iterator[str]:
    if optimizer.lr <= 0:
        yield f"has a learning rate of {optimizer.lr:g}; it must be above 0"
    if not 0 <= optimizer.momentum < 1:
        yield f"has a momentum of {optimizer.momentum:g}; it must be at least 0 and below 1"
    if optimizer.weight_decay < 0:
        yield f"has a weight decay of {optimizer.weight_decay:g}; it must be 0, for none, or above"
    if isinstance(optimizer, SGD) and optimizer.nesterov and optimizer.rate_inside:
        yield (
            "asks for Nesterov momentum with the rate inside the velocity, which is not defined here; "
            "give its SGD rate_inside=False"
        )
    if isinstance(optimizer, SGD) and optimizer.nesterov and optimizer.momentum == 0:
        yield "asks for Nesterov's form of a momentum of 0; give its SGD a momentum or nesterov=False"
    if isinstance(optimizer, RMSProp) and not (0 < optimizer.decay < 1 and optimizer.epsilon > 0):
        yield (
            f"has an RMSProp with decay {optimizer.decay:g} and epsilon {optimizer.epsilon:g}; "
            "the first must be between 0 and 1, the second above 0"
        )


def _of_schedule(schedule: Schedule, epochs: float) -> Iterator[str]:
    match schedule:
        case Steps(at=steps, factor=factor):
            if list(steps) != sorted(set(steps)) or not all(0 < step < epochs for step in steps):
                told = ", ".join(f"{step:g}" for step in steps)
                yield f"changes its rate at epochs {told} of {epochs:g}; they must rise and lie within the training"
            if factor <= 0:
                yield f"multiplies its rate by {factor:g}; it must be above 0"
        case Exponential(factor=factor, every=every):
            if not (0 < factor <= 1 and every > 0):
                yield f"multiplies its rate by {factor:g} every {every:g} epochs; by at most 1, and both above 0"
        case Polynomial(power=power):
            if power <= 0:
                yield f"has a polynomial schedule of power {power:g}; it must be above 0"


def _of_weights(recipe: Recipe) -> Iterator[str]:
    """Of averages, batch norm and a start from other weights."""
    match recipe.average:
        case MovingAverage(decay=decay):
            if not 0 < decay < 1:
                yield f"averages its weights with decay {decay:g}; it must be between 0 and 1"
        case TailMean(last=last):
            if not 0 < last <= 1:
                yield f"averages the last {last:g} of its updates; it must be above 0 and at most 1, all of them"
    norm = recipe.batch_norm
    if not 0 <= norm.decay < 1:
        yield f"has batch norm's averages decay by {norm.decay:g}; it must be at least 0 and below 1"
    if not 0 <= norm.frozen < recipe.epochs:
        yield f"freezes batch norm for {norm.frozen:g} of {recipe.epochs:g} epochs; leave some to gather statistics in"
    if norm.recomputed < 0:
        yield f"recomputes batch norm's statistics over {norm.recomputed} images; it must be 0, for none, or above"
    start = recipe.starts_from
    if start and len(set(start.layers)) != len(start.layers):
        yield f"takes a layer twice from {start.model}: {', '.join(start.layers)}; name each once"


def _stretched(schedule: Schedule, share: float) -> Schedule:
    match schedule:
        case Steps(at=steps):
            return replace(schedule, at=tuple(step * share for step in steps))
        case Exponential(every=every):
            return replace(schedule, every=every * share)
        case _:
            return schedule


def _resized(step: Augmentation, scale: float) -> Augmentation:
    match step:
        case ShortSide(low, high):
            return ShortSide(round(low * scale), round(high * scale))
        case Warp(size):
            return Warp(round(size * scale))
        case CenterSquare(size):
            return CenterSquare(round(size * scale))
        case RandomCrop(size):
            return RandomCrop(round(size * scale))
        case TenCrop(size):
            return TenCrop(round(size * scale))
        case AreaCrop(size, low):
            return AreaCrop(round(size * scale), low)
        case _:
            return step
