"""The command `sengu`: what people do beside `dvc repro`."""

import logging
import sys

import click

from sengu.errors import SenguError
from sengu.faces import objects, site


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def sengu() -> None:
    """Sengu rebuilds an image classifier from raw crawled data. Run it in the folder that holds params.yaml."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)


sengu.add_command(site.group)
sengu.add_command(objects.group)


def main() -> None:
    try:
        sengu()
    except SenguError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
