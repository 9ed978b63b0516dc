from sengu import tables
from sengu.stages.dataset import describe


def test_a_version_says_what_it_holds() -> None:
    labels = tables.frame([tables.Label(f"{i:040x}.jpg", i % 3) for i in range(7)], tables.Label)
    assert describe("v1", labels) == {"version": "v1", "parents": [], "rows": 7, "rows_by_value": {"0": 3, "1": 2, "2": 2}}
