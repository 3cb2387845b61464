"""What each winner did; one team and year per file, read beside the paper."""

from ilsvrc.entries import (
    clarifai_2013,
    googlenet_2014,
    msra_2015,
    resnext_2016,
    supervision_2012,
    vgg_2014,
    wmw_2017,
)
from ilsvrc.spec import Entry

ENTRIES: dict[str, Entry] = {
    "supervision-2012-cls": supervision_2012.CLASSIFICATION,
    "clarifai-2013-cls": clarifai_2013.CLASSIFICATION,
    "googlenet-2014-cls": googlenet_2014.CLASSIFICATION,
    "vgg-2014-cls": vgg_2014.CLASSIFICATION,
    "msra-2015-cls": msra_2015.CLASSIFICATION,
    "resnext-2016-cls": resnext_2016.CLASSIFICATION,
    "wmw-2017-cls": wmw_2017.CLASSIFICATION,
}
