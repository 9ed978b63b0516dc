import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sengu.base import params, tables
from sengu.base.errors import SenguError
from sengu.stages.split import Origins, check, check_classes, of_version, split

ROOT = Path(__file__).parents[2]
BARE = params.Split(dataset="v1", test=(0, 24), validation=(25, 49), leaks="keep")
EXCLUDE = params.Split(dataset="v1", test=(0, 24), validation=(25, 49), leaks="exclude")
NO_DUPLICATES = tables.empty(tables.Duplicate)


def name(low_byte: int, first: int = 0) -> str:
    return f"{first:038x}{low_byte:02x}.jpg"


def labels(*rows: tuple[str, int]) -> pd.DataFrame:
    return tables.frame([tables.Label(*row) for row in rows], tables.Label)


def types(table: pd.DataFrame) -> dict[str, str]:
    return dict(zip(table["objectId"], table["type"], strict=True))


@pytest.mark.parametrize(
    ("low_byte", "expected"), [(0, "test"), (24, "test"), (25, "validation"), (49, "validation"), (50, "train"), (255, "train")]
)
def test_the_low_byte_decides(low_byte: int, expected: str) -> None:
    table = split(labels((name(low_byte, 0), 0), (name(low_byte, 1), 1)), NO_DUPLICATES, BARE)
    assert table["type"].tolist() == [expected] * 2
    assert table.columns.tolist() == tables.columns(tables.SplitLabel)


def test_classes_are_cut_to_the_smallest_in_table_order() -> None:
    rows = [(name(0, i), 0) for i in (5, 3, 1)] + [(name(0, 4), 1)] + [(name(30, 6), 1)]
    found = types(split(labels(*rows), NO_DUPLICATES, BARE))
    assert found[name(0, 1)] == found[name(0, 4)] == "test"
    assert found[name(0, 3)] == found[name(0, 5)] == "train"
    # validation has no example of class 0, so it is left with none of class 1
    assert found[name(30, 6)] == "train"


def test_what_a_model_labelled_is_never_held_out() -> None:
    rows = [(name(low, i), i % 2) for low in (0, 30) for i in range(4)]
    machine = [name(0, 0), name(30, 1)]
    found = types(split(labels(*rows), NO_DUPLICATES, BARE, Origins(by_models=machine)))
    assert {found[one] for one in machine} == {"train"}
    # of each class as many are left as of the one that lost a row
    assert [sorted(found.values()).count(kind) for kind in ("test", "train", "validation")] == [2, 4, 2]
    near = tables.frame([tables.Duplicate(one, name(0, 0)) for one in (name(0, 0), name(0, 2))], tables.Duplicate)
    assert types(split(labels(*rows), near, EXCLUDE, Origins(by_models=machine)))[name(0, 0)] == "excluded"


def test_leaks_move_out_of_train_and_validation_but_never_out_of_test() -> None:
    rows = [(name(low, i), i % 2) for low in (0, 30, 100) for i in range(4)]
    pairs = [(name(0, 0), name(100, 0)), (name(30, 1), name(100, 1)), (name(0, 2), name(30, 2)), (name(100, 2), name(100, 3))]
    groups = tables.frame([tables.Duplicate(m, min(pair)) for pair in pairs for m in pair], tables.Duplicate)
    found = types(split(labels(*rows), groups, EXCLUDE))
    assert {k for k, v in found.items() if v == "excluded"} == {name(100, 0), name(100, 1), name(30, 2)}
    assert found[name(0, 0)] == found[name(0, 2)] == "test"
    assert types(split(labels(*rows), groups, BARE)) == types(split(labels(*rows), NO_DUPLICATES, BARE))


OBJECTS = st.dictionaries(st.integers(0, 2**160 - 1).map(lambda n: f"{n:040x}.jpg"), st.integers(0, 2), min_size=1, max_size=60)


@given(OBJECTS)
def test_the_rule_equals_the_rule_applied_row_by_row(objects: dict[str, int]) -> None:
    by_row: dict[str, str] = {}
    for object_id in sorted(objects):
        low = int(object_id[38:40], 16)
        by_row[object_id] = "test" if low <= 24 else "validation" if low <= 49 else "train"
    for held in ("test", "validation"):
        counts = {v: sum(by_row[o] == held and objects[o] == v for o in objects) for v in set(objects.values())}
        room = dict.fromkeys(counts, min(counts.values()))
        for object_id in sorted(objects):
            if by_row[object_id] == held:
                if room[objects[object_id]]:
                    room[objects[object_id]] -= 1
                else:
                    by_row[object_id] = "train"
    assert types(split(labels(*objects.items()), NO_DUPLICATES, BARE)) == by_row


@given(OBJECTS, st.randoms())
def test_the_order_of_the_labels_does_not_matter(objects: dict[str, int], chance) -> None:
    rows = list(objects.items())
    shuffled = chance.sample(rows, len(rows))
    assert split(labels(*rows), NO_DUPLICATES, BARE).equals(split(labels(*shuffled), NO_DUPLICATES, BARE))


@given(OBJECTS, OBJECTS, st.sampled_from([BARE, EXCLUDE]))
def test_what_adding_pictures_can_change(objects: dict[str, int], more: dict[str, int], rule: params.Split) -> None:
    """The byte alone decides where a key may stand: test or train, validation or train, or train. Which of a class's test keys
    are cut to train depends on their place in the table only: the first n stay, n being the size of the smallest class."""
    before = types(split(labels(*objects.items()), NO_DUPLICATES, rule))
    after = types(split(labels(*{**more, **objects}.items()), NO_DUPLICATES, rule))
    for key in objects:
        held = {"test", "validation"} & {before[key], after[key]}
        assert len(held) <= 1, "a key moved between test and validation"
        low = int(key[38:40], 16)
        assert {before[key], after[key]} <= {"train", "test" if low <= 24 else "validation" if low <= 49 else "train"}
    everything = {**more, **objects}
    for name, (first, last) in (("test", BARE.test), ("validation", BARE.validation)):
        held_out = {value: [k for k in sorted(everything) if everything[k] == value and first <= int(k[38:40], 16) <= last]
                    for value in set(everything.values())}  # fmt: skip
        smallest = min(len(keys) for keys in held_out.values())
        for keys in held_out.values():
            assert [after[key] for key in keys] == [name] * smallest + ["train"] * (len(keys) - smallest)


def test_overlapping_and_empty_ranges_are_refused() -> None:
    with pytest.raises(SenguError, match="overlap"):
        check(params.Split(dataset="v1", test=(0, 24), validation=(24, 49), leaks="keep"))
    with pytest.raises(SenguError, match=r"split.test is \[24, 0\]"):
        check(params.Split(dataset="v1", test=(24, 0), validation=(25, 49), leaks="keep"))


@pytest.mark.parametrize("rule", [BARE, EXCLUDE])
def test_videos_are_excluded_and_do_not_count_in_the_balance(rule: params.Split) -> None:
    video = name(0, 1).replace(".jpg", ".mp4")
    found = types(split(labels((name(0, 2), 0), (video, 1), (name(0, 3), 1)), NO_DUPLICATES, rule))
    assert found == {name(0, 2): "test", video: "excluded", name(0, 3): "test"}


def subjects(**names: str) -> pd.DataFrame:
    return pd.DataFrame({"objectId": list(names), "subject": list(names.values())}, dtype="str")


def test_a_subject_straddles_no_split_and_joins_the_groups_that_it_touches() -> None:
    ids = {
        key: name(low, i) for i, (key, low) in enumerate({"a": 0, "b": 0, "v": 30, "w": 30, "s": 100, "t": 101, "u": 102}.items())
    }
    rows = labels(*((object_id, i % 2) for i, object_id in enumerate(ids.values())))
    of = subjects(**{ids["a"]: "anna", ids["s"]: "anna", ids["v"]: "anna"})
    pair = tables.frame([tables.Duplicate(ids[key], ids["s"]) for key in "st"], tables.Duplicate)
    found = types(split(rows, pair, EXCLUDE, Origins(of)))
    assert [found[ids[key]] for key in "abvwstu"] == ["test", "test", "excluded", "validation", "excluded", "excluded", "train"]
    assert set(types(split(rows, pair, BARE, Origins(of))).values()) == {"test", "validation", "train"}


def test_mirror_images_are_leaks_only_where_the_network_sees_pictures_mirrored() -> None:
    test, mirror, other = name(0, 0), name(100, 1), name(0, 2)
    rows = labels((test, 0), (other, 1), (mirror, 0))
    marked = tables.frame([tables.Duplicate(one, one, mirror) for one in (test, mirror)], tables.Duplicate)
    assert types(split(rows, marked, EXCLUDE))[mirror] == "train"
    assert types(split(rows, marked, EXCLUDE, mirrored=True))[mirror] == "excluded"


def typed(*rows: tuple[int, str, int]) -> pd.DataFrame:
    """Rows of SplitLabel: value, type and how many of them."""
    made = [(value, kind) for value, kind, count in rows for _ in range(count)]
    return tables.frame([tables.SplitLabel(name(0, i), value, kind) for i, (value, kind) in enumerate(made)], tables.SplitLabel)


@pytest.mark.parametrize("kind", ["train", "validation", "test"])
def test_a_class_that_vanishes_is_named(kind: str) -> None:
    every = [(value, one, 20) for value in (0, 1) for one in ("train", "validation", "test") if (value, one) != (1, kind)]
    with pytest.raises(SenguError, match=f"class 'dogs' has no {kind} picture among its 70 labelled ones .*30 excluded"):
        check_classes(typed(*every, (1, "excluded", 30)), ["cats", "dogs"], BARE)
    assert check_classes(typed(*every, (1, kind, 10)), ["cats", "dogs"], BARE) == []


def test_the_class_that_all_are_cut_to_is_named() -> None:
    rows = labels(*((name(byte, value), value) for value in (0, 1) for byte in range(0, 60, 2) if value == 0 or byte > 24))
    with pytest.raises(SenguError, match=r"class 'dogs' has no test picture among its 17 .*: label more pictures"):
        check_classes(split(rows, NO_DUPLICATES, BARE), ["cats", "dogs"], BARE)
    rows = labels(*((name(byte, value), value) for value in (0, 1) for byte in range(0, 60, 2)))
    by_models = rows.loc[rows["value"] == 1, "objectId"].tolist()
    table = split(rows, NO_DUPLICATES, BARE, Origins(by_models=by_models))
    with pytest.raises(
        SenguError, match=r"class 'dogs' has .*: a model gave 30 of its labels, and such pictures are not held out: have pe"
    ):
        check_classes(table, ["cats", "dogs"], BARE, by_models)


def test_few_pictures_are_split_by_the_ranges_that_the_error_names() -> None:
    bytes_of = {0: range(0, 256, 16), 1: [0, 16, *range(64, 256, 16)]}
    rows = labels(*((name(byte, value), value) for value, low_bytes in bytes_of.items() for byte in low_bytes))
    with pytest.raises(SenguError, match="class 'dogs' has no validation picture") as error:
        check_classes(split(rows, NO_DUPLICATES, BARE), ["cats", "dogs"], BARE)
    ranges = re.search(r"test: \[(\d+), (\d+)\] and validation: \[(\d+), (\d+)\] leave at least 3 of", str(error.value))
    assert ranges is not None, error.value
    first, last, start, end = map(int, ranges.groups())
    wider = replace(BARE, test=(first, last), validation=(start, end))
    check(wider)
    table = split(rows, NO_DUPLICATES, wider)
    check_classes(table, ["cats", "dogs"], wider)
    assert table.groupby(["value", "type"]).size().unstack()[["test", "validation"]].min().min() == 3


def test_what_lacks_in_training_is_no_reason_to_hold_out_more() -> None:
    rows = labels(*((name(byte, value), value) for value in (0, 1) for byte in range(0, 256, 5) if value == 0 or byte < 50))
    with pytest.raises(SenguError, match="class 'dogs' has no train picture.* smallest, 5$"):
        check_classes(split(rows, NO_DUPLICATES, BARE), ["cats", "dogs"], BARE)


def test_no_ranges_are_named_where_none_would_do() -> None:
    rows = labels(*((name(byte, value), value) for value in (0, 1) for byte in (0, 1, 200, 201) if (byte, value) != (0, 1)))
    with pytest.raises(SenguError, match="cut to the size of the smallest, 0$"):
        check_classes(split(rows, NO_DUPLICATES, BARE), ["cats", "dogs"], BARE)


@pytest.mark.parametrize(
    ("flip", "mirror", "kept"), [(False, False, "train"), (True, False, "excluded"), (False, True, "excluded")]
)
def test_a_network_that_judges_mirror_images_has_none_in_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flip: bool, mirror: bool, kept: str
) -> None:
    monkeypatch.chdir(tmp_path)
    document = yaml.safe_load((ROOT / "params.yaml").read_text())
    document["train"]["mirror"] = mirror
    document["train"]["fine_tune"]["augmentation"] = {"flip": flip}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    test, image, other = name(0, 0), name(100, 1), name(0, 2)
    Path("v1").mkdir()
    tables.write(Path("v1/label.csv"), labels((test, 0), (other, 1), (image, 0)), tables.Label)
    marked = tables.frame([tables.Duplicate(same, same, image) for same in (test, image)], tables.Duplicate)
    assert types(of_version(Path("v1"), marked))[image] == kept


def test_a_small_test_is_told_what_it_can_prove() -> None:
    every = [(value, one, 20) for value in (0, 1) for one in ("train", "validation")]
    (warning,) = check_classes(typed(*every, (0, "test", 9), (1, "test", 10)), ["cats", "dogs"], BARE)
    assert "class 'cats' has 9 test pictures, fewer than split.minimum (10)" in warning
    assert "a recall above 66%" in warning  # 0.025 ** (1 / 9), Clopper and Pearson


def test_the_surplus_of_test_may_be_held_out_too() -> None:
    names = [f"{number:038x}{number % 25:02x}.jpg" for number in range(1, 61)]  # all in the range of test
    names += [f"{number:038x}{100:02x}.jpg" for number in range(61, 81)]
    rows = pd.DataFrame({"objectId": names, "value": [int(n % 6 == 0) for n in range(80)]}).sort_values("objectId")
    rule = EXCLUDE
    plain = split(rows, NO_DUPLICATES, rule)
    held_out = split(rows, NO_DUPLICATES, replace(rule, surplus="hold_out"))
    assert plain["type"].value_counts().to_dict() == {"train": 60, "test": 20}
    assert held_out["type"].value_counts().to_dict() == {"surplus": 40, "test": 20, "train": 20}
    assert (held_out.loc[held_out["type"] == "test", "objectId"] == plain.loc[plain["type"] == "test", "objectId"]).all()
    twins = tables.frame([tables.Duplicate(name, names[40]) for name in (names[40], names[70])], tables.Duplicate)
    found = split(rows, twins, replace(rule, surplus="hold_out")).set_index("objectId")["type"]
    assert found[names[70]] == "excluded"  # it shows what is held out
