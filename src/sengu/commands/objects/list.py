"""`sengu objects list`: the objects that meet a condition over index, captures and labels."""

import click
import pandas as pd

from sengu.base import params, tables
from sengu.base.names import cell
from sengu.base.tables import where
from sengu.commands import places

KEYS = ("site", "urlId", "objectId")


def known() -> pd.DataFrame:
    """A row for each object and place where it was seen: the columns of index and captures, its value and its label.

    An object without a label has value -1 and an empty label.
    """
    sites = params.site_names()
    index = tables.read_sites(places.INDEX, sites, tables.IndexRow)
    captures = tables.read_sites(places.CAPTURES, sites, tables.Capture)
    labels = tables.read(places.LABEL, tables.Label) if places.LABEL.is_file() else tables.empty(tables.Label)
    classes = dict(enumerate(params.section("label", params.LabelParams).classes))
    return where.joined([index, captures, labels.assign(label=labels["value"].map(classes).astype("str"))], KEYS)


@click.command("list")
@click.option("--where", "text", default="", help="A condition, such as \"site == 'x' and width >= 224 and 'cat' in tags\".")
@click.option("--columns", default="", help="Columns to print beside the object id, joined by commas.")
def list_command(text: str, columns: str) -> None:
    """Print the objects that meet a condition, one per line. One place where an object was seen is enough.

    An unknown column is an error that names the known ones.
    """
    table = known()
    if text:
        table = table[where.parse(text).of(table)]
    names = [name for name in columns.split(",") if name]
    for name in names:
        where.parse(f"{name} == {name}").of(table)  # with its error
    for row in table[["objectId", *names]].drop_duplicates().sort_values(["objectId", *names]).itertuples(index=False):
        click.echo("\t".join(cell(str(value)) for value in row))
