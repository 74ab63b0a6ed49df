"""The history of a run: what is read, and what a resumed run keeps."""

import pytest

from experiments.train import history


def write(workdir, first_step, *rows):
    seconds = history.begin(str(workdir), first_step)
    for step, values in rows:
        history.add(str(workdir), step, values)
    return seconds


def test_a_run_without_a_history_has_no_rows(tmp_path):
    assert history.read(str(tmp_path)) == []


def test_rows_of_one_step_are_one(tmp_path):
    write(tmp_path, 0, (2, {"coarse/loss": 0.5}), (4, {"a": 1.0}), (4, {"b": 2.0}))
    assert history.read(str(tmp_path)) == [
        {"step": 2, "coarse/loss": 0.5},
        {"step": 4, "a": 1.0, "b": 2.0},
    ]


def test_going_on_drops_what_was_written_of_later_steps(tmp_path):
    write(tmp_path, 0, (2, {"seconds": 5.0}), (4, {"seconds": 9.0}), (6, {"a": 1.0}))
    assert write(tmp_path, 4, (5, {"a": 7.0})) == 9.0
    rows = history.read(str(tmp_path))
    assert [row["step"] for row in rows] == [2, 4, 5]
    assert rows[-1] == {"step": 5, "a": 7.0}


def test_a_line_cut_short_by_a_kill_is_left_out(tmp_path):
    write(tmp_path, 0, (2, {"a": 1.0}))
    file = history.path(str(tmp_path))
    file.write_text(file.read_text() + '{"step": 4, "a"')
    assert history.read(str(tmp_path)) == [{"step": 2, "a": 1.0}]
    write(tmp_path, 2, (4, {"a": 3.0}))
    assert history.read(str(tmp_path))[1:] == [{"step": 4, "a": 3.0}]


@pytest.mark.parametrize(
    ("line", "message"),
    [("no json", "line 2: not JSON"), ('{"a": 1}', "line 2: no number .step. in")],
)
def test_a_damaged_line_is_named(tmp_path, line, message):
    write(tmp_path, 0, (2, {"a": 1.0}))
    file = history.path(str(tmp_path))
    file.write_text(f"{file.read_text()}{line}\n")
    with pytest.raises(ValueError, match=rf"history\.jsonl, {message}"):
        history.read(str(tmp_path))
