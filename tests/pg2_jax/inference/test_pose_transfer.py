"""PoseTransfer, with a model whose drawings are known: the photo and its negative."""

import concurrent.futures
import inspect
import json
import pathlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import pg2_jax
from pg2_jax import visualize
from pg2_jax.inference import animation, result
from tests.pg2_jax.inference.stand_in import (
    HEIGHT,
    WIDTH,
    NoFinder,
    figure,
    make_model,
    make_photo,
)

ROOT = pathlib.Path(__file__).parents[3]


def test_the_package_is_light_and_knows_the_class():
    code = (
        "import sys, pg2_jax; assert 'jax' not in sys.modules; pg2_jax.PoseTransfer;"
        "assert 'tensorflow' not in sys.modules and 'data_prep' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'Pose'"):
        pg2_jax.Pose  # noqa: B018


def test_it_generates_without_the_packages_of_the_programs():
    """Those of the extras `programs` and `data`, which `pip install .` does not bring;
    rich, which flax itself imports, is there in any case."""
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'jinja2', 'tqdm', 'tensorboardX', 'data_prep'):\n"
        "    sys.modules[name] = None\n"
        "from tests.pg2_jax.inference import stand_in\n"
        "model, calls = stand_in.make_model()\n"
        "model(stand_in.make_photo(), 'catalogue/back')\n"
        "assert calls == [1]\n"
        "from pg2_jax import downloads\n"
        "with downloads._with_bar(3, 0, '') as answer:\n"
        "    assert answer == 3\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_help_explains_every_argument():
    kind = pg2_jax.PoseTransfer
    shared = kind.__call__.__doc__
    for method in (kind.restore, kind.__call__, kind.sequence, kind.batch, kind.export):
        for name in set(inspect.signature(method).parameters) - {"self"}:
            assert f" {name}: " in method.__doc__ + shared, (method, name)
    for name in set(inspect.signature(kind.push_to_hub).parameters) - {"self"}:
        assert f" {name}: " in kind.push_to_hub.__doc__


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.fromarray(make_photo()).save(tmp_path / "me.png")
    people = [{"pose_keypoints_2d": figure().ravel().tolist()}]
    (tmp_path / "pose.json").write_text(json.dumps({"people": people}))
    model, _ = make_model()
    result = model("~/me.png", "~/pose.json", source_pose="~/pose.json")
    np.testing.assert_array_equal(result.source, make_photo())
    np.testing.assert_array_equal(result.pose, figure())
    result.save("~/out.png")
    assert (tmp_path / "out.png").is_file()


def test_a_batch_is_drawn_in_chunks_of_two_sizes():
    model, calls = make_model()
    images = np.stack([make_photo(seed=i) for i in range(9)])
    for count in (1, 2, 3, 4, 9):
        drawn = model.batch(images[:count], np.stack([figure()] * count), batch_size=4)
        np.testing.assert_array_equal(drawn.coarse, images[:count])
        np.testing.assert_array_equal(drawn.image, 255 - images[:count])
    # 9 are 4, 4 and one alone; 2 and 3 are padded.
    assert calls == [1, 4, 4, 4, 4, 4, 1]


def test_many_threads_share_a_model():
    model, _ = make_model()
    photos = [make_photo(seed=i) for i in range(20)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda photo: model(photo, figure()).image, photos))
    np.testing.assert_array_equal(drawn, 255 - np.stack(photos))


def test_a_result_has_all_that_was_drawn():
    model, _ = make_model()
    drawn = model(make_photo(), figure())
    np.testing.assert_array_equal(drawn.source, make_photo())
    np.testing.assert_array_equal(drawn.pose, figure())
    want = 255 - 2 * make_photo().astype(int)
    np.testing.assert_array_equal(drawn.difference, want)
    assert drawn.whole is None
    assert drawn.picture().size == (5 * (8 * WIDTH + 4) + 4, 8 * HEIGHT + 8 + 18)
    assert drawn._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("refined", "wanted"),
    [
        (None, ["source", "pose", "generated"]),
        (make_photo(), ["source", "pose", "coarse", "difference", "refined"]),
    ],
)
def test_the_picture_names_its_images(monkeypatch, refined, wanted):
    named = []
    monkeypatch.setattr(
        visualize, "grid", lambda rows, titles, scale: named.extend(titles)
    )
    result.Result(make_photo(), figure(), make_photo(), refined).picture()
    assert named == wanted


@pytest.mark.parametrize(
    ("image", "pose", "message"),
    [
        (make_photo(), None, r"^A pose is an array .* got NoneType"),
        (None, figure(), r"^A photo is an array .* got \[\]"),
    ],
)
def test_what_is_forgotten_is_named(image, pose, message):
    with pytest.raises(ValueError, match=message):
        make_model()[0](image, pose)


def test_warnings_show_the_callers_line(tmp_path, recwarn):
    model, _ = make_model(NoFinder())
    Image.fromarray(make_photo()).save(tmp_path / "me.png")
    Image.fromarray(make_photo(32, 64)).save(tmp_path / "wide.png")
    model(tmp_path / "me.png", figure(), source_pose={"her.png": figure()})
    model.sequence(tmp_path / "wide.png", "walk")
    kinds = "its joints are those of her.png", "it was letterboxed"
    for warning, words in zip(recwarn.list, kinds, strict=True):
        assert words in str(warning.message) and warning.filename == __file__


def test_several_poses_need_a_name_or_a_sequence():
    model, calls = make_model()
    poses = {"jump": figure(), "sit": figure(8)}
    with pytest.raises(ValueError, match=r"2 poses; choose one .* pose_name=jump"):
        model(make_photo(), poses)
    assert not calls
    np.testing.assert_array_equal(
        model(make_photo(), poses, pose_name="sit").pose, figure(8)
    )
    both = model.sequence(make_photo(), poses)
    assert both.names == ("jump", "sit")
    np.testing.assert_array_equal(both.poses, [figure(), figure(8)])
    assert len(model.sequence(make_photo(), poses, between=2)) == 4


def test_a_drawing_is_put_into_the_whole_photo():
    model, _ = make_model()
    photo = make_photo(64, 100)
    drawn = model(photo, figure(), source_pose=figure(40, left=50), paste_back=True)
    assert drawn.whole.shape == (64, 100, 3)
    changed = (drawn.whole != photo).any(axis=(0, 2))
    # 40 high, 52 with its margin, 26 wide about column 52.
    first, last = np.flatnonzero(changed)[[0, -1]]
    assert 39 <= first < 50 and 54 < last <= 64


def test_a_model_of_views_names_the_pose_that_has_none():
    model, _ = make_model(stages="coarse", pose_embedding="view")
    with pytest.raises(ValueError, match="the pose: 00: pose 0 lacks a shoulder"):
        model(make_photo(), figure())


def test_drawings_are_saved_in_the_format_of_the_suffix(tmp_path):
    model, _ = make_model()
    drawn = model(make_photo(), figure())
    drawn.save(tmp_path / "a.png", skeleton=True, scale=1)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (2 * WIDTH, HEIGHT)
        got = np.asarray(picture)[:, :WIDTH]
        np.testing.assert_array_equal(got, 255 - make_photo())
    walk = model.sequence(make_photo(), "walk")
    walk.save(tmp_path / "walk.png")
    with Image.open(tmp_path / "walk.png") as sheet:
        # With the names of the poses above them.
        # Four of eight beside each other, behind the source.
        assert sheet.size == (5 * (4 * WIDTH + 4) + 4, 2 * (18 + 4 * HEIGHT + 8))
        above = np.asarray(sheet.convert("L"))[:18]
        dark = (above < 128).any(axis=0).reshape(-1)[4:].reshape(5, 4 * WIDTH + 4)
        assert dark.any(axis=1).all()
    with pytest.raises(ValueError, match=r"a.doc: no format .* choose .png"):
        walk.save(tmp_path / "a.doc")
    for shown, name in ((drawn, "b.png"), (walk, "b.gif"), (walk, "b.png")):
        with pytest.raises(ValueError, match=r"^scale=0 must be at least 1\.$"):
            shown.save(tmp_path / name, scale=0)


def test_files_for_people_are_enlarged_by_lanczos(tmp_path):
    drawn = make_model()[0](make_photo(), figure())
    drawn.save(tmp_path / "a.png")
    drawn.save(tmp_path / "beside.png", beside=True, scale=2)
    size = (4 * WIDTH, 4 * HEIGHT)
    want = Image.fromarray(drawn.image).resize(size, Image.Resampling.LANCZOS)
    with Image.open(tmp_path / "a.png") as picture:
        np.testing.assert_array_equal(picture, want)
    with Image.open(tmp_path / "beside.png") as picture:
        source, pose, image = np.split(np.asarray(picture), 3, axis=1)
    np.testing.assert_array_equal(source, visualize.resized(drawn.source, 2 * HEIGHT))
    np.testing.assert_array_equal(pose, drawn.skeleton(2))
    np.testing.assert_array_equal(image, visualize.resized(drawn.image, 2 * HEIGHT))


@pytest.mark.parametrize(
    ("scale", "max_side", "height"),
    # Never reduced, and enlarged once, up to the longest side that was asked for.
    [(1, 1024, 64), (2, 1024, 64), (4, 1024, 128), (8, 100, 100), (8, 64, 64)],
)
def test_the_photos_own_pixels_are_enlarged_at_most_once(scale, max_side, height):
    small, large = make_photo(), make_photo(2 * HEIGHT, 2 * WIDTH)
    one = result.Result(
        small, figure(), small, None, None, large, large, max_side=max_side
    )
    want = Image.fromarray(large).resize(
        (height // 2, height), Image.Resampling.LANCZOS
    )
    np.testing.assert_array_equal(one.enlarged(scale), want)


def results(count):
    drawn = make_photo(), figure(), make_photo(), None
    return result.Results(
        result.Result(*drawn, name=f"pose {i:03d}") for i in range(count)
    )


def test_results_can_be_sent_to_other_processes():
    sent = pickle.loads(pickle.dumps(results(2)))
    assert isinstance(sent, result.Results) and sent.names == ("pose 000", "pose 001")
    np.testing.assert_array_equal(sent.images, [make_photo()] * 2)


def test_a_sheet_of_many_poses_is_wrapped_and_its_rows_have_names():
    people = [results(12), results(12)]
    plain = result.Sheet(people, scale=1).picture()
    # The poses, and two people; 13 pictures would be 208 wide and 96 high.
    block = 18 + 3 * (HEIGHT + 4) + 4
    assert plain.size == (7 * (WIDTH + 4) + 4, 2 * block)
    named = result.Sheet(people, ["anna.png", "bert.png"], scale=1).picture()
    assert named.size == (plain.width + 18, plain.height)
    margin, pictures = np.split(np.asarray(named), [18], axis=1)
    rows = np.arange(plain.height) % block >= 18
    np.testing.assert_array_equal(pictures[rows], np.asarray(plain)[rows])
    for top in (18 + 4, 18 + HEIGHT + 8, 18 + 2 * HEIGHT + 12, block + 18 + 4):
        assert (margin[top : top + HEIGHT] < 128).any()


def test_a_last_row_that_is_shorter_has_a_name_for_each_picture():
    sheet = result.Sheet([results(13)], skeleton=False, scale=1).picture()
    block = 18 + (HEIGHT + 4) + 4
    assert sheet.size == (8 * (WIDTH + 4) + 4, 2 * block)
    # The source and six poses.
    header = np.asarray(sheet.convert("L"))[block : block + 18]
    end = 7 * (WIDTH + 4)
    assert (header[:, end - WIDTH : end] < 128).any() and (header[:, end:] == 255).all()


def test_a_sheet_beyond_its_format_is_refused(tmp_path, monkeypatch):
    small = Image.new("RGB", (9, 9))
    monkeypatch.setattr(result.Sheet, "picture", lambda _: small)
    people = [results(1)] * 2048
    with pytest.raises(ValueError, match=r"a.jpg: the sheet would have 32 x 65,568 p"):
        result.save(people, tmp_path / "a.jpg", skeleton=True, scale=1)
    assert not list(tmp_path.iterdir())
    result.save(people, tmp_path / "a.png", skeleton=True, scale=1)
    # 335 pictures of 16 x 32 beside each other, 48 rows of them and of their poses.
    with pytest.raises(ValueError, match=r"b.png: the sheet would have 42,880 x 24,5"):
        results(16_000).save(tmp_path / "b.png", skeleton=True, scale=8)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:os.fork")
def test_animations_have_a_frame_for_each_pose(tmp_path):
    model, _ = make_model()
    people = [model.sequence(make_photo(seed=i), "walk") for i in range(2)]
    result.save(people, tmp_path / "a.webp", per_second=4, skeleton=True)
    with Image.open(tmp_path / "a.webp") as film:
        assert (film.n_frames, film.size) == (8, (4 * 8 * WIDTH, 8 * HEIGHT))
        film.seek(7)
        last = np.asarray(film.convert("RGB"))
    want = visualize.resized(255 - make_photo(), 8 * HEIGHT)
    np.testing.assert_array_equal(last[:, : 8 * WIDTH], want)
    result.save(people * 5, tmp_path / "many.gif")
    with Image.open(tmp_path / "many.gif") as film:
        assert film.size == (8 * 8 * WIDTH, 2 * 8 * HEIGHT)
    frames = [np.full((5, 7, 3), value, np.uint8) for value in (0, 120, 250)]
    animation.write(tmp_path / "a.gif", frames, per_second=10)
    with Image.open(tmp_path / "a.gif") as film:
        assert film.n_frames == 3
        assert film.info["duration"] == 100
    animation.write(tmp_path / "a.mp4", frames)
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    # Odd sides are made even.
    assert next(reader)["size"] == (8, 6)
    greys = [np.frombuffer(frame, np.uint8).mean() for frame in reader]
    np.testing.assert_allclose(greys, [0, 120, 250], atol=6)


def test_an_animation_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"an animation ends in .gif, .webp, .mp4"):
        animation.check_suffix("a.avi")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"MP4 needs imageio-ffmpeg: pip install"):
        animation.check_suffix("a.mp4")


@pytest.mark.parametrize(
    ("number", "words"),
    [(28, "the disk is full"), (13, "no permission to write into this folder")],
)
def test_a_file_that_cannot_be_written_says_why(tmp_path, monkeypatch, number, words):
    drawn = make_model()[0](make_photo(), figure())

    def refuse(*_args, **_options):
        raise OSError(number, "reason")

    monkeypatch.setattr(Image.Image, "save", refuse)
    with pytest.raises(OSError, match=rf"a.png cannot be written: {words}"):
        drawn.save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
