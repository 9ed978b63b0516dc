"""Page tags and devices -> labels for objects without a line in a sheet."""

from collections.abc import Collection, Mapping

import pandas as pd

from sengu.base import tables


def from_tags(captures: pd.DataFrame, index: pd.DataFrame, tags: Mapping[str, int]) -> pd.DataFrame:
    """The objectId, value and source of every listed tag of every page on which an object was seen."""
    captures = captures if tags else captures.iloc[:0]
    seen = index[["site", "objectId", "urlId"]].merge(captures[["site", "urlId", "page", "tags"]], on=["site", "urlId"])
    single = seen.assign(tag=seen["tags"].str.split("|")).explode("tag")
    single = single[single["tag"].isin(list(tags))]
    return pd.DataFrame(
        {"objectId": single["objectId"], "value": single["tag"].map(tags).astype("int64"), "source": single["page"]}
    ).drop_duplicates()


def without_meaning(captures: pd.DataFrame, index: pd.DataFrame, labelled: pd.Series, tags: Collection[str]) -> pd.Series:
    """Tags of unlabelled objects that mean no class -> how many of these objects have them.

    Objects with a tag that means a class are left out: their sources disagree, which is reported elsewhere.
    """
    tagged = captures.loc[captures["tags"] != "", ["site", "urlId", "tags"]]
    seen = index[["site", "objectId", "urlId"]].merge(tagged, on=["site", "urlId"])
    seen = seen[~tables.among(seen["objectId"], labelled)]
    single = seen.assign(tag=seen["tags"].str.split("|")).explode("tag")[["objectId", "tag"]].drop_duplicates()
    single = single[(single["tag"] != "") & ~single["objectId"].isin(single.loc[single["tag"].isin(list(tags)), "objectId"])]
    counts: pd.Series = single.groupby("tag")["objectId"].nunique().sort_values(ascending=False, kind="stable")
    return counts


def from_devices(captures: pd.DataFrame, index: pd.DataFrame, devices: Mapping[str, int]) -> pd.DataFrame:
    """The objectId, value and source of every object that a listed device took."""
    taken = captures.loc[captures["device"].isin(list(devices)), ["site", "urlId", "device"]]
    seen = index[["site", "objectId", "urlId"]].merge(taken, on=["site", "urlId"])
    return pd.DataFrame(
        {"objectId": seen["objectId"], "value": seen["device"].map(devices).astype("int64"), "source": seen["device"]}
    ).drop_duplicates()
