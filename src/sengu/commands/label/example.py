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
@click.option("--rule", required=True, help="The rule that it is an example of, such as R3.")
@click.option("--is", "value", required=True, help="The right class.")
@click.option("--was", default=None, help="The wrong one; by default what the label was, if that is another.")
@click.option("--why", required=True, help="The reason, in a few words.")
def command(object_id: str, name: str, rule: str, value: str, was: str | None, why: str) -> None:
    """Add the object ID to a rule as a worked example: what it was taken for, what it is, and why.

    The rule's hash stays as it is: an example explains a rule, and does not change it.
    """
    found = LabelSet.called(name)
    one = str(named(object_id, ObjectStore.below(places.TREES)))
    right = found.class_of(found.value_of(value))
    if was is None:
        labels = found.merged.labels
        before = labels.loc[labels["objectId"] == one, "value"]
        was = found.class_of(int(before.iloc[0])) if len(before) else ""
    else:
        was = found.class_of(found.value_of(was))
    if "\n" in why:
        raise SenguError("--why is one line")
    example = Example(one, right, was if was != right else "", why.strip(), 0)
    rules.add_example(found.folder, rule.upper(), example)
    click.echo(f"{found.folder / rules.FILE}: {rule.upper()}: {example}")
