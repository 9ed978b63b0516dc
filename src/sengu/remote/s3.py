"""A remote that is a bucket: the only module of the commands that talks to S3."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)

from sengu.base.errors import SenguError
from sengu.remote import stored
from sengu.remote.configuration import Remote
from sengu.remote.stored import OldVersion, Stored

CHUNK = 1 << 20
ONE_PART = 50 * 1024 * 1024  # DVC's part size: smaller objects go up in one part, and their ETag is their MD5
COPY_LIMIT = 5 * 1024**3  # bytes that S3 copies by one request
DELETED_AT_ONCE = 1000
MISSING = ("404", "NoSuchKey", "NotFound")
# error codes of S3 -> what to do
CURES = {
    "NoSuchBucket": "there is no such bucket: make it, or correct the address with `sengu remote init s3://BUCKET/PREFIX`",
    "AccessDenied": "the credentials may not do this: ask the owner of the bucket, docs/remote.md lists what is needed",
    "403": "the credentials may not do this: ask the owner of the bucket, docs/remote.md lists what is needed",
    "InvalidAccessKeyId": "the access key is not known there: set AWS_ACCESS_KEY_ID, or the profile in .dvc/config.local",
    "SignatureDoesNotMatch": "the secret does not fit the access key: set AWS_SECRET_ACCESS_KEY again",
    "ExpiredToken": "the session has ended: log in again",
    "PermanentRedirect": "the bucket is in another region: `sengu remote init --region REGION`",
    "301": "the bucket is in another region: `sengu remote init --region REGION`",
    "AuthorizationHeaderMalformed": "the bucket is in another region: `sengu remote init --region REGION`",
    "IllegalLocationConstraintException": "the bucket is in another region: `sengu remote init --region REGION`",
    "InvalidObjectState": "the object is cold: request it with `sengu remote thaw PATH`",
    "SlowDown": "the store asks for a pause: try again later",
    "503": "the store is overloaded or down: try again later",
    "500": "the store has an error of its own: try again later",
    "InternalError": "the store has an error of its own: try again later",
}


class S3Store:
    """The objects of a remote below s3://bucket/prefix; every error is a SenguError that names the address and a cure."""

    def __init__(self, remote: Remote):
        self.remote, self.bucket, self.prefix = remote, remote.bucket, remote.prefix
        self.requests, self.bytes_read = 0, 0
        options = remote.options
        with self._explained():
            session = boto3.Session(
                profile_name=options.get("profile"),
                region_name=options.get("region"),
                aws_access_key_id=options.get("access_key_id"),
                aws_secret_access_key=options.get("secret_access_key"),
                aws_session_token=options.get("session_token"),
            )
            # some S3-compatible stores do not know the checksums that boto3 sends and requests by default
            config = Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                retries={"mode": "standard", "max_attempts": 5},
                connect_timeout=int(options.get("connect_timeout", 10)),
                read_timeout=int(options.get("read_timeout", 60)),
            )
            verify = options.get("ssl_verify")
            verify = (
                None if verify is None or str(verify).lower() == "true" else False if str(verify).lower() == "false" else verify
            )
            self.client: Any = session.client("s3", endpoint_url=options.get("endpointurl") or None, config=config, verify=verify)
        self.client.meta.events.register("before-send.s3", self._count)
        self._versioned: bool | None = None

    def check(self) -> None:
        """Raises SenguError if the bucket cannot be listed."""
        with self._explained():
            self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)

    @property
    def keeps_versions(self) -> bool:
        if self._versioned is None:
            with self._explained():
                self._versioned = self.client.get_bucket_versioning(Bucket=self.bucket).get("Status") == "Enabled"
        return self._versioned

    def objects(self) -> Iterator[Stored]:
        """Every object of DVC, with one request per thousand."""
        with self._explained():
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix}{stored.FILES}/"
            )
            for page in pages:
                for item in page.get("Contents", []):
                    if oid := stored.oid(item["Key"]):
                        yield Stored(
                            oid,
                            item["Size"],
                            item["ETag"].strip('"'),
                            item.get("StorageClass", "STANDARD"),
                            item["LastModified"].timestamp(),
                            item["ETag"].strip('"'),
                        )

    def head(self, oid: str) -> Stored | None:
        """One object; its class is cold only as long as it is not restored. None if it is missing."""
        try:
            answer = self.client.head_object(Bucket=self.bucket, Key=self._key(oid))
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            with self._explained():
                raise
        except BotoCoreError:
            with self._explained():
                raise
        etag = answer["ETag"].strip('"')
        storage_class, modified = answer.get("StorageClass", "STANDARD"), answer["LastModified"].timestamp()
        kept = Stored(oid, answer["ContentLength"], etag, storage_class, modified, etag)
        if 'ongoing-request="false"' in answer.get("Restore", ""):
            return replace(kept, storage_class="RESTORED")
        if answer.get("ArchiveStatus"):  # of Intelligent-Tiering
            return replace(kept, storage_class="GLACIER")
        return kept

    def is_kms(self, oid: str) -> bool:
        """True if an object is encrypted in a way that hides its MD5."""
        with self._explained():
            answer = self.client.head_object(Bucket=self.bucket, Key=self._key(oid))
            return str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")

    def restoring(self, oid: str) -> str:
        """The state of a cold object's restore, as S3 words it; empty if none was requested."""
        with self._explained():
            return str(self.client.head_object(Bucket=self.bucket, Key=self._key(oid)).get("Restore", ""))

    def thaw(self, oid: str, days: int, tier: str) -> None:
        """Requests a restore of a cold object."""
        try:
            self.client.restore_object(
                Bucket=self.bucket, Key=self._key(oid), RestoreRequest={"Days": days, "GlacierJobParameters": {"Tier": tier}}
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "RestoreAlreadyInProgress":
                return
            with self._explained():
                raise

    def versions(self) -> Iterator[OldVersion]:
        """Every version of every object of DVC, with deletions, with one request per thousand."""
        with self._explained():
            pages = self.client.get_paginator("list_object_versions").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix}{stored.FILES}/"
            )
            for page in pages:
                for item in page.get("Versions", []):
                    if oid := stored.oid(item["Key"]):
                        etag, time = item["ETag"].strip('"'), item["LastModified"].timestamp()
                        yield OldVersion(oid, item["VersionId"], etag, item["Size"], time, item["IsLatest"])
                for item in page.get("DeleteMarkers", []):
                    if oid := stored.oid(item["Key"]):
                        time = item["LastModified"].timestamp()
                        yield OldVersion(oid, item["VersionId"], "", 0, time, item["IsLatest"], is_deletion=True)

    def chunks(self, oid: str, version: str = "") -> Iterator[bytes]:
        """The content of an object, or of an old version of it."""
        options = {"VersionId": version} if version else {}
        with self._explained():
            body = self.client.get_object(Bucket=self.bucket, Key=self._key(oid), **options)["Body"]
            for chunk in body.iter_chunks(CHUNK):
                self.bytes_read += len(chunk)
                yield chunk

    def unfinished(self) -> list[int]:
        """The bytes of each multipart upload that was neither completed nor aborted: it is not an object, but is billed."""
        with self._explained():
            begun = self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=f"{self.prefix}{stored.FILES}/"
            )
            uploads = [upload for page in begun for upload in page.get("Uploads", [])]
            return [self._size_of_parts(upload["Key"], upload["UploadId"]) for upload in uploads]

    def _size_of_parts(self, key: str, upload_id: str) -> int:
        pages = self.client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=upload_id)
        return sum(part["Size"] for page in pages for part in page.get("Parts", []))

    def write(self, oid: str, path: Path) -> None:
        """Puts a file in the place of an object, in the parts that DVC makes."""
        config = TransferConfig(multipart_threshold=2 * ONE_PART, multipart_chunksize=ONE_PART)
        with self._explained():
            self.client.upload_file(str(path), self.bucket, self._key(oid), Config=config)

    def write_version(self, version: OldVersion) -> None:
        """Makes an old version of an object the current one, within S3."""
        source = {"Bucket": self.bucket, "Key": self._key(version.oid), "VersionId": version.version}
        with self._explained():
            if version.size < COPY_LIMIT and "-" not in version.etag:
                self.client.copy_object(Bucket=self.bucket, Key=self._key(version.oid), CopySource=source)
            else:
                config = TransferConfig(multipart_threshold=2 * ONE_PART, multipart_chunksize=ONE_PART)
                self.client.copy(source, self.bucket, self._key(version.oid), Config=config)

    def delete(self, oid: str) -> None:
        with self._explained():
            self.client.delete_object(Bucket=self.bucket, Key=self._key(oid))

    def forget(self, oids: Collection[str]) -> int:
        """Deletes objects with all their versions; returns how many versions went."""
        return sum(self._forget_below(self._key(oid), exactly=True) for oid in oids)

    def publish(self, name: str, data: bytes, content_type: str) -> None:
        """Puts a file of the catalogue beside DVC's."""
        with self._explained():
            self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data, ContentType=content_type)

    def published(self, prefix: str) -> list[str]:
        """The names of the catalogue's files that begin so, deleted ones too, of which old versions may be left."""
        with self._explained():
            pages = self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
            names = {item["Key"][len(self.prefix) :] for page in pages for item in page.get("Versions", [])}
        return sorted(name for name in names if not name.startswith("files/"))

    def withdraw(self, names: Collection[str]) -> None:
        """Deletes files of the catalogue with all their versions: they may show pictures."""
        for name in names:
            self._forget_below(self.prefix + name, exactly=True)

    def read_published(self, name: str) -> bytes | None:
        try:
            return bytes(self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read())
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            with self._explained():
                raise

    def device(self) -> str:
        """The bucket: two copies in one bucket are not independent."""
        return f"bucket {self.bucket} at {self.remote.options.get('endpointurl', 'AWS')}"

    # the settings of the bucket

    def settings(self) -> dict[str, Any]:
        """The bucket's value of everything that policies.wanted sets; None for what is not set or not known there."""
        with self._explained():
            return {
                "versioning": self.client.get_bucket_versioning(Bucket=self.bucket).get("Status", "Off"),
                "public access": self._get("get_public_access_block", "PublicAccessBlockConfiguration"),
                "encryption": self._get("get_bucket_encryption", "ServerSideEncryptionConfiguration"),
                "policy": self._get("get_bucket_policy", "Policy"),
                "tags": self._get("get_bucket_tagging", "TagSet"),
                "lifecycle": self._get("get_bucket_lifecycle_configuration", "Rules"),
            }

    def set(self, setting: str, value: Any) -> None:
        """Sets one of the settings, in the form of `settings`; None takes it away."""
        bucket = {"Bucket": self.bucket}
        with self._explained():
            if setting == "versioning":
                self.client.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": value})
                self._versioned = None
            elif setting == "public access":
                self.client.put_public_access_block(**bucket, PublicAccessBlockConfiguration=value)
            elif setting == "encryption":
                self.client.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration=value)
            elif setting == "policy":
                self.client.put_bucket_policy(**bucket, Policy=value)
            elif setting == "tags":
                self.client.put_bucket_tagging(**bucket, Tagging={"TagSet": value})
            elif value:
                self.client.put_bucket_lifecycle_configuration(**bucket, LifecycleConfiguration={"Rules": value})
            else:
                self.client.delete_bucket_lifecycle(**bucket)

    def probe(self, name: str) -> "Probe":
        return Probe(self, self.prefix + name)

    def _get(self, operation: str, key: str) -> Any:
        try:
            return getattr(self.client, operation)(Bucket=self.bucket)[key]
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            # such as NoSuchLifecycleConfiguration; or a store that has no such thing
            if code != "NoSuchBucket" and (
                code.startswith("NoSuch") or "NotFound" in code or code in ("NotImplemented", "MethodNotAllowed")
            ):
                return None
            raise

    def _forget_below(self, prefix: str, exactly: bool) -> int:
        doomed: list[dict[str, str]] = []
        with self._explained():
            for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix):
                for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                    if not exactly or item["Key"] == prefix:
                        doomed.append({"Key": item["Key"], "VersionId": item["VersionId"]})
            for start in range(0, len(doomed), DELETED_AT_ONCE):
                part = doomed[start : start + DELETED_AT_ONCE]
                answer = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": part, "Quiet": True})
                for error in answer.get("Errors", []):
                    raise SenguError(f"s3://{self.bucket}/{error['Key']} cannot be deleted: {error.get('Message')}")
        return len(doomed)

    def _key(self, oid: str) -> str:
        return self.prefix + stored.key(oid)

    def _count(self, **_: Any) -> None:
        self.requests += 1

    @contextmanager
    def _explained(self) -> Iterator[None]:
        url = self.remote.url
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise SenguError(f"{url}: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE") from error
        except ProfileNotFound as error:
            raise SenguError(f"{url}: {error}: correct the profile with `sengu remote init --profile NAME`") from error
        except NoRegionError as error:
            raise SenguError(f"{url}: no region: set AWS_DEFAULT_REGION, or `sengu remote init --region REGION`") from error
        except (EndpointConnectionError, ConnectTimeoutError, ReadTimeoutError) as error:
            place = self.remote.options.get("endpointurl") or "S3"
            raise SenguError(f"{url}: {place} does not answer: check the network and the address, and try again") from error
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            said = error.response.get("Error", {}).get("Message", str(error))
            raise SenguError(f"{url}: {code}: {said}: {CURES.get(code, 'see docs/remote.md')}") from error
        except BotoCoreError as error:
            raise SenguError(f"{url}: {error}: see docs/remote.md") from error


class Probe:
    """A probe object beside DVC's, to try the abilities of a store; each step raises SenguError."""

    def __init__(self, store: S3Store, key: str):
        self.store, self.key = store, key

    def write(self, data: bytes, **options: Any) -> None:
        with self.store._explained():
            self.store.client.put_object(Bucket=self.store.bucket, Key=self.key, Body=data, **options)

    def read(self) -> bytes:
        with self.store._explained():
            return bytes(self.store.client.get_object(Bucket=self.store.bucket, Key=self.key)["Body"].read())

    def etag(self) -> str:
        with self.store._explained():
            return str(self.store.client.head_object(Bucket=self.store.bucket, Key=self.key)["ETag"]).strip('"')

    def version_count(self) -> int:
        with self.store._explained():
            answer = self.store.client.list_object_versions(Bucket=self.store.bucket, Prefix=self.key)
            return len(answer.get("Versions", []))

    def remove(self) -> int:
        return self.store._forget_below(self.key, exactly=True)


class Prefix:
    """The objects below the address of an `s3` site; credentials and region come from AWS_* variables."""

    def __init__(self, url: str, endpoint: str):
        parts = urlsplit(url)
        self.bucket, self.prefix = parts.netloc, unquote(parts.path.lstrip("/"))
        config = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
        self._client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=config)

    def read(self, name: str) -> bytes | None:
        """The bytes of an object; None if there is none. Raises SenguError if the bucket does not answer."""
        try:
            return bytes(self._client.get_object(Bucket=self.bucket, Key=self._key(name))["Body"].read())
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise SenguError(f"s3://{self.bucket} cannot be read: {error}: look at the AWS_* variables") from error
        except BotoCoreError as error:
            raise SenguError(f"s3://{self.bucket} cannot be reached: {error}: look at the address of the site") from error

    def add(self, name: str, data: bytes) -> None:
        """Writes an object. Raises SenguError if the bucket does not take it."""
        try:
            self._client.put_object(Bucket=self.bucket, Key=self._key(name), Body=data)
        except (BotoCoreError, ClientError) as error:
            raise SenguError(f"s3://{self.bucket} takes nothing: {error}: look at the AWS_* variables") from error

    def _key(self, name: str) -> str:
        return f"{self.prefix.rstrip('/')}/{name}".lstrip("/")
