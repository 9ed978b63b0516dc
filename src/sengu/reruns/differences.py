"""Two files or folders -> the first place where they differ, in words: file, row and column, zip member, tensor, key or byte."""

import csv
import io
import itertools
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

SHOWN = 60  # characters of a value
BLOCK = 1 << 20  # bytes
TOO_LARGE = 1 << 28  # bytes from which on a file is compared by bytes alone


def explain(old: Path, new: Path) -> str:
    """The first difference between two outputs, in words; "" if they have the same content."""
    if not old.exists() or not new.exists():
        there = [name for name, path in (("before", old), ("now", new)) if path.exists()]
        return f"there {there[0]} only" if there else ""
    if old.is_dir() != new.is_dir():
        return "a folder became a file" if old.is_dir() else "a file became a folder"
    return _folders(old, new) if old.is_dir() else _files(old, new)


def _folders(old: Path, new: Path) -> str:
    before, after = _names(old), _names(new)
    for name in sorted(before | after):
        if name not in after:
            return f"{name}: missing now ({len(before)} files before, {len(after)} now)"
        if name not in before:
            return f"{name}: new ({len(before)} files before, {len(after)} now)"
        if difference := _files(old / name, new / name):
            return f"{name}: {difference}"
    return ""


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _files(old: Path, new: Path) -> str:
    position = _first_byte(old, new)
    if position is None:
        return ""
    if max(old.stat().st_size, new.stat().st_size) < TOO_LARGE:
        return _contents(new.name, old.read_bytes(), new.read_bytes())
    return f"byte {position}"


def _first_byte(old: Path, new: Path) -> int | None:
    with old.open("rb") as before_stream, new.open("rb") as after_stream:
        for start in itertools.count(0, BLOCK):
            before, after = before_stream.read(BLOCK), after_stream.read(BLOCK)
            if before != after:
                return start + _position(before, after)
            if not before:
                return None
    raise AssertionError("a file has an end")


def _contents(name: str, old: bytes, new: bytes) -> str:
    """The first difference of two unequal contents; by bytes if they cannot be parsed as their name says."""
    readers = {".csv": _tables, ".json": _documents, ".npy": _npy, ".onnx": _onnx, ".zip": _zips, ".npz": _zips}
    reader = readers.get(Path(name).suffix, _lines)
    try:
        difference = reader(old, new)
    except Exception:  # noqa: BLE001 - whatever a parser makes of damaged bytes, the bytes themselves can be told
        difference = ""
    return difference or f"byte {_position(old, new)} of {len(old)} before and {len(new)} now"


def _position(old: bytes, new: bytes) -> int:
    length = min(len(old), len(new))
    unequal = np.frombuffer(old[:length], np.uint8) != np.frombuffer(new[:length], np.uint8)
    return int(unequal.argmax()) if unequal.any() else length


def _tables(old: bytes, new: bytes) -> str:
    before, after = (list(csv.reader(io.StringIO(data.decode(), newline=""))) for data in (old, new))
    heading = before[0] if before else []
    for number, (old_row, new_row) in enumerate(itertools.zip_longest(before, after), start=1):
        if old_row is None or new_row is None:
            which, row = ("missing now", old_row) if new_row is None else ("new", new_row)
            return f"row {number} {which} ({len(before)} rows before, {len(after)} now): {_short(','.join(row))}"
        for column, (value, another) in enumerate(itertools.zip_longest(old_row, new_row)):
            if value != another:
                name = heading[column] if number > 1 and column < len(heading) else str(column + 1)
                return f"row {number}, column {name}: {_short(value)} before, {_short(another)} now"
    return ""


def _documents(old: bytes, new: bytes) -> str:
    return _values(json.loads(old), json.loads(new), "")


def _values(old: Any, new: Any, place: str) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            inside = f"{place}.{key}".strip(".")
            if key not in old or key not in new:
                return f"key {inside}: {'new' if key in new else 'missing now'}"
            if difference := _values(old[key], new[key], inside):
                return difference
        return f"the order of the keys of {place or 'the document'}" if list(old) != list(new) else ""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return next(filter(None, (_values(*pair, f"{place}[{i}]") for i, pair in enumerate(zip(old, new, strict=True)))), "")
    return f"key {place}: {_short(old)} before, {_short(new)} now" if old != new else ""


def _zips(old: bytes, new: bytes) -> str:
    """The first member that differs, and where in it; if members are equal, their order, time, mode or packing."""
    with zipfile.ZipFile(io.BytesIO(old)) as before, zipfile.ZipFile(io.BytesIO(new)) as after:
        old_names, new_names = before.namelist(), after.namelist()
        for name in dict.fromkeys([*old_names, *new_names]):
            if name not in old_names or name not in new_names:
                return f"member {name}: {'new' if name in new_names else 'missing now'}"
            if (old_member := before.read(name)) != (new_member := after.read(name)):
                return f"member {name}: {_contents(name, old_member, new_member)}"
        if old_names != new_names:
            return f"the order of the members: {_short(old_names)} before, {_short(new_names)} now"
        for one_info, other_info in zip(before.infolist(), after.infolist(), strict=True):
            for what in ("date_time", "external_attr", "compress_type", "create_system", "compress_size"):
                value, another = getattr(one_info, what), getattr(other_info, what)
                if value != another:
                    return f"member {one_info.filename}: its {what} is {value} before, {another} now"
    return ""


def _npy(old: bytes, new: bytes) -> str:
    return _arrays(*(np.load(io.BytesIO(data), allow_pickle=False) for data in (old, new)))


def _arrays(old: np.ndarray, new: np.ndarray) -> str:
    if old.shape != new.shape or old.dtype != new.dtype:
        return f"{old.dtype} of shape {old.shape} before, {new.dtype} of shape {new.shape} now"
    unequal = np.atleast_1d((old != new) & ~_both_nan(old, new))
    if not unequal.any():
        return ""
    place = np.unravel_index(int(unequal.argmax()), unequal.shape)
    value, another = np.atleast_1d(old)[place], np.atleast_1d(new)[place]
    most = ""
    if np.issubdtype(old.dtype, np.floating):
        most = f", the largest of them {np.nanmax(np.abs(old.astype(np.float64) - new.astype(np.float64))):.3g}"
    return (
        f"element {[int(i) for i in place]}: {value} before, {another} now; {int(unequal.sum())} of {unequal.size} differ{most}"
    )


def _both_nan(old: np.ndarray, new: np.ndarray) -> Any:
    return np.isnan(old) & np.isnan(new) if np.issubdtype(old.dtype, np.inexact) else np.zeros(old.shape, bool)


def _onnx(old: bytes, new: bytes) -> str:
    import onnx  # a second that most differences need not wait
    from onnx import numpy_helper

    before, after = onnx.load_from_string(old), onnx.load_from_string(new)
    tensors: list[Mapping[str, Any]] = [{tensor.name: tensor for tensor in model.graph.initializer} for model in (before, after)]
    for name in dict.fromkeys([*tensors[0], *tensors[1]]):
        if name not in tensors[0] or name not in tensors[1]:
            return f"tensor {name}: {'new' if name in tensors[1] else 'missing now'}"
        if difference := _arrays(*(numpy_helper.to_array(each[name]) for each in tensors)):
            return f"tensor {name}: {difference}"
    for number, (old_node, new_node) in enumerate(itertools.zip_longest(before.graph.node, after.graph.node)):
        if old_node != new_node:
            return (
                f"node {number}: {_short(getattr(old_node, 'name', None))} before, {_short(getattr(new_node, 'name', None))} now"
            )
    return ""


def _lines(old: bytes, new: bytes) -> str:
    """The first line of two texts that differs; None for binary content."""
    before, after = (data.decode().splitlines() for data in (old, new))
    for number, (old_line, new_line) in enumerate(itertools.zip_longest(before, after), start=1):
        if old_line != new_line:
            return f"line {number}: {_short(old_line)} before, {_short(new_line)} now"
    return ""


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else str(value)
    return repr(text) if len(text) <= SHOWN else f"{text[:SHOWN]!r}…"
