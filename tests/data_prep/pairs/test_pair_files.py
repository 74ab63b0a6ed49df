"""Pair lists in the forms that pose transfer projects share."""

import os

import pytest

from data_prep.pairs import pair_files


def test_list_round_trip(tmp_path):
    path = tmp_path / "pairs.csv"
    listed = [("1_a.jpg", "1_b.jpg"), ("1_b.jpg", "1_a.jpg")]
    pair_files.write_csv(path, listed)
    assert path.read_text() == "from,to\n1_a.jpg,1_b.jpg\n1_b.jpg,1_a.jpg\n"
    assert pair_files.read(path, ["1_a.jpg", "1_b.jpg"], "market1501", []) == listed


NAMES = ["1_a", "1_b", "2_a"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("source,target\n1_a,1_b\n", r"list\.csv:1: the header is 'source,target'"),
        ("", r"list\.csv:1: the header is ''"),
        ("from,to\n", "holds no pairs"),
        ("from,to\n1_a\xff,1_b\n", "not a csv file in UTF-8"),
    ],
)
def test_a_file_that_is_no_list(tmp_path, content, message):
    path = tmp_path / "list.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=message):
        pair_files.read(path, NAMES, "market1501", [])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("1_a,1_b\n1_a,1_c\n", "3: '1_c' has no keypoints"),
        ("1_a,1_b,c\n", "2: '1_a,1_b,c' has 3 fields"),
        ("1_a,1_a\n", "2: '1_a' is paired with itself"),
        (
            "1_a,1_b\n1_b,2_a\n",
            "3: '1_b' shows '1' and '2_a' shows '2'; a pair shows one",
        ),
        (
            "1_a,1_b\n1_b,1_a\n1_a, 1_b\n",
            "4: '1_a,1_b' is already in line 2; pairs may not repeat",
        ),
    ],
)
def test_a_bad_row_is_a_problem(tmp_path, rows, message):
    path = tmp_path / "list.csv"
    path.write_text("from,to\n" + rows)
    problems = []
    kept = pair_files.read(path, NAMES, "market1501", problems)
    assert len(kept) == rows.count("\n") - 1 and len(problems) == 1
    assert problems[0].startswith(f"{path}:{message}")


def test_who_is_who_in_a_list_depends_on_the_dataset(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("from,to\nanna/1_a.jpg,anna/2_a.jpg\n")
    names = ["anna/1_a.jpg", "anna/2_a.jpg"]
    assert pair_files.read(path, names, "folder", []) == [tuple(names)]
    problems = []
    assert pair_files.read(path, names, "market1501", problems) == []
    assert "a pair shows one person" in problems[0]


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


def test_a_pair_list_that_would_not_end_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pairs.csv")
    with pytest.raises(ValueError, match=r"pairs\.csv: not a file with pairs"):
        pair_files.read(tmp_path / "pairs.csv", ["a"], "folder", [])


def test_a_text_list_of_nted_names_the_target_first(tmp_path):
    folder = "img/WOMEN/Dresses/id_00000055"
    front, side, back = (
        f"{folder}/02_{v}.jpg" for v in ("1_front", "2_side", "3_back")
    )
    path = tmp_path / "test_pairs.txt"
    path.write_text(f"{front},{side},{back}\n{back},{front}\n")
    flat = [f"fasionWOMENDressesid0000005502_{v}.jpg" for v in ("1front", "2side")]
    names = [*flat, "fashionWOMENDressesid0000005502_3back.jpg"]
    assert pair_files.read(path, names, "deepfashion", []) == [
        (names[1], names[0]),
        (names[2], names[0]),
        (names[0], names[2]),
    ]
