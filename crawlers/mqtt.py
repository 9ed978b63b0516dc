"""A crawl's progress -> messages to an MQTT broker, if SENGU_MQTT names one: mqtt://[user:password@]host[:port][/topic].

It is not a param, because it does not affect what is fetched. An unreachable broker never stops a crawl.
"""

import json
import logging
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from sengu.base.errors import SenguError

VARIABLE = "SENGU_MQTT"
LAST = 5.0  # seconds that a broker has to take the last message
QUEUED = 10_000  # messages kept for a broker that is away; later ones are dropped
PORTS = {"mqtt": 1883, "mqtts": 8883}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Broker:
    """The address of a broker; `user` is empty if the broker asks for none."""

    host: str
    port: int
    topic: str
    tls: bool
    user: str
    password: str


def broker() -> Broker | None:
    """The broker that SENGU_MQTT names, if any. Raises SenguError if that is not an address of one."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        return None
    try:
        parts = urlsplit(address)
        port = parts.port or PORTS[parts.scheme]
        # + and # are wildcards of subscribers
        if parts.scheme not in PORTS or not parts.hostname or "+" in parts.path or {*address} & {"#", "?"}:
            raise ValueError
    except (ValueError, KeyError) as error:
        # without a password, and without a regular expression, which could be slow
        scheme, slashes, rest = address.partition("//")
        host = (rest or scheme).rpartition("@")[2]
        without_password = f"{scheme if rest else ''}{slashes}…@{host}" if "@" in address else address
        raise SenguError(
            f"{VARIABLE} is {without_password!r}: expected mqtt://[user:password@]host[:port][/topic], or mqtts:// for TLS: "
            "correct it, or unset it"
        ) from error
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Broker(parts.hostname, port, parts.path.strip("/") or "sengu", parts.scheme == "mqtts", user, password)


class Publisher:
    """Publishes <topic>/<site>/media for each picture or video fetched, and <topic>/<site>/totals, retained."""

    def __init__(self, client: Client | None, topic: str):
        self.client, self.topic = client, topic

    @classmethod
    def from_environment(cls, site: str) -> "Publisher":
        """Raises SenguError if SENGU_MQTT is not an address of a broker."""
        named = broker()
        if named is None:
            return cls(None, "")
        client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        client.max_queued_messages_set(QUEUED)
        if named.tls:
            client.tls_set()
        if named.user:
            client.username_pw_set(named.user, named.password)
        try:
            client.connect(named.host, named.port)
        except OSError as error:
            logger.warning("MQTT broker %s:%s: %s; the crawl continues without it", named.host, named.port, error)
            return cls(None, "")
        client.loop_start()
        return cls(client, f"{named.topic}/{site}")

    def media(self, message: dict[str, Any]) -> None:
        self._publish("media", message, retain=False)

    def totals(self, message: dict[str, Any]) -> None:
        self._publish("totals", message, retain=True)

    def finish(self, message: dict[str, Any]) -> None:
        """Sends the last totals, and waits until the broker has them."""
        if self.client is not None:
            try:
                self.client.publish(f"{self.topic}/totals", json.dumps(message), qos=1, retain=True).wait_for_publish(LAST)
            except (RuntimeError, ValueError) as error:  # the broker is gone, or accepts nothing more
                logger.warning("MQTT broker: %s; the last totals were not sent", error)
            self.client.disconnect()
            self.client.loop_stop()

    def _publish(self, name: str, message: dict[str, Any], retain: bool) -> None:
        if self.client is not None:
            self.client.publish(f"{self.topic}/{name}", json.dumps(message), qos=1, retain=retain)
