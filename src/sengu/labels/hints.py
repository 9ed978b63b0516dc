"""Page tags and devices -> words that count where no sheet says anything."""

from collections.abc import Mapping

import pandas as pd


def from_tags(captures: pd.DataFrame, index: pd.DataFrame, tags: Mapping[str, int]) -> pd.DataFrame:
    """objectId, value, source for every listed tag of every page on which an object was seen."""
    captures = captures if tags else captures.iloc[:0]
    seen = index[["site", "objectId", "urlId"]].merge(captures[["site", "urlId", "page", "tags"]], on=["site", "urlId"])
    single = seen.assign(tag=seen["tags"].str.split("|")).explode("tag")
    single = single[single["tag"].isin(list(tags))]
    return pd.DataFrame(
        {"objectId": single["objectId"], "value": single["tag"].map(tags).astype("int64"), "source": single["page"]}
    ).drop_duplicates()


def from_devices(captures: pd.DataFrame, index: pd.DataFrame, devices: Mapping[str, int]) -> pd.DataFrame:
    """objectId, value, source for every object that a listed device took."""
    taken = captures.loc[captures["device"].isin(list(devices)), ["site", "urlId", "device"]]
    seen = index[["site", "objectId", "urlId"]].merge(taken, on=["site", "urlId"])
    return pd.DataFrame(
        {"objectId": seen["objectId"], "value": seen["device"].map(devices).astype("int64"), "source": seen["device"]}
    ).drop_duplicates()
