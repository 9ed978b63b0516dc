"""params.yaml's list of sites, edited as text: every other line, its spacing and its comments stay as they are."""

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from sengu.base import params
from sengu.base.atomic import replaced_file
from sengu.base.errors import SenguError


def add_site(path: Path, name: str, site: dict[str, Any]) -> None:
    """Writes a site as the first of the list. Raises SenguError for a taken name, and for wrong params."""
    params.check_site_name(name, path)
    lines, sites = _read(path)
    if name in sites:
        raise SenguError(f"{path}: there is a site {name} already: edit it there, or choose another name")
    block = StringIO()
    _yaml().dump({name: _styled(site)}, block)
    indent = " " * (sites.lc.col if sites else 2)
    new = [f"{indent}{line}\n" for line in block.getvalue().splitlines()]
    start = _line_of_sites(lines)
    head = lines[start] if sites else "sites:\n"
    expected = params.document(path) | {"sites": {**params.document(path)["sites"], name: site}}
    _write(path, [*lines[:start], head, *new, *lines[start + 1 :]], expected, name)


def remove_site(path: Path, name: str) -> None:
    lines, sites = _read(path)
    start = sites.lc.key(name)[0]
    indent = sites.lc.key(name)[1]
    end = start + 1
    while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
        end += 1
    while not lines[end - 1].strip():  # blank lines belong to what follows
        end -= 1
    rest = lines[:start] + lines[end:]
    if len(sites) == 1:
        rest[_line_of_sites(rest)] = "sites: {}\n"
    document = params.document(path)
    _write(path, rest, document | {"sites": {key: site for key, site in document["sites"].items() if key != name}})


def _read(path: Path) -> tuple[list[str], CommentedMap]:
    params.section("sites", dict[str, Any], path)  # with its errors, if there is no such list
    text = path.read_text(encoding="utf-8")
    sites = _yaml().load(text)["sites"]
    if sites and sites.fa.flow_style():
        raise SenguError(f"{path}: sites stands in braces: write each site on lines of its own, and try again")
    return text.splitlines(keepends=True), sites


def _line_of_sites(lines: list[str]) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith("sites:"))


def _write(path: Path, lines: list[str], expected: dict[str, Any], added: str = "") -> None:
    """Replaces the file, if the new text parses as intended: editing text is less certain than editing values."""
    with replaced_file(path, durable=True) as partial:
        partial.write_text("".join(lines), encoding="utf-8")
        if params.document(partial) != expected:
            raise SenguError(f"{path}: the list of sites is laid out in a way that cannot be edited here: edit it by hand")
        if added:
            params.section(f"sites.{added}", params.Site, partial)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.width = 4096
    return yaml


def _styled(value: Any) -> Any:
    """Lists on one line, as params.yaml has them."""
    if isinstance(value, dict):
        return CommentedMap((key, _styled(item)) for key, item in value.items())
    if isinstance(value, list):
        sequence = CommentedSeq(value)
        sequence.fa.set_flow_style()
        return sequence
    return value
