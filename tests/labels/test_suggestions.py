import numpy as np
import pytest
from scipy.stats import rankdata

from sengu.labels.suggestions import Candidates, suggest, uncertainty


def on_axes(*axes: int, dimensions: int = 8) -> np.ndarray:
    """Unit vectors along axes: pictures on one axis are alike, all others have nothing in common."""
    return np.eye(dimensions, dtype=np.float32)[list(axes)]


def chosen(
    vectors: np.ndarray, uncertain: list[float], far: list[float], number: int, groups: list[str] | None = None
) -> list[int]:
    rows = np.arange(len(vectors))
    candidates = Candidates(rows, np.array(uncertain), np.array(far), groups or [str(row) for row in rows])
    return suggest(candidates, vectors, number)


def test_uncertainty_runs_from_sure_to_all_classes_equal() -> None:
    assert uncertainty(np.array([[1, 0], [0.5, 0.5], [0.9, 0.1]], np.float32)) == pytest.approx([0, 1, 0.469], abs=1e-3)
    assert uncertainty(np.full((1, 5), 0.2, np.float32)) == pytest.approx([1])


def test_of_pictures_as_far_the_uncertain_ones_come_first() -> None:
    assert chosen(on_axes(0, 1, 2, 3), [0.1, 0.9, 0.5, 0.7], [0.3] * 4, 3) == [1, 3, 2]


def test_of_pictures_as_uncertain_the_far_ones_come_first() -> None:
    assert chosen(on_axes(0, 1, 2, 3), [0.4] * 4, [0.2, 0.1, 0.9, 0.3], 2) == [2, 3]


def test_a_far_picture_counts_although_the_model_is_certain_of_it() -> None:
    uncertain, far = [0.001, 0.5, 0.4, 0.0], [0.9, 0.02, 0.01, 0.0]
    assert set(chosen(on_axes(0, 1, 2, 3), uncertain, far, 2)) == {0, 1}


def test_a_picture_like_one_taken_before_comes_later_than_another_kind() -> None:
    vectors = on_axes(0, 0, 0, 1, 2)
    vectors[1] = [0.999, np.sqrt(1 - 0.999**2), *[0] * 6]
    assert chosen(vectors, [0.9, 0.8, 0.7, 0.2, 0.1], [0.5] * 5, 4) == [0, 3, 4, 1]


def test_one_of_a_group_of_near_duplicates_is_enough() -> None:
    groups = ["g", "g", "g", "other"]
    assert chosen(on_axes(0, 1, 2, 3), [0.9, 0.8, 0.7, 0.1], [0.5] * 4, 4, groups) == [0, 3]


def test_equals_are_taken_in_order_and_too_few_are_no_error() -> None:
    assert chosen(on_axes(0, 1, 2), [0.5] * 3, [0.5] * 3, 10) == [0, 1, 2]
    assert chosen(on_axes(), [], [], 10) == []


def test_the_result_is_that_of_looking_at_every_picture_every_time() -> None:
    chance = np.random.default_rng(3)
    centres = chance.normal(size=(12, 16)) + 1
    vectors = (centres[chance.integers(0, 12, 2000)] + 0.3 * chance.normal(size=(2000, 16))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.arange(100, 2000)
    uncertain, far, groups = chance.random(1900), chance.random(1900), chance.integers(0, 900, 1900).tolist()
    scores, distances = (rankdata(uncertain) + rankdata(far)) / 2, np.ones(1900)
    expected: list[int] = []
    for _ in range(60):
        values = scores * distances
        values[np.isin(groups, [groups[one] for one in expected])] = -1
        expected.append(int(values.argmax()))
        distances = np.minimum(distances, np.maximum(1 - vectors[rows] @ vectors[rows[expected[-1]]], 0))
    assert suggest(Candidates(rows, uncertain, far, groups), vectors, 60) == expected
