"""Whatever a keypoint file holds, reading it ends in valid poses or one clear line."""

import functools
import json
import pickle
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pg2_jax.keypoints import base, coco_json, keypoint_files, openpose_json
from tests.pg2_jax.keypoints import matlab_files, pickles_of_python_2
from tests.pg2_jax.keypoints.test_formats import (
    POSE,
    coco_file,
    csv_with_commas,
    peaks_of,
    person,
    point_text,
    wide_csv,
)

fuzz = functools.partial(
    settings,
    derandomize=True,
    database=None,
    deadline=10_000,  # Milliseconds of one example: a hang is a failure.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

OPENPOSE = {"people": [{"pose_keypoints_2d": POSE.ravel().tolist()}]}
VALID = {
    "csv": csv_with_commas("").replace("],[", "]:[").replace(",[", ":[").encode(),
    "comma csv": csv_with_commas('"').encode(),
    "wide csv": wide_csv().encode(),
    "text": point_text().encode(),
    "openpose": json.dumps(OPENPOSE).encode(),
    "coco": coco_file(person(score=0.5, area=3)).encode(),
    "rcv": pickle.dumps({"a.jpg": POSE.astype(float)[:, [1, 0, 2]]}),
    "peaks": pickle.dumps({"a.jpg": peaks_of(POSE)[0]}),
    "peaks of python 2": pickles_of_python_2.dumps({"a": peaks_of(POSE)[0]}, 0),
    "rcv of python 2": pickles_of_python_2.dumps({"a": POSE.astype(float)}),
    "matlab": matlab_files.dumps(np.arange(28.0).reshape(28, 1) + 1),
    "packed matlab": matlab_files.dumps(
        np.arange(28.0).reshape(28, 1) + 1, compression="gzip"
    ),
}
VALID["csv"] = VALID["csv"].replace(b"name,keypoints_y,", b"name:keypoints_y:")
BEGINNINGS = [b"", b"{", b"[", b"\x80\x04", b"(d", b"}(", b"MATLAB 7.3 MAT-file"]
BEGINNINGS += [content[:60] for content in VALID.values()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def check_read(folder, content):
    """Reads a file with some content; returns the poses, None if it is refused."""
    path = folder / "some.file"
    path.write_bytes(content)
    try:
        found = keypoint_files.read(path, photos=["a.jpg"])
    except ValueError as error:
        message = str(error)
        assert message.startswith(str(path)) and "\n" not in message
        assert len(message) < len(str(path)) * 3 + 400
        return None
    for name, keypoints in found.items():
        base.check_name(name)
        base.check_pose(name, keypoints)
        assert keypoints.dtype == np.float32
        assert not keypoints[keypoints[:, 2] == 0].any()
    return found


@pytest.mark.parametrize("kind", VALID)
def test_the_files_that_are_damaged_below_are_valid(folder, kind):
    (pose,) = check_read(folder, VALID[kind]).values()
    # MATLAB's files have no nose, eyes and ears, and here a neck and 12 limbs.
    points = slice(1, 14) if "matlab" in kind else slice(None)
    assert pose[points, 2].all()


@fuzz(max_examples=300)
@given(beginning=st.sampled_from(BEGINNINGS), rest=st.binary(max_size=200))
def test_random_bytes(folder, beginning, rest):
    check_read(folder, beginning + rest)


@fuzz(max_examples=40)
@given(data=st.data())
@pytest.mark.parametrize("kind", VALID)
def test_truncated_and_overwritten_files(folder, kind, data):
    content = VALID[kind]
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(start + 30, len(content))))
    new = data.draw(
        st.binary(max_size=8) | st.sampled_from([b"-", b"9" * 5000, b"nan"])
    )
    check_read(folder, content[:start] + new + content[end:])
    check_read(folder, content[:start])


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["../x", "/etc/passwd", "\ud800", "1e999", 10**5000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value, path=()):
    """Yields the path to every part of a JSON value."""
    yield path
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from places(part, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@fuzz(max_examples=150)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["openpose", "coco"])
def test_wrong_types_and_numbers_in_json(folder, kind, data):
    valid = json.loads(VALID[kind])
    path = data.draw(st.sampled_from(list(places(valid))))
    with _long_ints():
        text = json.dumps(replaced(valid, path, data.draw(VALUES)))
    check_read(folder, text.encode())


class _long_ints:
    """Lets Python print ints of more than 4,300 digits meanwhile."""

    def __enter__(self):
        self._limit = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)

    def __exit__(self, *_):
        sys.set_int_max_str_digits(self._limit)


@fuzz(max_examples=150)
@given(data=st.data())
@pytest.mark.parametrize("kind", ["peaks", "rcv"])
def test_wrong_types_and_numbers_in_pickles(folder, kind, data):
    valid = {"a": peaks_of(POSE)[0]} if kind == "peaks" else {"a": POSE.tolist()}
    path = data.draw(st.sampled_from(list(places(valid))))
    value = replaced(valid, path, data.draw(VALUES))
    try:
        content = pickle.dumps(value, protocol=data.draw(st.integers(0, 5)))
    except (UnicodeEncodeError, ValueError):  # A lone surrogate; an int too long.
        return
    check_read(folder, content)


@fuzz(max_examples=100)
@given(
    rows=st.lists(
        st.tuples(
            st.text(max_size=8),
            *[st.lists(st.floats() | st.integers(), min_size=18, max_size=18)] * 2,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_csv_rows_are_read_as_they_are_meant(folder, rows):
    path = folder / "rows.csv"
    lines = [f"{n}:{json.dumps(ys)}:{json.dumps(xs)}" for n, ys, xs in rows]
    header = ":".join(("name", "keypoints_y", "keypoints_x"))
    text = "\n".join([header, *lines])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    problems = []
    try:
        found = keypoint_files.read(path, problems)
    except ValueError as error:
        assert str(error).startswith(str(path))
        return
    for name, keypoints in found.items():
        values = next((ys, xs) for n, ys, xs in rows if n.strip() == name)
        ys, xs = (np.array(v, float) for v in values)
        present = (ys >= 0) & (xs >= 0)
        np.testing.assert_array_equal(keypoints[:, 2], present)
        np.testing.assert_allclose(keypoints[present, 0], xs[present], rtol=1e-7)
        np.testing.assert_allclose(keypoints[present, 1], ys[present], rtol=1e-7)


@st.composite
def poses(draw):
    points = draw(
        st.lists(
            st.tuples(*[st.floats(0, 100_000, width=32)] * 2) | st.none(),
            min_size=18,
            max_size=18,
        )
    )
    return np.array([[*p, 1] if p else [0, 0, 0] for p in points], np.float32) + 0


NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=2).map("/".join)


def allowed(name):
    try:
        base.check_name(name)
    except ValueError:
        return False
    return len(name.encode()) < 100


@fuzz(max_examples=80)
@given(
    annotated=st.dictionaries(NAMES.filter(allowed), poses(), min_size=1, max_size=3)
)
@pytest.mark.parametrize("kind", ["csv", "openpose", "coco"])
def test_what_is_written_is_read_again(tmp_path_factory, kind, annotated):
    place = tmp_path_factory.mktemp("round")
    if kind == "csv":
        annotated = {n.replace(":", ";"): pose for n, pose in annotated.items()}
        keypoint_files.write_csv(place / "a.csv", annotated)
        found = keypoint_files.read(place / "a.csv")
    elif kind == "coco":
        coco_json.write(place / "a.json", annotated)
        found = keypoint_files.read(place / "a.json")
        for name, pose in annotated.items():
            both = pose[[2, 5], 2].all()
            pose[1] = [*pose[[2, 5], :2].mean(axis=0), 1] if both else 0
            np.testing.assert_array_equal(found[name], pose)
    else:
        try:
            openpose_json.write_folder(place / "out", annotated)
        except (ValueError, OSError) as error:  # Two names of one stem or path.
            assert not (place / "out").exists()
            assert "would both be" in str(error) or isinstance(error, OSError)
            return
        if all((pose[:, :2] <= 1).all() and pose.any() for pose in annotated.values()):
            return  # Refused as fractions of the photo.
        found = keypoint_files.read(place / "out")
    assert set(found) == set(annotated)
    for name, pose in annotated.items():
        np.testing.assert_array_equal(found[name], pose)
