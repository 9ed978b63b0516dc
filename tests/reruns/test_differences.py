"""The first difference, told in the words of the format: a file of a folder, a row, a member, a tensor, a key, a byte."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sengu.reruns.differences import explain


def zipped(members: Mapping[str, bytes], mode: int = 0o644, year: int = 1980) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def npy(*values: float) -> bytes:
    np.save(buffer := io.BytesIO(), np.array([values, values], np.float32))
    return buffer.getvalue()


def model(weight: float) -> bytes:
    weights = numpy_helper.from_array(np.array([1, weight], np.float32), "dense/kernel")
    places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "dense/kernel"], ["y"])], "graph", places[:1], places[1:], [weights])
    return bytes(onnx.ModelProto(ir_version=8, graph=graph).SerializeToString())


CASES = [
    ("a.csv", b"objectId,value\na,0\nb,1\n", b"objectId,value\na,0\nb,0\n", "row 3, column value: '1' before, '0' now"),
    ("a.csv", b"id\na\nb\n", b"id\na\n", "row 3 missing now (3 rows before, 2 now): 'b'"),
    ("a.json", b'{"a": {"b": [1, 2]}}', b'{"a": {"b": [1, 3]}}', "key a.b[1]: '2' before, '3' now"),
    ("a.json", b'{"a": 1, "b": 2}', b'{"b": 2, "a": 1}', "the order of the keys of the document"),
    ("a.json", b'{"a": 1}', b'{"a": 1}\n', "byte 8 of 8 before and 9 now"),
    ("a.npy", npy(1, 2), npy(1, 4), "element [0, 1]: 2.0 before, 4.0 now; 2 of 4 differ, the largest of them 2"),
    ("a.npz", zipped({"w.npy": npy(1)}), zipped({"w.npy": npy(2)}), "member w.npy: element [0, 0]: 1.0 before, 2.0 now; 2 of 2"),
    ("a.zip", zipped({"t.csv": b"a\n1\n"}), zipped({"t.csv": b"a\n2\n"}), "member t.csv: row 2, column a: '1' before, '2' now"),
    ("a.zip", zipped({"t": b"1"}, 0o644), zipped({"t": b"1"}, 0o600), "member t: its external_attr is"),
    (
        "a.zip",
        zipped({"t": b"1"}),
        zipped({"t": b"1"}, year=1999),
        "member t: its date_time is (1980, 1, 1, 0, 0, 0) before",
    ),
    ("a.zip", zipped({"a": b"", "b": b""}), zipped({"b": b"", "a": b""}), "the order of the members:"),
    ("a.onnx", model(2), model(3), "tensor dense/kernel: element [1]: 2.0 before, 3.0 now; 1 of 2 differ"),
    ("a.txt", b"one\ntwo\n", b"one\nthree\n", "line 2: 'two' before, 'three' now"),
    ("a.bin", b"\xff\xfe\x00", b"\xff\xfe\x01", "byte 2 of 3 before and 3 now"),
    ("a.zip", zipped({"t": b"1"}), b"no zip", "byte 0 of"),
]


@pytest.mark.parametrize(("name", "old", "new", "expected"), CASES, ids=[f"{i}-{case[0]}" for i, case in enumerate(CASES)])
def test_a_difference_is_told_in_words(tmp_path: Path, name: str, old: bytes, new: bytes, expected: str) -> None:
    for folder, data in (("old", old), ("new", new)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(data)
    assert explain(tmp_path / "old" / name, tmp_path / "new" / name).startswith(expected)
    assert explain(tmp_path / "old", tmp_path / "new").startswith(f"{name}: {expected}")
    assert explain(tmp_path / "old", tmp_path / "old") == ""


def test_files_of_a_folder_that_came_or_went_are_named(tmp_path: Path) -> None:
    for name in ("old/a", "old/b/c", "new/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("same")
    assert explain(tmp_path / "old", tmp_path / "new") == "b/c: missing now (2 files before, 1 now)"
    assert explain(tmp_path / "new", tmp_path / "old") == "b/c: new (1 files before, 2 now)"
    assert explain(tmp_path / "old", tmp_path / "none") == "there before only"


def test_large_files_are_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sengu.reruns.differences.TOO_LARGE", 100)
    monkeypatch.setattr("sengu.reruns.differences.BLOCK", 64)
    data = bytearray(os.urandom(1000))
    (tmp_path / "old").write_bytes(data)
    data[700] ^= 1
    (tmp_path / "new").write_bytes(data)
    assert explain(tmp_path / "old", tmp_path / "new") == "byte 700"


def test_nan_equals_nan(tmp_path: Path) -> None:
    (tmp_path / "old.npy").write_bytes(npy(np.nan, 1))
    (tmp_path / "new.npy").write_bytes(npy(np.nan, 2))
    assert explain(tmp_path / "old.npy", tmp_path / "new.npy").startswith("element [0, 1]: 1.0 before")
    assert explain(tmp_path / "new.npy", tmp_path / "new.npy") == ""
