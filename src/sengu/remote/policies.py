"""The section `remote.bucket` of params.yaml -> a bucket's settings, and the differences from its present ones. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sengu.base import params

SETTINGS = ("versioning", "public access", "encryption", "policy", "tags", "lifecycle")
PREFIX = "sengu-"  # of the ids of our rules and statements: others' are left alone
COLD = ("GLACIER", "DEEP_ARCHIVE")
YEARS = 3  # over which a rule must save more than it costs
GB = 1_000_000_000


@dataclass(frozen=True)
class Change:
    """A setting to change; `value` is the new value, in the form that the store takes."""

    setting: str
    value: Any
    says: str  # after "would" or, if it was done, after "the store keeps"


@dataclass(frozen=True)
class Tier:
    """The effect of one lifecycle rule: its cost and saving over YEARS, in the currency of the price list."""

    rule: params.Tiering
    objects: int
    size: int
    cost: float
    saving: float


def wanted(policy: params.Bucket, bucket: str, prefix: str, tiers: Sequence[params.Tiering] = ()) -> dict[str, Any]:
    """The least that each setting must hold; None where the policy does not ask for it."""
    blocks = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    return {
        "versioning": "Enabled" if policy.versioning else None,
        "public access": dict.fromkeys(blocks, True) if policy.block_public else None,
        "encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]} if policy.encrypt else None,
        "policy": statements(policy, bucket) or None,
        "tags": [{"Key": key, "Value": value} for key, value in sorted(policy.tags.items())] or None,
        "lifecycle": lifecycle(policy, prefix, tiers),
    }


def statements(policy: params.Bucket, bucket: str) -> list[dict[str, Any]]:
    """The statements of a bucket policy: TLS only, and a fixed entrance."""
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": arns}
    denials: list[dict[str, Any]] = []
    if policy.tls_only:
        denials.append({"Sid": f"{PREFIX}tls", **deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    entrance: dict[str, Any] = {}  # a denial needs every condition, so either entrance is enough
    if policy.vpc_endpoints:
        entrance["StringNotEquals"] = {"aws:SourceVpce": policy.vpc_endpoints}
    if policy.address_ranges:
        entrance["NotIpAddress"] = {"aws:SourceIp": policy.address_ranges}
    if entrance:
        denials.append({"Sid": f"{PREFIX}entrance", **deny, "Condition": entrance})
    return denials


def lifecycle(policy: params.Bucket, prefix: str, tiers: Sequence[params.Tiering] = ()) -> list[dict[str, Any]]:
    """The lifecycle rules: old versions expire, unfinished uploads are aborted, archives move to a cheaper class."""
    on = {"Status": "Enabled", "Filter": {"Prefix": prefix}}
    rules: list[dict[str, Any]] = [
        {"ID": f"{PREFIX}uploads", **on, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": policy.abort_uploads}}
    ]
    if policy.versioning:
        old = {"NoncurrentDays": policy.keep_versions}
        markers = {"ExpiredObjectDeleteMarker": True}
        rules.append({"ID": f"{PREFIX}versions", **on, "NoncurrentVersionExpiration": old, "Expiration": markers})
    for tier in tiers:
        move = [{"Days": tier.after, "StorageClass": tier.to}]
        rules.append({"ID": f"{PREFIX}{tier.to.lower().replace('_', '-')}", **on, "Transitions": move})
    return rules


def changes(kept: Mapping[str, Any], asked: Mapping[str, Any], policy: params.Bucket) -> list[Change]:
    """Changes that bring the bucket to at least what is asked; settings of others stay."""
    needed = []
    for setting in SETTINGS:
        want, have = asked[setting], kept.get(setting)
        if want is None or not missing_parts(setting, have, want):
            continue
        needed.append(Change(setting, _merged(setting, have, want), _says(setting, want, policy)))
    return needed


def missing_parts(setting: str, have: Any, want: Any) -> list[str]:
    """The parts of a setting that a store does not keep as asked; empty if it does."""
    if setting == "policy":
        kept = {item.get("Sid"): item for item in json.loads(have or "{}").get("Statement", [])}
        return [item["Sid"] for item in want if not _covers(kept.get(item["Sid"]), item)]
    if setting == "lifecycle":
        kept = {item.get("ID"): item for item in have or []}
        parts = []
        for rule in want:
            known = kept.get(rule["ID"])
            if known is None or not _covers({**known, "Filter": _filter(known)}, rule):
                keys = [key for key in rule if known is not None and key != "Filter" and not _covers(known.get(key), rule[key])]
                parts.append(f"{rule['ID']}{': ' + ', '.join(keys) if keys else ''}")
        return parts
    if setting == "tags":
        kept = {tag["Key"]: tag["Value"] for tag in have or []}
        return [tag["Key"] for tag in want if kept.get(tag["Key"]) != tag["Value"]]
    return [] if _covers(have, want) else [setting]


def tiers_of(policy: params.Bucket, remote: str) -> list[params.Tiering]:
    return [tier for tier in policy.tiering if tier.remote == remote]


def weighed(rule: params.Tiering, sizes: Sequence[int], prices: params.Prices) -> Tier:
    """The cost and saving of a rule over YEARS for objects of these sizes."""
    now, then = (
        prices.classes.get("STANDARD", params.StoragePrice(month=0)),
        prices.classes.get(rule.to, params.StoragePrice(month=0)),
    )
    months = max(0.0, 12 * YEARS - rule.after / 30)
    charged = sum(max(size, then.floor) for size in sizes)
    before = months * (sum(sizes) / GB * now.month + len(sizes) / 1000 * now.objects)
    after = months * (charged / GB * then.month + len(sizes) / 1000 * then.objects)
    return Tier(rule, len(sizes), sum(sizes), len(sizes) / 1000 * then.transition, before - after)


def refusal(tier: Tier, is_shared: bool) -> str:
    """The reason for refusing a rule; empty if it may be set."""
    if is_shared and tier.rule.to in COLD:
        return (
            f"{tier.rule.to} needs hours before a `dvc pull`, and lifecycle rules go by prefix, so everything in remote "
            f"{tier.rule.remote!r} would turn cold: give archives a remote of their own, see docs/remote.md"
        )
    if tier.saving <= tier.cost:
        return (
            f"{tier.rule.to} after {tier.rule.after} days costs {tier.cost:.2f} for the moves of {tier.objects} objects and "
            f"saves {tier.saving:.2f} in {YEARS} years: take it out of remote.bucket.tiering in params.yaml"
        )
    return ""


def _covers(have: Any, want: Any) -> bool:
    """True if a value holds at least what is asked. Stores add keys of their own."""
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(_covers(have.get(key), value) for key, value in want.items())
    if isinstance(want, list):
        if isinstance(have, str):
            have = [have]  # AWS unpacks lists of one
        return isinstance(have, list) and len(have) == len(want) and all(any(_covers(h, w) for h in have) for w in want)
    return bool(have == want)


def _filter(rule: Mapping[str, Any]) -> dict[str, str]:
    return {"Prefix": rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))}


def _merged(setting: str, have: Any, want: Any) -> Any:
    if setting == "policy":
        others = [
            item for item in json.loads(have or "{}").get("Statement", []) if not str(item.get("Sid", "")).startswith(PREFIX)
        ]
        return json.dumps({"Version": "2012-10-17", "Statement": others + want})
    if setting == "lifecycle":
        return [item for item in have or [] if not str(item.get("ID", "")).startswith(PREFIX)] + want
    if setting == "tags":
        names = {tag["Key"] for tag in want}
        return [tag for tag in have or [] if tag["Key"] not in names] + want
    return want


def _says(setting: str, want: Any, policy: params.Bucket) -> str:
    if setting == "versioning":
        return "keep old versions of objects (versioning)"
    if setting == "public access":
        return "block public access"
    if setting == "encryption":
        return "encrypt with SSE-S3, whose ETags stay MD5s"
    if setting == "policy":
        parts = []
        if policy.tls_only:
            parts.append("requests without TLS")
        if policy.vpc_endpoints or policy.address_ranges:
            parts.append(f"requests that come from elsewhere than {', '.join([*policy.vpc_endpoints, *policy.address_ranges])}")
        return f"deny {' and '.join(parts)}"
    if setting == "tags":
        return "tag the bucket " + ", ".join(f"{tag['Key']}={tag['Value']}" for tag in want)
    return "; ".join(_rule_says(rule) for rule in want)


def _rule_says(rule: Mapping[str, Any]) -> str:
    if "AbortIncompleteMultipartUpload" in rule:
        return f"abort unfinished uploads after {rule['AbortIncompleteMultipartUpload']['DaysAfterInitiation']} days"
    if "NoncurrentVersionExpiration" in rule:
        return f"expire old versions after {rule['NoncurrentVersionExpiration']['NoncurrentDays']} days"
    move = rule["Transitions"][0]
    return f"move objects to {move['StorageClass']} after {move['Days']} days"
