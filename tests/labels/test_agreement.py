"""Agreement against published values and against statsmodels, and what is undefined."""

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from sengu.labels import agreement

# the example of Krippendorff (2011), which Gwet (Handbook, 4th edition) takes up: 12 units, 4 observers, 5 classes
PUBLISHED = np.array(
    [
        [1, 1, 0, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4],
        [4, 4, 4, 4], [1, 1, 2, 1], [2, 2, 2, 2], [0, 5, 5, 5], [0, 0, 1, 1], [0, 0, 3, 0],
    ]
) - 1  # fmt: skip


def test_alpha_and_ac1_are_those_that_were_published() -> None:
    found = agreement.agree(agreement.counts(PUBLISHED, 5))
    assert found.pictures == 11
    assert found.raw.value == pytest.approx(0.81818, abs=1e-5)
    assert found.alpha.value == pytest.approx(0.74342, abs=1e-5)
    assert found.ac1.value == pytest.approx(0.77544, abs=1e-5)


@pytest.mark.parametrize(("raters", "classes"), [(2, 2), (3, 4), (5, 3)])
def test_alpha_is_fleiss_kappa_with_the_correction_for_few_words(raters: int, classes: int) -> None:
    ratings = np.random.default_rng(raters).integers(0, classes, (60, raters))
    ratings[:40] = ratings[:40, :1]
    said = agreement.counts(ratings, classes)
    words = ratings.size
    expected = 1 - (1 - fleiss_kappa(said)) * (words - 1) / words
    assert agreement.agree(said).alpha.value == pytest.approx(expected)


def test_rare_classes_leave_ac1_near_the_raw_share_where_kappa_collapses() -> None:
    # 100 pictures, 5% of a rare class, 94% agreement
    ratings = np.array([[0, 0]] * 92 + [[1, 1]] * 2 + [[0, 1]] * 3 + [[1, 0]] * 3)
    found = agreement.agree(agreement.counts(ratings, 2))
    kappa = cohens_kappa([[92, 3], [3, 2]]).kappa
    assert found.raw.value == pytest.approx(0.94)
    assert kappa == pytest.approx(0.37, abs=0.01)
    assert found.alpha.value == pytest.approx(kappa, abs=0.01)
    assert found.ac1.value == pytest.approx(0.93, abs=0.01)


def test_limits_hold_the_value_and_do_not_change_from_run_to_run() -> None:
    ratings = np.random.default_rng(1).integers(0, 2, (200, 2))
    said = agreement.counts(ratings, 2)
    found = agreement.agree(said)
    assert found == agreement.agree(said)
    for measure in agreement.MEASURES:
        estimate = getattr(found, measure)
        assert estimate.low < estimate.value < estimate.high
    # of 200 pictures by chance alone: a share of 0.5 with a standard deviation of 0.035
    assert found.raw.high - found.raw.low == pytest.approx(4 * 0.035, abs=0.03)


def test_what_is_undefined_is_said_in_words() -> None:
    alone = agreement.agree(agreement.counts(np.array([[0, -1], [-1, 1]]), 2))
    assert alone.pictures == 0
    assert str(alone.raw) == "undefined (no picture was labelled by two annotators)"
    same = agreement.agree(agreement.counts(np.array([[1, 1], [1, 1]]), 2))
    assert str(same.alpha) == "undefined (all labels name one class, so chance explains them)"
    assert (same.raw.value, same.ac1.value) == (1.0, 1.0)
    assert str(same.raw) == "1.000 (1.000 to 1.000)"


def test_a_class_is_compared_with_all_others() -> None:
    ratings = np.array([[0, 0], [1, 2], [2, 1], [0, 0]])
    assert agreement.of_class(agreement.counts(ratings, 3), 0).raw.value == 1.0
    assert agreement.of_class(agreement.counts(ratings, 3), 1).raw.value == 0.5


def test_ratings_are_words_by_object_and_annotator() -> None:
    assert agreement.ratings([0, 1, 1], [0, 0, 1], [2, 0, 1]).tolist() == [[2, -1], [0, 1]]
