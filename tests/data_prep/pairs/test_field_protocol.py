"""The published pairing protocol, against brute force and pandas."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from data_prep.pairs import field_protocol, pair_files
from pg2_jax.keypoints import keypoint_files

ROOT = pathlib.Path(__file__).parents[3]


def _pose(*missing):
    keypoints = np.ones((18, 3), np.float32)
    keypoints[list(missing)] = 0
    return keypoints


def _market(*names):
    return {name: _pose() for name in names}


@pytest.mark.parametrize("joint", range(18))
def test_only_shoulders_and_hips_are_required(joint):
    required = joint in (2, 5, 8, 11)
    assert (
        field_protocol.valid("0001_a.jpg", _pose(joint), "market1501") is not required
    )
    assert field_protocol.valid("anna/a.jpg", _pose(joint), "folder") is not required


@pytest.mark.parametrize("name", ["-1_c1.jpg", "0000_c1.jpg"])
def test_junk_is_known_by_name_in_market1501_only(name):
    assert not field_protocol.valid(name, _pose(), "market1501")
    assert field_protocol.valid(f"{name}/1.jpg", _pose(), "folder")


def test_identity_of():
    assert field_protocol.identity_of("0002_c1s1_000451_03.jpg", "market1501") == "0002"
    assert field_protocol.identity_of("anna_b/1_2.jpg", "folder") == "anna_b"


def test_order_is_first_appearance_then_permutations():
    annotated = _market("7_b.jpg", "3_a.jpg", "7_a.jpg", "3_c.jpg", "7_c.jpg", "9_.jpg")
    expected = []
    for person in ("7", "3"):
        names = [name for name in annotated if name.startswith(person)]
        for source in names:
            expected += [(source, target) for target in names if target != source]
    assert field_protocol.all_pairs(annotated, "market1501") == expected


def test_invalid_photo_does_not_open_its_group_early():
    annotated = {"2_a": _pose(2), "1_a": _pose(), "2_b": _pose(), "1_b": _pose()}
    annotated["2_c"] = _pose()
    assert field_protocol.all_pairs(annotated, "market1501") == [
        ("1_a", "1_b"),
        ("1_b", "1_a"),
        ("2_b", "2_c"),
        ("2_c", "2_b"),
    ]


@pytest.mark.parametrize("count", [1, 5, 12_000])
@pytest.mark.parametrize("seed", [0, 7])
def test_sample_equals_pandas(count, seed):
    pandas = pytest.importorskip("pandas")
    pool = [(str(i), str(-i)) for i in range(50)]
    frame = pandas.DataFrame(pool, columns=["from", "to"])
    drawn = frame.sample(n=min(count, 50), replace=False, random_state=seed)
    assert field_protocol.sample(pool, count, seed) == list(
        drawn.itertuples(index=False, name=None)
    )


def test_large_protocol_equals_the_published_procedure_in_pandas():
    """The procedure of the published scripts, on 296,000 pairs."""
    pandas = pytest.importorskip("pandas")
    names = [
        f"{person:04d}_{photo}.jpg" for photo in range(20) for person in range(780)
    ]
    annotated = _market(*names)
    pool = field_protocol.all_pairs(annotated, "market1501")
    assert len(pool) == 779 * 20 * 19  # Person 0000 is a distractor.
    frame = pandas.DataFrame(pool, columns=["from", "to"])
    drawn = frame.sample(n=min(12_000, len(pool)), replace=False, random_state=0)
    result = field_protocol.test_pairs(
        annotated, "market1501", field_protocol.MAX_TEST_PAIRS, 0
    )
    assert result == list(drawn.itertuples(index=False, name=None))


def test_small_test_pool_is_shuffled_whole():
    annotated = _market(*(f"1_{i}" for i in range(6)))
    pool = field_protocol.all_pairs(annotated, "market1501")
    result = field_protocol.test_pairs(
        annotated, "market1501", field_protocol.MAX_TEST_PAIRS, 0
    )
    assert sorted(result) == sorted(pool) and result != pool


def test_training_cap_is_a_seeded_sample():
    annotated = _market(*(f"1_{i}" for i in range(6)))
    pool = field_protocol.all_pairs(annotated, "market1501")
    assert field_protocol.train_pairs(annotated, "market1501", None, 0) == pool
    capped = field_protocol.train_pairs(annotated, "market1501", 10, 3)
    assert len(set(capped)) == 10 and set(capped) < set(pool)
    assert capped == field_protocol.train_pairs(annotated, "market1501", 10, 3)
    assert capped != field_protocol.train_pairs(annotated, "market1501", 10, 4)


def test_unused_photos_are_counted_by_reason():
    annotated = _market("1_a", "1_b", "1_c", "2_a", "-1_a", "0000_a")
    annotated["1_d"] = _pose(11)
    listed = [("1_a", "1_b")]
    assert field_protocol.unused(annotated, listed, "market1501") == {
        "junk or distractor by name": 2,
        "a shoulder or a hip is missing": 1,
        "the only usable photo of the person": 1,
        "in none of the listed pairs": 1,
    }


def test_list_round_trip(tmp_path):
    path = tmp_path / "pairs.csv"
    listed = [("1_a.jpg", "1_b.jpg"), ("1_b.jpg", "1_a.jpg")]
    pair_files.write_csv(path, listed)
    assert path.read_text() == "from,to\n1_a.jpg,1_b.jpg\n1_b.jpg,1_a.jpg\n"
    assert pair_files.read(path, ["1_a.jpg", "1_b.jpg"], "market1501") == listed


NAMES = ["1_a", "1_b", "2_a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("source,target\n1_a,1_b\n", r"list\.csv:1: the header is 'source,target'"),
        ("", r"list\.csv:1: the header is ''"),
        ("from,to\n", "holds no pairs"),
        ("from,to\n1_a,1_b\n1_a,1_c\n", r"list\.csv:3: '1_c' has no keypoints"),
        ("from,to\n1_a,1_b,c\n", r"list\.csv:2: '1_a,1_b,c' has 3 fields"),
        ("from,to\n1_a\xff,1_b\n", "not a csv file in UTF-8"),
        ("from,to\n1_a,1_a\n", r"list\.csv:2: '1_a' is paired with itself"),
        (
            "from,to\n1_a,1_b\n1_b,2_a\n",
            r"list\.csv:3: '1_b' shows '1' and '2_a' shows '2'; a pair shows one",
        ),
        (
            "from,to\n1_a,1_b\n1_b,1_a\n1_a, 1_b\n",
            r"list\.csv:4: '1_a,1_b' is already in line 2; pairs may not repeat",
        ),
    ],
)
def test_bad_list(tmp_path, content, message):
    path = tmp_path / "list.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        pair_files.read(path, NAMES, "market1501")


def test_who_is_who_in_a_list_depends_on_the_dataset(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("from,to\nanna/1_a.jpg,anna/2_a.jpg\n")
    names = ["anna/1_a.jpg", "anna/2_a.jpg"]
    assert pair_files.read(path, names, "folder") == [tuple(names)]
    with pytest.raises(ValueError, match="a pair shows one person"):
        pair_files.read(path, names, "market1501")


def test_bad_rows_of_a_list_are_collected(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("from,to\n1_a,1_b\nx,1_a\n1_b,1_a\n")
    problems = []
    found = pair_files.read(path, NAMES, "market1501", problems)
    assert found == [("1_a", "1_b"), ("1_b", "1_a")]
    assert len(problems) == 1 and "list.csv:3: 'x'" in problems[0]


def test_a_list_of_bad_rows_alone_keeps_their_messages(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("from,to\n1_a,1_a\n")
    problems = []
    assert pair_files.read(path, NAMES, "market1501", problems) == []
    assert len(problems) == 1 and "list.csv:2" in problems[0]


def _run(*arguments, **environment):
    command = [
        sys.executable,
        "-m",
        "data_prep.pairs",
        *map(str, arguments),
    ]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | environment,
    )


def test_command_line_writes_the_list_without_photos(tmp_path):
    annotated = _market("1_b.jpg", "1_a.jpg", "1_c.jpg")
    keypoint_files.write_csv(tmp_path / "annotations.csv", annotated)
    arguments = ["--annotations=~/annotations.csv", "--output=~/pairs.csv"]
    done = _run("--dataset=market1501", "--split=train", *arguments, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    expected = field_protocol.all_pairs(annotated, "market1501")
    assert pair_files.read(tmp_path / "pairs.csv", annotated, "market1501") == expected
    assert "6 pairs" in done.stdout


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--annotations=no.csv", "error: .*no.csv"),
        ("again", "error: unexpected argument 'again'"),
        ("--seed=4294967296", "--seed=4294967296 must be at most 4294967295"),
    ],
)
def test_command_line_names_the_mistake_without_a_traceback(argument, message):
    done = _run("--split=test", "--annotations=a.csv", "--output=x.csv", argument)
    assert done.returncode == 1
    assert re.search(message, done.stderr) and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_command_line_replaces_a_list_only_when_told_to(tmp_path):
    keypoint_files.write_csv(tmp_path / "a.csv", _market("1_b.jpg", "1_a.jpg"))
    output = tmp_path / "pairs.csv"
    output.write_text("kept")
    arguments = [
        "--split=test",
        f"--annotations={tmp_path}/a.csv",
        f"--output={output}",
    ]
    done = _run(*arguments)
    assert done.returncode == 1 and output.read_text() == "kept"
    assert f"error: --output={output} is there already; --overwrite" in done.stderr
    assert _run(*arguments, "--overwrite").returncode == 0
    assert output.read_text().splitlines()[0] == "from,to"


def test_a_name_without_a_person_is_refused_in_a_folder():
    with pytest.raises(ValueError, match=r"'0001_c1\.jpg' names no person"):
        field_protocol.identity_of("0001_c1.jpg", "folder")
    assert field_protocol.identity_of("anna/0001_c1.jpg", "folder") == "anna"


def _touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def _pg2_pairs(
    tmp_path, folder, *arguments, names=("1_a", "1_b"), dataset="market1501"
):
    keypoint_files.write_csv(tmp_path / "a.csv", _market(*names))
    return _run(
        f"--dataset={dataset}",
        "--pair_protocol=pg2",
        "--split=train",
        f"--annotations={tmp_path}/a.csv",
        f"--photos={folder}",
        f"--output={tmp_path}/pairs.csv",
        *arguments,
    )


@pytest.mark.parametrize(
    ("dataset", "photos"),
    [
        ("market1501", ["1_a.jpg", "1_b.jpg", "._1_a.jpg"]),
        ("folder", ["1/a.jpg", "1/b.jpg", "1/._a.jpg"]),
    ],
)
def test_annotations_without_suffix_are_those_of_the_photos(tmp_path, dataset, photos):
    folder = _touch(tmp_path / "photos", *photos)
    names = [name[:-4] for name in photos[:2]]
    done = _pg2_pairs(tmp_path, folder, names=names, dataset=dataset)
    assert done.returncode == 0, done.stderr
    assert "2 pairs of 2 of 2 annotated photos" in done.stdout
    found = pair_files.read(tmp_path / "pairs.csv", photos[:2], dataset)
    assert sorted(found) == [tuple(photos[:2]), tuple(photos[1::-1])]


@pytest.mark.parametrize(
    ("dataset", "photos", "message"),
    [
        ("market1501", [], r"photos: the folder is empty \(--photos\)"),
        ("market1501", ["._1_a.jpg"], r"photos: the folder is empty \(--photos\)"),
        ("market1501", ["1/a.jpg"], r"photos: no photos .*\(--photos\)"),
        ("folder", ["1_a.jpg"], "photos: no photos of the form <person>/<photo>"),
        ("market1501", ["1_a.jpg"], r"bad rows: 1,(.|\n)*a\.csv:3: there is no photo"),
    ],
)
def test_photos_that_are_not_the_annotated_ones(tmp_path, dataset, photos, message):
    folder = _touch(tmp_path / "photos", *photos)
    folder.mkdir(exist_ok=True)
    done = _pg2_pairs(tmp_path, folder, dataset=dataset)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(message, done.stderr)
    assert not (tmp_path / "pairs.csv").exists()


def test_an_empty_list_is_not_written_and_what_is_skipped_is_said(tmp_path):
    folder = _touch(tmp_path / "photos", "1_a.jpg", "1_b.jpg")
    names = ["1_a", "2_no", "1_b"]
    done = _pg2_pairs(tmp_path, folder, "--on_error=skip", names=names)
    assert "2 pairs of 2 of 2 annotated photos" in done.stdout
    assert re.search(r"left out: .*a\.csv:3: there is no photo 2_no", done.stdout)
    names = ["1_a", "2_no"]
    done = _pg2_pairs(tmp_path, folder, "--on_error=skip", "--overwrite", names=names)
    assert done.returncode == 1 and "the train split has no pairs" in done.stderr


def test_a_pair_list_that_would_not_end_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pairs.csv")
    with pytest.raises(ValueError, match=r"pairs\.csv: not a file with pairs"):
        pair_files.read(tmp_path / "pairs.csv", ["a"], "folder")
