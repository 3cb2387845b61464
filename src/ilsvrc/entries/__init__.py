"""What each team did; one team and year per file, read beside the paper.

ENTRIES are what was entered in the challenge, ROWS the rows of the papers' tables of results.
"""

from ilsvrc.entries import (
    clarifai_2013,
    dpn_2017,
    facebook_2016,
    googlenet_2014,
    inception_2015,
    inception_2016,
    msra_2015,
    overfeat_2013,
    preresnet_2016,
    resnext_2016,
    supervision_2012,
    trimps_2016,
    vgg_2014,
    wideresnet_2016,
    wmw_2017,
)
from ilsvrc.spec import Entry

ENTRIES: dict[str, Entry] = {
    "supervision-2012-cls": supervision_2012.CLASSIFICATION,
    "supervision-2012-cls-seven": supervision_2012.SEVEN,
    "supervision-2012-loc": supervision_2012.LOCALIZATION,
    "clarifai-2013-cls": clarifai_2013.CLASSIFICATION,
    "clarifai-2013-cls-outside": clarifai_2013.OUTSIDE,
    "zf-2013-cls": clarifai_2013.ZF,
    "overfeat-2013-cls": overfeat_2013.CLASSIFICATION,
    "overfeat-2013-loc": overfeat_2013.LOCALIZATION,
    "googlenet-2014-cls": googlenet_2014.CLASSIFICATION,
    "googlenet-2014-loc": googlenet_2014.LOCALIZATION,
    "googlenet-2014-det": googlenet_2014.DETECTION,
    "vgg-2014-cls": vgg_2014.CLASSIFICATION,
    "vgg-2014-loc": vgg_2014.LOCALIZATION,
    "msra-2015-cls": msra_2015.CLASSIFICATION,
    "msra-2015-loc": msra_2015.LOCALIZATION,
    "msra-2015-det": msra_2015.DETECTION,
    "reception-2015-cls": inception_2015.RECEPTION,
    "trimps-2016-cls": trimps_2016.CLASSIFICATION,
    "trimps-2016-loc": trimps_2016.LOCALIZATION,
    "resnext-2016-cls": resnext_2016.CLASSIFICATION,
    "wmw-2017-cls": wmw_2017.CLASSIFICATION,
}
ROWS: dict[str, Entry] = {
    row.key: row
    for rows in (
        supervision_2012.ROWS,
        clarifai_2013.ROWS,
        overfeat_2013.ROWS,
        supervision_2012.REPLICAS,
        googlenet_2014.REPLICAS,
        googlenet_2014.ROWS,
        vgg_2014.ROWS,
        inception_2015.BN_ROWS,
        msra_2015.ROWS,
        inception_2015.ROWS,
        inception_2016.ROWS,
        facebook_2016.ROWS,
        preresnet_2016.ROWS,
        wideresnet_2016.ROWS,
        resnext_2016.ROWS,
        trimps_2016.ROWS,
        dpn_2017.ROWS,
        wmw_2017.ROWS,
    )
    for row in rows
}
