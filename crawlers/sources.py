"""The name of a spider in params.yaml -> its class: the generic one, or that of a special site."""

import importlib

from crawlers.spiders.generic import GenericSpider
from sengu.base.errors import SenguError


def spider_class(name: str) -> type[GenericSpider]:
    """The spider of the module crawlers/spiders/<name>.py. Raises SenguError if there is none."""
    place = f"crawlers/spiders/{name}.py"
    try:
        module = importlib.import_module(f"crawlers.spiders.{name}")
    except ModuleNotFoundError as error:
        raise SenguError(f"params.yaml: spider: {name}: {error}: put the spider of a special site into {place}") from error
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, GenericSpider)]
    own = [kind for kind in kinds if kind.__module__ == module.__name__]
    if len(own) != 1:
        raise SenguError(f"params.yaml: spider: {name}: {place} has {len(own)} classes that extend GenericSpider, expected one")
    return own[0]
