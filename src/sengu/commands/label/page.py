"""`sengu label page`: pictures and sheets -> the labelling page in a browser."""

import ipaddress
import re
import signal
import subprocess
import threading
import webbrowser
from pathlib import Path

import click

from sengu.base import params
from sengu.base.errors import SenguError
from sengu.commands import places
from sengu.commands.label.label_set import option
from sengu.commands.label.material import Repository
from sengu.objects.store import ObjectStore
from sengu.pictures import images
from sengu.repository.git import ask
from sengu.web.app import create
from sengu.web.desk import Desk
from sengu.web.guard import Guard, Place
from sengu.web.pictures import Pictures
from sengu.web.server import free_port, server
from sengu.web.upload import Entrance, Folder, Shelf

PERSON = re.compile(r"[\w][\w-]{0,63}")
LOOPBACK = "127.0.0.1"


def annotators(names: tuple[str, ...]) -> tuple[str, ...]:
    """The people who label: the names given, or Git's user. Raises SenguError for what cannot be the name of a sheet."""
    people = names or (re.sub(r"[^\w-]+", "-", ask("config", "user.name")).strip("-").lower(),)
    for person in people:
        if PERSON.fullmatch(person) is None:
            raise SenguError(f"{person!r} cannot be the name of a sheet: give --annotator a name of letters, digits, _ and -")
    return tuple(dict.fromkeys(people))


def place(host: str, port: int, certificate: Path | None) -> Place:
    """The address of the page. Raises SenguError if other machines could reach it without a certificate."""
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if not is_here and certificate is None:
        raise SenguError(
            f"--host {host} can be reached from other machines, which needs --certificate: "
            "a PEM file with certificate and key, for instance of `openssl req -x509 -newkey rsa:2048 -nodes`"
        )
    hosts = (host, "localhost") if is_here and host != "localhost" else (host,)
    return Place(hosts, port or free_port(host), certificate is not None)


def shelf(site: str) -> Shelf:
    """The place where the pictures of a site are. Raises SenguError for a site that no device can add to."""
    fetch = params.section(f"sites.{site}", params.Site).fetch
    if isinstance(fetch, params.FolderFetch):
        return Folder(Path(fetch.folder))
    if isinstance(fetch, params.S3Fetch):
        from sengu.remote.s3 import Prefix

        return Prefix(fetch.url, fetch.endpoint)
    raise SenguError(f"site {site} is of source {fetch.source}: a device adds to a site of source folder or s3; see `upload`")


@click.command("page")
@option
@click.option("--annotator", "names", multiple=True, help="Who labels; by default Git's user. Several get an address each.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; by default a free one.")
@click.option("--host", default=LOOPBACK, show_default=True, help="The name or address that browsers use.")
@click.option(
    "--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM file with certificate and key."
)
@click.option("--no-browser", is_flag=True, help="Only print the address.")
def command(name: str, names: tuple[str, ...], port: int, host: str, certificate: Path | None, no_browser: bool) -> None:
    """Label pictures in the browser, with one key each or a page at once."""
    people = annotators(names)
    where = place(host, port, certificate)
    material = Repository(name)
    store = ObjectStore.below(places.TREES)
    guard = Guard(where, people)
    entrance = Entrance(params.upload(), shelf)
    desk = Desk(material, people)
    desk.prepare()
    app = create(desk, Pictures(store.read), guard, entrance)
    both = (str(certificate), str(certificate)) if certificate else None
    serving = server(app, host, where.port, both)
    with images.limited(params.section("objects", params.Objects).max_pixels):
        serving.prepare()
        for person, address in guard.addresses().items():
            click.echo(f"{person}: {address}")
        if entrance.devices:
            device = next(iter(entrance.devices))
            target = f"{guard.place.scheme}://{host}:{where.port}/upload"
            click.echo(f"curl -H 'Authorization: Bearer {guard.upload_token}' -F device={device} -F file=@PICTURE {target}")
        if not no_browser:
            _open(next(iter(guard.addresses().values())))
        # an exception from an interrupt inside a finalizer would be lost
        signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=serving.stop).start())
        try:
            serving.serve()
        finally:
            serving.stop()


def _open(address: str) -> None:
    try:
        webbrowser.open(address)
    except (webbrowser.Error, subprocess.SubprocessError):
        click.echo("no browser could be started: open the address yourself", err=True)
