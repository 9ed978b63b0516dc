"""How far annotators agree, with each other and with themselves, of words that stand."""

from pathlib import Path

import pandas as pd
from labels.said import A, B, read

from sengu.labels import checks
from sengu.labels.ledger import Ledger, Word

CLASSES = ["dots", "stripes"]
HEADER = "objectId,value,annotator,labelledAt,rule,how,note\n"


def words(folder: Path, *lines: str) -> pd.DataFrame:
    """Words of "object value annotator day how"."""
    sheets: dict[str, list[str]] = {}
    for name, value, who, day, how in map(str.split, lines):
        sheets.setdefault(who, [HEADER]).append(f"{name},{value},{who},2026-01-0{day},,{how},\n")
    return pd.concat([read(folder, "".join(rows), f"{who}.csv") for who, rows in sheets.items()], ignore_index=True)


def test_a_blind_word_counts_while_it_stands(tmp_path: Path) -> None:
    said = words(tmp_path, f"{A} 0 anna 1 blind", f"{A} 1 ben 1 blind", f"{B} 0 anna 1 blind", f"{B} 0 ben 1 blind")
    assert checks.agreements(checks.blind(said), CLASSES)["all"].pictures == 2
    later = words(
        tmp_path,
        f"{A} 0 anna 1 blind", f"{A} 1 ben 1 blind", f"{B} 0 anna 1 blind", f"{B} 0 ben 1 blind", f"{A} 0 ben 2 suggested",
    )  # fmt: skip
    assert checks.blind(later)["objectId"].unique().tolist() == [B]


def test_a_slip_that_was_undone_is_no_disagreement(tmp_path: Path) -> None:
    for who in ("anna", "ben"):
        Ledger(tmp_path / f"{who}.csv", who, CLASSES).append([Word(A, "dots", how="blind")])
    ledger = Ledger(tmp_path / "ben.csv", "ben", CLASSES)
    ledger.append([Word(B, "dots", how="blind")])
    ledger.append([Word(A, "stripes", how="repeat")])
    ledger.undo()
    said = pd.concat([read(tmp_path, path.read_bytes(), path.name) for path in sorted(tmp_path.glob("*.csv"))])
    assert checks.blind(said)["value"].tolist() == [0, 0]
    ledger.undo()
    ledger.undo()
    said = pd.concat([read(tmp_path, path.read_bytes(), path.name) for path in sorted(tmp_path.glob("*.csv"))])
    assert checks.blind(said).empty, "ben says nothing of A any more"


def test_a_blind_second_look_is_blind(tmp_path: Path) -> None:
    said = words(tmp_path, f"{A} 0 anna 1 blind", f"{A} 1 ben 1 blind", f"{A} 0 ben 2 repeat")
    assert checks.agreements(checks.blind(said), CLASSES)["all"].raw.value == 1.0


def test_a_second_look_is_held_against_the_first(tmp_path: Path) -> None:
    said = words(tmp_path, f"{A} 0 anna 1 blind", f"{B} 0 anna 1 blind", f"{A} 0 anna 2 repeat", f"{B} 1 anna 2 repeat")
    assert checks.steadiness(said) == {"anna": (2, 1)}


def test_a_second_look_corrected_at_once_is_one_look(tmp_path: Path) -> None:
    said = words(tmp_path, f"{A} 0 anna 1 blind", f"{A} 1 anna 2 repeat", f"{A} 0 anna 2 repeat")
    assert checks.steadiness(said) == {"anna": (1, 1)}


def test_a_second_look_that_was_undone_is_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "anna.csv", "anna", CLASSES)
    for how, value in (("blind", "dots"), ("repeat", "stripes")):
        ledger.append([Word(A, value, how=how)])
    ledger.undo()
    assert checks.steadiness(read(tmp_path, (tmp_path / "anna.csv").read_bytes(), "anna.csv")) == {}
    ledger.append([Word(A, "dots", how="repeat")])
    assert checks.steadiness(read(tmp_path, (tmp_path / "anna.csv").read_bytes(), "anna.csv")) == {"anna": (1, 1)}
