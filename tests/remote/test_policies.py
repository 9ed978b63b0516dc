"""Bucket policies and lifecycle rules as values."""

import json

import pytest

from sengu.base import params
from sengu.remote import policies

PRICES = params.Prices(
    classes={
        "STANDARD": params.StoragePrice(month=0.023),
        "GLACIER_IR": params.StoragePrice(month=0.004, transition=0.02, floor=128_000),
        "DEEP_ARCHIVE": params.StoragePrice(month=0.001, transition=0.05),
    }
)


def test_the_whole_policy_as_values() -> None:
    policy = params.Bucket(keep_versions=30, abort_uploads=3, tags={"b": "2", "a": "1"})
    asked = policies.wanted(policy, "bucket", "pre/", [params.Tiering(remote="cold", to="GLACIER_IR", after=60)])
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]}
    on = {"Status": "Enabled", "Filter": {"Prefix": "pre/"}}
    assert asked == {
        "versioning": "Enabled",
        "public access": {
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
        "encryption": {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        "policy": [{"Sid": "sengu-tls", **deny, "Condition": {"Bool": {"aws:SecureTransport": "false"}}}],
        "tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
        "lifecycle": [
            {"ID": "sengu-uploads", **on, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}},
            {
                "ID": "sengu-versions",
                **on,
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
                "Expiration": {"ExpiredObjectDeleteMarker": True},
            },
            {"ID": "sengu-glacier-ir", **on, "Transitions": [{"Days": 60, "StorageClass": "GLACIER_IR"}]},
        ],
    }


@pytest.mark.parametrize(
    ("entrances", "condition"),
    [
        ({"vpc_endpoints": ["vpce-1"]}, {"StringNotEquals": {"aws:SourceVpce": ["vpce-1"]}}),
        ({"address_ranges": ["198.51.100.0/24"]}, {"NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}}),
        (
            {"vpc_endpoints": ["vpce-1"], "address_ranges": ["198.51.100.0/24"]},
            {"StringNotEquals": {"aws:SourceVpce": ["vpce-1"]}, "NotIpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}},
        ),
    ],
)
def test_a_fixed_entrance_denies_what_comes_by_none_of_them(entrances, condition) -> None:
    statements = policies.statements(params.Bucket(tls_only=False, **entrances), "bucket")
    assert [one["Condition"] for one in statements] == [condition]


def test_what_others_have_set_stays_and_what_is_right_is_not_set_again() -> None:
    policy = params.Bucket(tags={"project": "sengu"})
    asked = policies.wanted(policy, "bucket", "")
    theirs = {"Sid": "theirs", "Effect": "Allow"}
    kept = {
        "versioning": "Off",
        "public access": asked["public access"],
        "encryption": {"Rules": [{**asked["encryption"]["Rules"][0], "BucketKeyEnabled": False}]},
        "policy": json.dumps({"Statement": [theirs]}),
        "tags": [{"Key": "team", "Value": "birds"}, {"Key": "project", "Value": "old"}],
        "lifecycle": [{"ID": "theirs", "Status": "Enabled"}, {"ID": "sengu-gone", "Status": "Enabled"}],
    }
    changes = {change.setting: change.value for change in policies.changes(kept, asked, policy)}
    assert set(changes) == {"versioning", "policy", "tags", "lifecycle"}
    assert json.loads(changes["policy"])["Statement"][0] == theirs
    assert changes["tags"] == [{"Key": "team", "Value": "birds"}, {"Key": "project", "Value": "sengu"}]
    assert [rule["ID"] for rule in changes["lifecycle"]] == ["theirs", "sengu-uploads", "sengu-versions"]
    converged = {**asked, "policy": changes["policy"], "tags": changes["tags"], "lifecycle": changes["lifecycle"]}
    assert policies.changes(converged, asked, policy) == []


def test_a_part_that_a_store_drops_is_named() -> None:
    rule = policies.lifecycle(params.Bucket(), "")[1]
    kept = {key: value for key, value in rule.items() if key != "NoncurrentVersionExpiration"}
    assert policies.missing_parts("lifecycle", [kept], [rule]) == ["sengu-versions: NoncurrentVersionExpiration"]


def test_a_rule_that_costs_more_than_it_saves_is_refused() -> None:
    rule = params.Tiering(remote="store", to="GLACIER_IR", after=30)
    small = policies.weighed(rule, [5_000] * 100_000, PRICES)
    assert small.saving < 0
    assert "costs 2.00 for the moves of 100000 objects" in policies.refusal(small, is_shared=False)
    large = policies.weighed(rule, [1_000_000_000] * 100, PRICES)
    assert policies.refusal(large, is_shared=False) == ""
    assert large.saving == pytest.approx(35 * 100 * (0.023 - 0.004))
    deep = policies.weighed(params.Tiering(remote="store", to="DEEP_ARCHIVE", after=30), [1_000_000_000] * 100, PRICES)
    assert "give archives a remote of their own" in policies.refusal(deep, is_shared=True)
    assert policies.refusal(deep, is_shared=False) == ""
