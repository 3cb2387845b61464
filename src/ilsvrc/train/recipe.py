"""A recipe at another image size, or shortened: pure functions that say what they changed."""

from dataclasses import replace

from ilsvrc.errors import SpecError
from ilsvrc.spec import AreaCrop, Augmentation, CenterSquare, Cosine, Crops, RandomCrop, Recipe, ShortSide, TenCrop


def at_size(recipe: Recipe, size: int) -> Recipe:
    """The recipe with every length of its augmentation scaled so that it ends in crops of `size` pixels."""
    crops = [step.size for step in recipe.augment if isinstance(step, RandomCrop | TenCrop | AreaCrop)]
    if not crops or crops[-1] == size:
        return recipe
    scale = size / crops[-1]
    augment = tuple(_scaled(step, scale) for step in recipe.augment)
    return replace(recipe, augment=augment, gaps=(*recipe.gaps, f"images of {size} instead of {crops[-1]} pixels"))


def scaled(recipe: Recipe, batch: int) -> Recipe:
    """The recipe with updates of `batch` images and the rate in proportion (Goyal et al. 2017: the linear rule).

    Raises SpecError unless batch is at least 1.
    """
    if batch < 1:
        raise SpecError(f"a batch of {batch} images is asked for; an update takes at least 1")
    if batch == recipe.batch:
        return recipe
    optimizer = replace(recipe.optimizer, lr=recipe.optimizer.lr * batch / recipe.batch)
    change = (
        f"batch {batch} instead of {recipe.batch}, and the rate {optimizer.lr:g} instead of {recipe.optimizer.lr:g}"
    )
    return replace(recipe, batch=batch, optimizer=optimizer, gaps=(*recipe.gaps, change))


def protocol_at_size(protocol: Crops, size: int) -> Crops:
    """The protocol with every length scaled so that it cuts squares of `size` pixels."""
    if protocol.size == size:
        return protocol
    sides = tuple(max(size, round(side * size / protocol.size)) for side in protocol.short_sides)
    return replace(protocol, size=size, short_sides=sides)


def check(recipe: Recipe) -> None:
    """Raise SpecError when the recipe contradicts itself."""
    if recipe.epochs <= 0 or recipe.batch < 1:
        raise SpecError(f"a recipe has {recipe.epochs} epochs of batches of {recipe.batch}; both must be at least 1")
    if recipe.optimizer.lr <= 0:
        raise SpecError(f"a recipe has a learning rate of {recipe.optimizer.lr}; it must be above 0")
    if recipe.optimizer.nesterov and recipe.optimizer.rate_inside:
        raise SpecError(
            "a recipe asks for Nesterov momentum with the rate inside the velocity, which is not defined here; "
            "give its SGD rate_inside=False"
        )
    if isinstance(recipe.schedule, Cosine) and recipe.schedule.warmup >= recipe.epochs:
        raise SpecError(
            f"a recipe warms up for {recipe.schedule.warmup:g} of {recipe.epochs:g} epochs; leave some to train in"
        )


def _scaled(step: Augmentation, scale: float) -> Augmentation:
    match step:
        case ShortSide(low, high):
            return ShortSide(round(low * scale), round(high * scale))
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
