"""The winners before the networks, oldest first: key -> entry."""

from ilsvrc.entries import nec_2010, xrce_2011
from ilsvrc.entries.earlier import Earlier

BEFORE: dict[str, Earlier] = {
    "nec-2010-cls": nec_2010.CLASSIFICATION,
    "xrce-2011-cls": xrce_2011.CLASSIFICATION,
}
