from sengu.labels import queues
from sengu.labels.queues import in_turn, shuffled


def test_every_kind_comes_up_however_rare_it_is() -> None:
    names = ["a1", "a2", "a3", "b1", "none"]
    belongs = {"a1": ["a"], "a2": ["a"], "a3": ["a", "b"], "b1": ["b"]}
    assert in_turn(names, belongs) == ["none", "a1", "a3", "a2", "b1"]


def test_the_order_depends_on_names_and_seed_only() -> None:
    names = [str(number) for number in range(50)]
    assert shuffled(names) == shuffled(reversed(names)) != shuffled(names, 1)
    assert sorted(shuffled(names)) == sorted(names)


def test_one_in_fifty_comes_again_and_nothing_is_left_out() -> None:
    names = [f"{number:040x}.jpg" for number in range(500)]
    old = ["old"]
    queue = queues.with_repeats(names, old)
    again = queue[49::50]
    assert len(again) == len(queue) // 50 == 10
    assert [name for number, name in enumerate(queue) if number % 50 != 49] == names
    for place, name in zip(range(49, len(queue), 50), again, strict=True):
        assert name == "old" or queue.index(name) <= place - queues.AGO
    assert queues.with_repeats(names, old) == queue
    assert queues.with_repeats(names[:10], old) == names[:10]
