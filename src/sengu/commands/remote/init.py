"""A bucket's address, or none -> DVC's remote set for the project and for this clone."""

from pathlib import Path

import click

from sengu.base.errors import SenguError
from sengu.remote import configuration


@click.command("init")
@click.argument("url", required=False, default="")
@click.option("--name", default="store", show_default=True, help="DVC's name for the remote.")
@click.option("--endpoint-url", default="", help="Address of an S3 that is not Amazon's; kept in .dvc/config.local.")
@click.option("--region", default="", help="Kept in .dvc/config.local.")
@click.option("--profile", default="", help="A profile of ~/.aws/credentials; kept in .dvc/config.local.")
def command(url: str, name: str, endpoint_url: str, region: str, profile: str) -> None:
    """Make URL, s3://BUCKET/PREFIX or a folder, the default remote; without URL, set up this clone.

    Only the address is committed, in .dvc/config. Settings of this machine stay in .dvc/config.local, and secrets in AWS_*
    variables. `make install` also sets up a clone.
    """
    root = Path()
    if not (root / ".dvc").is_dir():
        raise SenguError("there is no .dvc here: run it in the folder that holds params.yaml")
    options = {"endpointurl": endpoint_url, "region": region, "profile": profile}
    options = {key: value for key, value in options.items() if value}
    if url.startswith("s3://"):
        remote = configuration.Remote(name, url.rstrip("/"), options)
        if not remote.bucket:
            raise SenguError(f"{url} names no bucket: give s3://BUCKET/PREFIX")
        from sengu.remote.s3 import S3Store

        S3Store(remote).check()  # before anything is written
        configuration.move(root, name, remote.url, options)
        click.echo(f"the default remote is {remote.url}; to publish that, and to move the data:", err=True)
        click.echo(
            "git commit --message 'Remote' .dvc/config\nsengu remote plan\ndvc push --all-branches --all-tags\nsengu remote check"
        )
        return
    if "://" in url:
        raise SenguError(f"{url}: give s3://BUCKET/PREFIX or a folder; for another storage see `dvc remote add --help`")
    if url:
        current = configuration.default(root)
        if not current.is_folder:
            raise SenguError(
                f"the default remote of the project is {current.url}: to add this folder as another remote, run "
                f"`dvc remote add {name} {url}` and list {name} under remote.further in params.yaml"
            )
        configuration.add_options(root, current.name, {"url": str(Path(url).expanduser().resolve())})
    configuration.set_up(root)
    if options:
        configuration.add_options(root, configuration.default(root).name, options)
    for remote in configuration.remotes(root).values():
        click.echo(f"{remote.name}\t{remote.url}")
