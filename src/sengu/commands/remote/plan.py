"""params.yaml's remote.bucket and a bucket -> what `apply` would change, and what the rules cost and save."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.remote import configuration, pins, policies
from sengu.remote.checking import store_of
from sengu.remote.policies import Change
from sengu.remote.s3 import S3Store


@click.command("plan")
@click.option("--remote", "name", default="", help="A remote; by default the default one.")
def command(name: str) -> None:
    """Show what `sengu remote apply` would change in the bucket; exit with 1 if a rule is refused."""
    store, changes, refused = planned(name)
    for change in changes:
        click.echo(f"would {change.says}")
    for line in refused:
        click.echo(f"refused: {line}", err=True)
    if not changes:
        click.echo(f"{store.remote.url} is as params.yaml says")
    if refused:
        sys.exit(1)


def planned(name: str) -> tuple[S3Store, list[Change], list[str]]:
    """The bucket, the changes that it needs, and the refused rules with their reasons."""
    settings = params.remote()
    remote = configuration.named(name)
    if not remote.is_s3:
        raise SenguError(f"remote {remote.name!r} is {remote.url}, which is not a bucket: there is nothing to set there")
    store = store_of(remote)
    assert isinstance(store, S3Store)
    store.check()
    allowed, refused = _tiers(store, settings, remote.name)
    asked = policies.wanted(settings.bucket, store.bucket, store.prefix, allowed)
    endpoint = str(remote.options.get("endpointurl", ""))
    if settings.bucket.tls_only and endpoint.startswith("http://"):
        # the policy would lock this very machine out
        refused.append(
            f"{endpoint} has no TLS, so tls_only would lock you out: set remote.bucket.tls_only to false in params.yaml"
        )
        open_policy = policies.statements(replace(settings.bucket, tls_only=False), store.bucket)
        asked["policy"] = open_policy or None
    return store, policies.changes(store.settings(), asked, settings.bucket), refused


def _tiers(store: S3Store, settings: params.RemoteParams, name: str) -> tuple[list[params.Tiering], list[str]]:
    rules = policies.tiers_of(settings.bucket, name)
    if not rules:
        return [], []
    sizes = [stored.size for stored in store.objects()]
    named = {output.remote for output in pins.outputs(pins.Ref(pins.HERE, "tree"))}
    is_shared = name not in named or name == configuration.default_name()
    weighed = [policies.weighed(rule, sizes, settings.prices) for rule in rules]
    refused = [(tier.rule, policies.refusal(tier, is_shared)) for tier in weighed]
    return [rule for rule, why in refused if not why], [why for _, why in refused if why]


def ignored(changes: Sequence[Change], kept: Mapping[str, Any]) -> list[str]:
    """Settings that the store was given and does not keep."""
    lost = []
    for change in changes:
        want = json.loads(change.value)["Statement"] if change.setting == "policy" else change.value
        parts = policies.missing_parts(change.setting, kept.get(change.setting), want)
        lost += [f"{change.setting}: {part}" if part != change.setting else part for part in parts]
    return lost
