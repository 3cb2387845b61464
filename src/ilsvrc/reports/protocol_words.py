"""A test protocol in words, as a person would say it."""

from ilsvrc.entries.gains import VIEWS
from ilsvrc.spec import Crops, Dense, Protocol, Together

LAYOUTS = {
    "center": "one centre crop",
    "ten": "ten crops",
    "twelve": "twelve crops of the central square",
    "googlenet": "36 crops of three squares",
    "grid": "a 5 x 5 grid of crops and its mirrors",
}


def told(protocol: Protocol) -> str:
    """What is looked at and how it is averaged."""
    match protocol:
        case Crops():
            sides = ", ".join(map(str, protocol.short_sides))
            each = "each of " if len(protocol.short_sides) > 1 else ""
            side = "squares of" if protocol.warp else "short side"
            seen = f"{LAYOUTS[protocol.layout]} of {protocol.size} pixels from {each}{side} {sides}"
            return f"{seen}, {protocol.average} averaged"
        case Dense():
            sizes = [f"{height} x {width}" for height, width in protocol.sizes]
            at = ", ".join(sizes) if sizes else "short side " + ", ".join(map(str, protocol.short_sides))
            pools = f", {protocol.offsets} x {protocol.offsets} offsets of the last pooling" * (protocol.offsets > 1)
            mirror = " and its mirror" if protocol.mirror else ""
            return (
                f"the whole image{mirror} at {at}{pools}, "
                f"the {protocol.over} of the {protocol.places} over all places, {protocol.average} averaged"
            )
        case Together():
            return "; together with ".join(map(told, protocol.of)) + "; their probabilities averaged"


def brief(protocol: Protocol) -> str:
    """The same in two or three words, for a column: '10 crops of 224', 'dense at 256, 384, 512'."""
    match protocol:
        case Crops():
            views = VIEWS[protocol.layout] * len(protocol.short_sides)
            return f"{views} crop{'s' * (views > 1)} of {protocol.size}"
        case Dense():
            count = len(protocol.sizes)
            sides = ", ".join(map(str, protocol.short_sides)) or f"{count} size{'s' * (count > 1)}"
            return f"dense at {sides}" + ", pooling shifted" * (protocol.offsets > 1)
        case Together():
            return " and ".join(map(brief, protocol.of))
