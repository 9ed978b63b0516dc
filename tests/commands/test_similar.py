"""`sengu similar` on a small store whose embeddings the stage made with a tiny model that looks at the mean colour."""

import json
import re
import shutil
from base64 import b64decode
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from embedded import COLOURS, IDS, make, picture, sengu_in
from onnx import helper, numpy_helper
from project import run
from released import tiny_backbone, tiny_release

from crawlers.demo import pictures
from sengu import embeddings
from sengu.base import tables
from sengu.base.errors import SenguError
from sengu.commands.main import sengu
from sengu.pictures import images
from sengu.release import bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("similar"))


def found(folder: Path, *arguments: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in sengu_in(folder, "similar", "--json", *arguments).splitlines()]


def cosines(folder: Path, name: str) -> dict[str, float]:
    """The similarity of every picture to one, computed from the colours by the backbone itself."""
    backbone = bundle.load_backbone(folder / "models/release")
    features = np.stack([backbone.run(images.decode(picture(colour))) for colour in COLOURS.values()])
    vectors = embeddings.whitened(features, embeddings.read(folder / "data/embeddings").whitening)
    return dict(zip(COLOURS, (vectors @ vectors[list(COLOURS).index(name)]).tolist(), strict=True))


def test_a_file_finds_itself_and_then_what_is_most_like_it(made: Path, tmp_path: Path) -> None:
    (tmp_path / "query.png").write_bytes(picture(COLOURS["red"]))
    hits = found(made, "-n", "3", str(tmp_path / "query.png"))
    expected = cosines(made, "red")
    order = sorted(COLOURS, key=lambda one: -expected[one])[:3]
    assert [hit["objectId"] for hit in hits] == [IDS[one] for one in order]
    assert order[0] == "red"
    assert [hit["similarity"] for hit in hits] == pytest.approx([expected[one] for one in order], abs=1e-5)


def test_an_object_is_named_by_the_beginning_of_its_id_and_left_out_itself(made: Path) -> None:
    hits = found(made, IDS["red"][:6])
    expected = cosines(made, "red")
    assert [hit["objectId"] for hit in hits] == [IDS[one] for one in sorted(COLOURS, key=lambda one: -expected[one])[1:]]
    assert found(made, IDS["red"]) == hits


def test_a_mirror_image_is_found_by_what_it_shows(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    # a backbone that looks at the left half only, so that a picture and its mirror image differ
    model = tiny_backbone()
    edges = {"begin": 0, "end": 30, "columns": 1}
    model.graph.initializer.extend(numpy_helper.from_array(np.array([value]), name) for name, value in edges.items())
    model.graph.node[0].input[0] = "left"
    model.graph.node.insert(0, helper.make_node("Slice", ["picture", "begin", "end", "columns"], ["left"]))
    (folder / "models/release" / bundle.BACKBONE).write_bytes(model.SerializeToString())
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30], pixels[:, 30:] = (250, 10, 10), (10, 250, 10)
    run(folder, *["python", "-m", "sengu.stages.embed", "data/index", "data/object", "models/release", "data/embeddings"])
    (folder / "query.png").write_bytes(pictures.png(pixels))
    assert {hit["objectId"] for hit in found(folder, "-n", "2", "query.png")} == {IDS["red"], IDS["green"]}


def test_label_and_address_are_shown_where_they_are_known(made: Path) -> None:
    by_id = {str(hit["objectId"]): hit for hit in found(made, IDS["red"])}
    assert (by_id[IDS["orange"]]["label"], by_id[IDS["blue"]]["label"]) == ("dots", "")
    assert by_id[IDS["orange"]]["url"] == "http://a.example/orange.png"
    assert by_id[IDS["orange"]]["page"] == "http://a.example/<&>"
    lines = sengu_in(made, "similar", "-n", "2", IDS["red"]).splitlines()
    assert len(lines) == 2
    assert re.fullmatch(r"0\.\d{4}  [0-9a-f]{40}\.png  \w* +http://a\.example/\w+\.png", lines[0])


def test_a_page_holds_every_picture_and_asks_nothing_of_the_network(made: Path, tmp_path: Path) -> None:
    with chdir(made):
        done = CliRunner().invoke(sengu, ["similar", "-n", "4", "--html", str(tmp_path / "page.html"), IDS["red"]])
    assert (done.exit_code, done.stderr) == (0, f"{tmp_path / 'page.html'}: written\n")
    text = (tmp_path / "page.html").read_text()
    thumbnails = [images.decode(b64decode(one)) for one in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)]
    expected = cosines(made, "red")
    order = sorted(COLOURS, key=lambda one: -expected[one])[:5]
    assert [one.mean(axis=(0, 1)) for one in thumbnails] == [pytest.approx(COLOURS[one], abs=4) for one in order]
    assert re.findall(r'(?:src|srcset)="(?!data:)|<link|<script|@import|url\(', text) == []
    assert set(re.findall(r'href="([^"]+)"', text)) == {
        address for one in order[1:] for address in (f"http://a.example/{one}.png", "http://a.example/&lt;&amp;&gt;")
    }


def test_a_release_that_did_not_make_the_embeddings_is_refused(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    (folder / "query.png").write_bytes(picture(COLOURS["red"]))
    shutil.rmtree(folder / "models")
    tiny_release(folder / "models/release", ("a", "b", "c"), version="0.2.0")
    with pytest.raises(SenguError, match=r"data/embeddings is of tiny 0\.1\.0 .* holds another model .*: run `dvc repro embed`"):
        found(folder, "--by", "class", "query.png")
    assert len(found(folder, "--by", "class", IDS["red"])) == len(IDS) - 1
    assert len(found(folder, "query.png")) == len(IDS)  # the backbone is the same
    (folder / "models/release" / bundle.BACKBONE).write_bytes(tiny_backbone(dimensions=4).SerializeToString())
    with pytest.raises(SenguError, match=r"of a backbone with SHA-256 \w{12}…, but .*backbone\.onnx holds another model"):
        found(folder, "query.png")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("nothing.png", "'nothing.png' is neither a file nor the beginning of an object id"),
        ("0000", "no object begins with '0000'"),
        ("params.yaml", "params.yaml is not a picture that can be read: unknown format"),
    ],
)
def test_what_is_no_picture_is_said_so(made: Path, query: str, message: str) -> None:
    with pytest.raises(SenguError, match=message):
        found(made, query)


def test_a_label_beyond_the_classes_is_named(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    labels = tables.frame([tables.Label(IDS["orange"], 2)], tables.Label)
    tables.write(folder / "data/label.csv", labels, tables.Label)
    with pytest.raises(SenguError, match=f"{IDS['orange']} has value 2, but label.classes in params.yaml names 2 classes"):
        found(folder, IDS["red"])


def test_a_missing_object_stops_the_page_only(made: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = shutil.copytree(made, tmp_path / "copy")
    shutil.rmtree(folder / "data/object")
    assert len(found(folder, IDS["red"])) == len(IDS) - 1
    assert "its mirror image is not looked for: object" in caplog.text
    with pytest.raises(SenguError, match="object .* is missing .*sengu objects heal"):
        found(folder, "--html", "page.html", IDS["red"])
    assert not (folder / "page.html").exists()


def test_tensorflow_is_not_imported(made: Path) -> None:
    script = (
        "import sys; from sengu.commands.main import sengu; sengu(sys.argv[1:], standalone_mode=False); "
        "print({'tensorflow', 'tf_keras'} & set(sys.modules))"
    )
    assert run(made, "python", "-c", script, "similar", IDS["red"]).splitlines()[-1] == "set()"


@pytest.mark.slow
def test_on_the_demo_what_is_alike_has_the_same_label(rebuilt: Path) -> None:
    labels = tables.read(rebuilt / "data/label.csv", tables.Label).set_index("objectId")["value"].to_dict()
    found_there = embeddings.read(rebuilt / "data/embeddings")
    assert len(found_there.objects) > len(labels)
    for query in list(labels)[::200]:
        hits = found(rebuilt, "--by", "class", query)
        same = [labels[str(hit["objectId"])] == labels[query] for hit in hits if hit["objectId"] in labels]
        assert len(hits) == 20
        assert sum(same) >= 18
