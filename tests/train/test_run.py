"""The directory of a training: the same words go on, other words are refused, damage is a sentence."""

import json
from pathlib import Path

import pytest

from ilsvrc.entries.miniature import MINIATURES, PROTOCOL
from ilsvrc.errors import DataError, SpecError
from ilsvrc.spec import as_json
from ilsvrc.train.run import Run, first_difference

ASKED = {"member": {"is": "Member", "model": "resnet18", "width": 0.25}, "seed": 0, "sizes": (64, 72)}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "runs" / "resnet18.0")


def test_looking_at_a_run_touches_nothing(run: Run):
    assert run.read_scores() is None
    assert run.log() == []
    assert not run.directory.exists()


def test_the_same_words_go_on_even_on_another_machine(run: Run):
    run.start(ASKED, {"cpu": "this"})
    run.start(ASKED, {"cpu": "that"})
    assert run.spec()["circumstances"] == {"cpu": "this"}
    assert run.spec()["asked"] == json.loads(json.dumps(ASKED))


def test_other_words_are_refused_with_the_setting_and_both_values(run: Run):
    run.start(ASKED, {})
    other = {**ASKED, "member": {**ASKED["member"], "width": 0.5}}
    with pytest.raises(SpecError, match=r"holds a training with member\.width = 0\.25, and 0\.5 is asked now; choose"):
        run.start(other, {})
    with pytest.raises(SpecError, match=r"with seed = 0, and null is asked now"):
        run.start({name: value for name, value in ASKED.items() if name != "seed"}, {})
    assert run.spec()["asked"]["member"]["width"] == 0.25


def without(value: object, names: set[str]) -> object:
    """JSON values without the fields of those names."""
    if isinstance(value, dict):
        return {name: without(item, names) for name, item in value.items() if name not in names}
    return [without(item, names) for item in value] if isinstance(value, list) else value


def test_a_run_from_before_a_field_was_added_goes_on(run: Run):
    asked = {"member": as_json(MINIATURES["msra-2015-cls"]), "protocol": as_json(PROTOCOL), "seed": 0}
    later = {"protocol", "weight", "copies", "warp", "side_weight", "starts_from", "frozen"}
    old = {"seed": 0, "protocol": without(asked["protocol"], later), "member": without(asked["member"], later)}
    run.start(old, {"version": "of then"})
    run.start(asked, {})
    assert run.spec() == {"asked": old, "circumstances": {"version": "of then"}}, "it stays as it was written"
    with pytest.raises(SpecError, match=r"holds a training with member\.weight = 1\.0, and 2\.0 is asked now"):
        run.start({**asked, "member": {**asked["member"], "weight": 2.0}}, {})


def test_a_specification_of_a_version_to_come_is_compared_as_it_stands(run: Run):
    asked = {"member": {**as_json(MINIATURES["msra-2015-cls"]), "colour": "red"}}
    run.start(asked, {})
    run.start(asked, {})
    with pytest.raises(SpecError, match=r'member\.colour = "red", and "blue" is asked now'):
        run.start({"member": {**asked["member"], "colour": "blue"}}, {})


def test_a_difference_is_named_by_its_path():
    assert first_difference({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}) is None
    assert first_difference({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}) == ("a.b", "[1, 2]", "[1, 3]")
    assert first_difference({"a": 1}, {"a": 1, "b": "x"}) == ("b", "null", '"x"')


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "{}", b"\xff\xfe\x00", '{"asked": 3}'])
def test_a_damaged_spec_is_a_sentence(run: Run, content: str | bytes):
    run.directory.mkdir(parents=True)
    (run.directory / "spec.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=r"spec\.json cannot be read \(.*\); is .*resnet18\.0 the directory of a run"):
        run.start(ASKED, {})


def test_a_directory_that_is_no_run_is_a_sentence(run: Run):
    with pytest.raises(DataError, match=r"spec\.json cannot be read .*; is .* the directory of a run\?"):
        run.spec()


def test_the_log_is_read_up_to_the_line_a_kill_cut_short(run: Run):
    run.write_log([{"epoch": 1, "loss": 2.5}, {"epoch": 2, "loss": 2.0}])
    assert [line["epoch"] for line in run.log()] == [1, 2]
    path = run.directory / "log.jsonl"
    path.write_bytes(path.read_bytes() + b'{"epoch": 3, "lo\xff')
    assert [line["epoch"] for line in run.log()] == [1, 2]


def test_a_run_is_done_when_its_scores_are_written(run: Run):
    assert run.read_scores() is None
    run.write_scores({"scores": [1]})
    assert run.read_scores() == {"scores": [1]}
    assert sorted(path.name for path in run.directory.iterdir()) == ["scores.json"]


def test_damaged_scores_are_a_sentence(run: Run):
    run.write_scores({"scores": [1]})
    run.scores.write_text('{"scores": [')
    with pytest.raises(DataError, match=r"scores\.json cannot be read"):
        run.read_scores()
