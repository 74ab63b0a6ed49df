"""--mode=user_study --answers: rates computed by hand, and files that are refused."""

import json

import pytest

from experiments.config import Config
from experiments.user_study import scores

# Practice first, then two real and three generated images.
KINDS = ("real", "generated", "real", "generated", "generated", "real", "generated")
IDS = [f"{i:016x}" for i in range(len(KINDS))]


@pytest.fixture
def study(tmp_path):
    """A study whose answers nobody has given yet."""
    key = {
        "study": "5" * 16,
        "version": 1,
        "practice": 2,
        "seconds": 1.0,
        "trials": [
            {"id": name, "kind": kind, "pair": ["a", "b"]}
            for name, kind in zip(IDS, KINDS, strict=True)
        ],
        "images": {"workdir": "run", "step": 4},
    }
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "key.json").write_text(json.dumps(key))
    return tmp_path


def answers(rater, letters, **changes):
    """The answers of one rater, such as "rggrgrg"."""
    words = {"r": "real", "g": "generated"}
    trials = [
        {
            "id": name,
            "answer": words[letter],
            "shown_ms": 1000.0 + i,
            "answer_ms": 300,
            "interrupted": False,
        }
        for i, (name, letter) in enumerate(zip(IDS, letters, strict=False))
    ]
    return {"study": "5" * 16, "version": 1, "rater": rater, "trials": trials} | changes


def write(path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


def score(folder, names):
    config = Config(mode="user_study", output=str(folder / "study"), answers=names)
    scores.score(config)
    return json.loads((folder / "study" / "user_study.json").read_text())


def test_rates_and_intervals_by_hand(study, capsys):
    # Of the images that count, r g g r g: real ones rated generated 0 of 2, generated
    # ones rated real 0 of 3.
    write(study / "answers" / "a.json", answers("ann", "grrggrg"))
    # 1 of 2 and 2 of 3.
    write(study / "answers" / "b.json", answers("bob", "rggrrrg"))
    found = score(study, str(study / "answers"))
    assert found["R2G"] == {
        "rate": 1 / 4,
        "confused": 1,
        "shown": 4,
        # A resample is twice ann, both, or twice bob: each at least a quarter of them.
        "interval_95": [0.0, 0.5],
    }
    assert found["G2R"]["rate"] == 2 / 6
    assert found["G2R"]["interval_95"] == pytest.approx([0.0, 2 / 3])
    assert [(r["rater"], r["R2G"], r["G2R"]) for r in found["by_rater"]] == [
        ("ann", 0.0, 0.0),
        ("bob", 0.5, 2 / 3),
    ]
    assert found["shown_ms"] == {"median": 1004.0, "lowest": 1002.0, "highest": 1006.0}
    printed = capsys.readouterr().out
    assert "25.0 %" in printed and "33.3 %" in printed
    # Table 2 of the paper.
    assert found["paper"] == {
        "DeepFashion, G1+D": {"R2G": 0.078, "G2R": 0.093},
        "DeepFashion, G1+G2+D": {"R2G": 0.092, "G2R": 0.149},
        "Market-1501, G1+D": {"R2G": 0.171, "G2R": 0.111},
        "Market-1501, G1+G2+D": {"R2G": 0.112, "G2R": 0.055},
    }


def test_one_rater_has_no_interval(study):
    found = score(study, write(study / "a.json", answers("ann", "rgggggg")))
    assert (found["raters"], found["R2G"]["rate"]) == (1, 1.0)
    assert found["R2G"]["interval_95"] is None


def test_interrupted_trials_are_left_out_and_counted(study, capsys):
    content = answers("ann", "rggrrrg")
    for number in (0, 2, 3):  # One practice image, one real, one generated.
        content["trials"][number]["interrupted"] = True
    found = score(study, write(study / "a.json", content))
    assert (found["R2G"]["confused"], found["R2G"]["shown"]) == (0, 1)
    assert (found["G2R"]["confused"], found["G2R"]["shown"]) == (1, 2)
    assert found["interrupted_trials"] == 2
    assert "2 trials left out: the page was out of sight" in capsys.readouterr().out
    content["trials"][5]["interrupted"] = True
    with pytest.raises(ValueError, match=r"a\.json: no real image counts, every such"):
        score(study, write(study / "a.json", content))


def with_trial(number, **changes):
    content = answers("ann", "rgrgrgr")
    content["trials"][number] |= changes
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ('{"study": ', "not JSON: .*line 1"),
        ("[1]", "not a JSON object"),
        ({"trials": []}, "not the answers of a user study"),
        (answers("", "rgrgrgr"), "not the answers of a user study"),
        (
            answers("ann", "rgrgrgr", study="6" * 16),
            "study '66.*, but that of --output",
        ),
        (answers("ann", "rgrgrgr", version=2), "version 2, but that of --output is 1"),
        (answers("ann", "rgrg"), "incomplete, 4 of 7 images are answered"),
        (with_trial(1, id="f" * 16), "f{16} is no image of this study"),
        (with_trial(1, id=IDS[0]), f"{IDS[0]} is answered 2 times"),
        (with_trial(2, id=None), "trial 3: no id"),
        (with_trial(2, answer="maybe"), "trial 3: answer 'maybe' is neither real nor"),
        (with_trial(2, shown_ms="1"), "trial 3: shown_ms '1' is no number"),
        (with_trial(2, answer_ms=-1), "trial 3: answer_ms -1 is no time"),
        (with_trial(2, answer_ms=float("nan")), "trial 3: answer_ms nan is no time"),
        (with_trial(2, interrupted=None), "trial 3: interrupted None is neither"),
        (
            answers("ann", "rgrgrgr")
            | {"trials": answers("", "rgrgrgr")["trials"][::-1]},
            "the images are not in the order of the study",
        ),
    ],
)
def test_answers_that_cannot_be_used_are_named(study, content, message):
    path = write(study / "a.json", content)
    with pytest.raises(
        ValueError, match=rf"(?s)1 of 1 files cannot.*a\.json: {message}"
    ):
        score(study, path)
    assert not (study / "study" / "user_study.json").exists()


def test_all_bad_files_are_named_at_once(study):
    folder = study / "answers"
    write(folder / "a.json", answers("ann", "rgrgrgr"))
    write(folder / "a (1).json", answers("ann", "rgrgrgr"))
    write(folder / "b.json", "{")
    write(folder / "c.json", answers("cid", "rg"))
    with pytest.raises(ValueError) as error:
        score(study, f"{folder}/*.json")
    text = str(error.value)
    assert "nothing was scored; 3 of 4 files cannot be used" in text
    assert "a.json: rater ann is that of" in text and "a (1).json" in text
    assert "b.json: not JSON" in text and "c.json: incomplete, 2 of 7" in text


def test_files_folders_and_patterns_each_count_once(study):
    folder = study / "answers"
    one = write(folder / "a.json", answers("ann", "rgrgrgr"))
    write(folder / "b.json", answers("bob", "rgrgrgr"))
    found = score(study, f"{one},{folder},{folder}/b*")
    assert [rater["rater"] for rater in found["by_rater"]] == ["ann", "bob"]


def test_what_is_not_there_is_named(study, tmp_path):
    with pytest.raises(ValueError, match="no file of answers is at 'nowhere'"):
        score(study, "nowhere")
    (study / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no file of answers is at '.*empty'"):
        score(study, str(study / "empty"))
    path = write(study / "a.json", answers("ann", "rgrgrgr"))
    config = Config(mode="user_study", output=str(study / "empty"), answers=path)
    with pytest.raises(ValueError, match=r"there is no study \(key.json is missing\)"):
        scores.score(config)
