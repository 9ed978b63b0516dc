"""A bucket prefix as a place of files, each under its s3:// URL; credentials and region come from AWS_* variables."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from crawlers.spiders.files import File
from sengu.base.errors import SenguError


class Bucket:
    """Every object below a prefix, in order of its key; keys that stand for folders are left out."""

    nothing = "no object lies below the prefix"

    def __init__(self, url: str, endpoint: str = ""):
        parts = urlsplit(url)
        self.url, self.bucket, self.prefix = url, parts.netloc, unquote(parts.path.lstrip("/"))
        # some stores that speak S3 do not know the checksums that boto3 sends and asks for by default
        config = Config(request_checksum_calculation="when_required", response_checksum_validation="when_required")
        self.client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=config)

    def check(self) -> None:
        """Raises SenguError if the bucket cannot be listed."""
        try:
            self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix, MaxKeys=1)
        except (BotoCoreError, ClientError) as error:
            raise SenguError(f"{self.url} cannot be listed: {error}: check the address and the AWS_* variables") from error

    def files(self) -> Iterator[File]:
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):
                    yield File(f"s3://{self.bucket}/{quote(item['Key'])}", _utc(item["LastModified"]))

    def read(self, url: str) -> tuple[bytes, str]:
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=unquote(urlsplit(url).path[1:]))
            return answer["Body"].read(), _utc(answer["LastModified"])
        except (BotoCoreError, ClientError) as error:
            raise OSError(str(error)) from error


def _utc(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
