"""`sengu label example ID`: a reviewer's correction -> a worked example in RULES.md."""

import click

from sengu.base.errors import SenguError
from sengu.commands import places
from sengu.commands.label.label_set import LabelSet, option
from sengu.commands.objects.find import named
from sengu.labels import rules
from sengu.labels.rules import Example
from sengu.objects.store import ObjectStore


@click.command("example")
@click.argument("object_id", metavar="ID")
@option
@click.option("--rule", required=True, help="The rule that it illustrates, such as R3.")
@click.option("--is", "value", required=True, help="The right class.")
@click.option("--was", default=None, help="The wrong class; by default its present label, if that differs.")
@click.option("--why", required=True, help="The reason, in a few words.")
def command(object_id: str, name: str, rule: str, value: str, was: str | None, why: str) -> None:
    """Add the object ID to a rule as a worked example: its wrong class, its right class, and the reason.

    The rule's hash stays the same: an example explains a rule, and does not change it.
    """
    label_set = LabelSet.called(name)
    picture = str(named(object_id, ObjectStore.below(places.TREES)))
    right = label_set.class_of(label_set.value_of(value))
    if was is None:
        labels = label_set.merged.labels
        before = labels.loc[labels["objectId"] == picture, "value"]
        was = label_set.class_of(int(before.iloc[0])) if len(before) else ""
    else:
        was = label_set.class_of(label_set.value_of(was))
    if "\n" in why:
        raise SenguError("--why is one line")
    example = Example(picture, right, was if was != right else "", why.strip(), 0)
    rules.add_example(label_set.folder, rule.upper(), example)
    click.echo(f"{label_set.folder / rules.FILE}: {rule.upper()}: {example}")
