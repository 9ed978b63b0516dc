from sengu.labels.queues import in_turn, shuffled


def test_every_kind_comes_up_however_rare_it_is() -> None:
    names = ["a1", "a2", "a3", "b1", "none"]
    belongs = {"a1": ["a"], "a2": ["a"], "a3": ["a", "b"], "b1": ["b"]}
    assert in_turn(names, belongs) == ["none", "a1", "a3", "a2", "b1"]


def test_the_order_depends_on_names_and_seed_only() -> None:
    names = [str(number) for number in range(50)]
    assert shuffled(names) == shuffled(reversed(names)) != shuffled(names, 1)
    assert sorted(shuffled(names)) == sorted(names)
