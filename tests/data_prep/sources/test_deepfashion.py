"""DeepFashion: every layout, both frames, what is stored of a photo, the pairs."""

import dataclasses
import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from data_prep import build_tfrecords
from data_prep.pairs import field_protocol
from data_prep.sources import deepfashion, deepfashion_photos, photo_names
from pg2_jax.keypoints import keypoint_files
from tests.data_prep.small_sources import pair_names, read_records

# As downloaded, as PATN spells it.
NAMES = {
    f"{sex}/Denim/{person}/{item}_{view}.jpg": (
        f"fashion{sex}Denim{person.replace('_', '')}{item}_{view.replace('_', '')}.jpg"
    )
    for sex, person in (("WOMEN", "id_00000055"), ("MEN", "id_00000080"))
    for item in ("01", "02")
    for view in ("1_front", "2_side", "7_additional")
}
TEST = [flat for name, flat in NAMES.items() if name.startswith("MEN")]


def photo(size, seed=0):
    """A photo of coloured blocks, the same picture for every size."""
    blocks = np.random.default_rng(seed).integers(0, 256, (16, 11, 3), np.uint8)
    image = Image.fromarray(blocks).resize((176, 256), Image.Resampling.NEAREST)
    if size == deepfashion_photos.HIGH_RES:
        return image.resize((750, 1101), Image.Resampling.NEAREST)
    if size == deepfashion_photos.LOW_RES:
        canvas = Image.new("RGB", (256, 256), "white")
        canvas.paste(image, (40, 0))
        return canvas
    return image


def pose(width=256, shift=0):
    """A pose in the middle of a frame."""
    xs = np.linspace(width / 2 - 30, width / 2 + 30, 18).round() + shift
    return np.stack([xs, np.linspace(20, 230, 18).round(), np.ones(18)], 1).astype("f")


def write_source(root, size=deepfashion_photos.LOW_RES, tree=None):
    """Writes a data set whose keypoints are in pixels of the 256x256 photos."""
    for index, (name, flat) in enumerate(NAMES.items()):
        split = "test" if flat in TEST else "train"
        path = root / tree / name if tree else root / split / flat
        path.parent.mkdir(parents=True, exist_ok=True)
        photo(size, index).save(path.with_suffix(".jpg"), quality=95)
    for split in ("train", "test"):
        flats = [n for n in NAMES.values() if (n in TEST) == (split == "test")]
        poses = {name: pose(shift=i) for i, name in enumerate(flats)}
        keypoint_files.write_csv(root / f"fasion-annotation-{split}.csv", poses)
    return root


def build(source, output, **changes):
    options = build_tfrecords.Options(
        dataset="deepfashion", source_dir=str(source), output_dir=str(output), **changes
    )
    return build_tfrecords.build(options)


def test_names():
    for name, flat in NAMES.items():
        for spelling in (f"img/{name}", f"/data/img_highres/{name}", flat):
            assert photo_names.flat_name(spelling) == flat
            assert photo_names.deepfashion_identity(spelling) == flat.rsplit("_", 1)[0]
        other = flat.replace("fashion", "fasion")
        assert photo_names.simplify(other) == photo_names.simplify(flat)
    assert photo_names.flat_name("anna/1_2.jpg") == "anna/1_2.jpg"


def test_low_res_photos_are_copied_byte_for_byte(tmp_path):
    source = write_source(tmp_path / "source")
    summary = build(source, tmp_path / "out")
    # Of each split 2 outfits of 3 photos: 2 x 3 x 2 pairs.
    assert {s: found.pairs for s, found in summary.splits.items()} == {
        "train": 12,
        "test": 12,
    }
    for record in read_records(tmp_path / "out", "test"):
        name = record["source_name"].decode()
        assert name in TEST
        assert record["source_image"] == (source / "test" / name).read_bytes()
        expected = keypoint_files.read(source / "fasion-annotation-test.csv")[name]
        np.testing.assert_array_equal(record["source_keypoints"], expected)
        assert record["identity"].decode() == name.rsplit("_", 1)[0]
    metadata = json.loads((tmp_path / "out" / "metadata.json").read_text())
    assert (metadata["height"], metadata["width"]) == (256, 256)
    assert metadata["fit"] == "deepfashion" and "margin" not in metadata


def test_test_pairs_are_those_of_the_field(tmp_path):
    pandas = pytest.importorskip("pandas")
    source = write_source(tmp_path / "source")
    build(source, tmp_path / "out")
    annotated = keypoint_files.read(source / "fasion-annotation-test.csv")
    pool = pandas.DataFrame(field_protocol.all_pairs(annotated, "deepfashion"))
    drawn = pool.sample(n=12, replace=False, random_state=0)
    expected = list(drawn.itertuples(index=False, name=None))
    assert pair_names(read_records(tmp_path / "out", "test")) == expected


def test_a_published_test_list_is_taken_row_by_row(tmp_path):
    source = write_source(tmp_path / "source")
    front, side, back = sorted(TEST)[:3]
    rows = [(side, back), (front, side), (back, side)]
    text = "".join(f"{a},{b}\n" for a, b in [("from", "to"), *rows])
    (tmp_path / "list.csv").write_text(text.replace("fashion", "fasion"))
    build(source, tmp_path / "out", pairs=["", str(tmp_path / "list.csv")])
    assert pair_names(read_records(tmp_path / "out", "test")) == rows


@pytest.mark.parametrize("tree", ["img", "Img/img_highres", ""])
def test_photos_as_downloaded_are_found_by_the_names_of_the_annotations(tmp_path, tree):
    source = write_source(tmp_path / "source", tree=tree or ".")
    unnamed = source / tree / "WOMEN" / "Denim" / "id_00000099" / "01_1_front.jpg"
    unnamed.parent.mkdir()
    photo(deepfashion_photos.LOW_RES).save(unnamed)
    summary = build(source, tmp_path / "out")
    assert summary.splits["train"].pairs == summary.splits["test"].pairs == 12
    assert [split.unannotated for split in summary.splits.values()] == [1, 0]
    records = read_records(tmp_path / "out", "train")
    assert not {name for pair in pair_names(records) for name in pair} & set(TEST)


def test_lists_divide_one_annotation_file_of_both_splits(tmp_path):
    source = write_source(tmp_path / "source", tree="img")
    both = [
        keypoint_files.read(source / f"fasion-annotation-{s}.csv")
        for s in ("train", "test")
    ]
    keypoint_files.write_csv(source / "all.csv", both[0] | both[1])
    options = {"annotations": [str(source / "all.csv")], "annotation_size": "256x256"}
    with pytest.raises(
        ValueError, match=r"nothing says who is in which; put train\.lst"
    ):
        build(source, tmp_path / "out", **options)
    (source / "train.lst").write_text("".join(f"{name}\n" for name in both[0]))
    (source / "test.lst").write_text("".join(f"{name}\n" for name in both[1]))
    build(source, tmp_path / "out", **options)
    records = read_records(tmp_path / "out", "test")
    assert {name for pair in pair_names(records) for name in pair} == set(TEST)
    keypoint_files.write_csv(source / "all.csv", both[0] | both[1] | {"no.jpg": pose()})
    with pytest.raises(
        ValueError, match=r"rows: 1,(.|\n)*all\.csv:14: there is no photo no\.jpg"
    ):
        build(source, tmp_path / "other", **options)


def _all_in_one_tree(source):
    for split in ("train", "test"):
        path = source / f"fasion-annotation-{split}.csv"
        poses = {name: pose(shift=i) for i, name in enumerate(NAMES.values())}
        keypoint_files.write_csv(path, poses if split == "train" else {TEST[0]: pose()})


def _overlapping_lists(source):
    flats = [name for name in NAMES.values() if name not in TEST]
    keypoint_files.write_csv(
        source / "all.csv", {name: pose() for name in NAMES.values()}
    )
    (source / "train.lst").write_text("\n".join([*flats, TEST[0]]))
    (source / "test.lst").write_text("\n".join(TEST))
    return {"annotations": [str(source / "all.csv")], "annotation_size": "256x256"}


@pytest.mark.parametrize("overlap", [_all_in_one_tree, _overlapping_lists])
def test_no_photo_is_in_both_splits(tmp_path, overlap):
    source = write_source(tmp_path / "source", tree="img")
    options = build_tfrecords.Options(annotation_size="256x256")
    if changes := overlap(source):
        files = [str(source / "all.csv")]
        options = dataclasses.replace(options, annotations=files)
        with pytest.raises(ValueError, match=f"rows: 1,(.|\n)*  {TEST[0]} is in both"):
            build(source, tmp_path / "out", **changes)
    problems = []
    found = deepfashion.read(source, options, problems)
    train, test = (set(found[split].annotations) for split in ("train", "test"))
    assert TEST[0] in test and not train & test
    assert [problem for problem in problems if TEST[0] in problem] == [
        f"{TEST[0]} is in both splits, train and test; --on_error=skip leaves it in "
        "test only"
    ]


def test_a_listed_name_without_a_photo_is_a_bad_row(tmp_path):
    source = write_source(tmp_path / "source", tree="img")
    options = _overlapping_lists(source)
    names = [name for name in NAMES.values() if name not in TEST]
    text = "\n".join(["", names[0].replace("fashion", "fasion"), "no.jpg", *names[1:]])
    (source / "train.lst").write_text(text)
    with pytest.raises(
        ValueError, match=r"rows: 1,(.|\n)*train\.lst:3: there is no photo no\.jpg"
    ):
        build(source, tmp_path / "out", **options)
    summary = build(source, tmp_path / "out", on_error="skip", **options)
    assert summary.splits["train"].pairs == 12


SIZES = [
    deepfashion_photos.LOW_RES,
    deepfashion_photos.CROP,
    deepfashion_photos.HIGH_RES,
]


@pytest.mark.parametrize("size", [(256, 256), (256, 192), (256, 176), (64, 48)])
@pytest.mark.parametrize("original", SIZES)
def test_what_is_stored_of_a_photo(tmp_path, original, size):
    path = tmp_path / "photo.png"
    photo(original).save(path)
    keypoints = pose()
    keypoints[0] = [45, 128, 1]  # In the crop, 5 columns from its edge.
    keypoints[1] = [35, 128, 1]  # In the border that 256x192 keeps in part.
    keypoints[2] = 0
    stored, _, fitted, outside = deepfashion_photos.read_photo(path, keypoints, size)
    image = np.asarray(Image.open(io.BytesIO(stored)))
    assert image.shape == (*size, 3)
    window = 256 * size[1] // size[0]
    left = (256 - window) // 2
    low_res = np.asarray(photo(deepfashion_photos.LOW_RES))[:, left : left + window]
    scale = size[0] / 256
    if scale < 1:
        resized = Image.fromarray(low_res).resize(size[::-1], Image.Resampling.BICUBIC)
        low_res = np.asarray(resized)
    if original != deepfashion_photos.HIGH_RES:
        np.testing.assert_array_equal(image, low_res)
    # Bicubic sampling of high-res photos differs at the edges of the blocks alone.
    assert np.mean(np.abs(image.astype(int) - low_res)) < 8
    expected = keypoints.copy()
    expected[:, 0] = (expected[:, 0] - left) * scale
    expected[:, 1] *= scale
    missing = [2] if left < 35 else [1, 2]
    expected[missing] = 0
    np.testing.assert_allclose(fitted, expected, atol=1e-4)
    assert outside == len(missing) - 1
    if original == size:
        assert stored == path.read_bytes()


@pytest.mark.parametrize(
    ("size", "place"), [((256, 176), (88, 128)), ((1101, 750), (375, 550.5))]
)
def test_keypoints_of_other_photos_are_moved_to_the_canvas(size, place):
    keypoints = np.zeros((18, 3), np.float32)
    keypoints[3] = [*place, 1]
    expected = np.zeros((18, 3), np.float32)
    expected[3] = [128, 128, 1]
    np.testing.assert_allclose(deepfashion_photos.to_canvas(keypoints, size), expected)


@pytest.mark.parametrize("named", [True, False])
def test_published_files_say_by_their_name_which_photos_they_are_of(tmp_path, named):
    source = write_source(tmp_path / "source")
    files = []
    for split in ("train", "test"):
        old = source / f"fasion-annotation-{split}.csv"
        shifted = keypoint_files.read(old)
        for keypoints in shifted.values():
            keypoints[:, 0] -= 40
        name = f"fasion-resize-annotation-{split}.csv" if named else f"my-{split}.csv"
        files.append(str(source / name))
        old.unlink()
        keypoint_files.write_csv(source / name, shifted)
    options = {} if named else {"annotations": files, "annotation_size": "256x176"}
    build(source, tmp_path / "out", image_size="256x176", **options)
    record = read_records(tmp_path / "out", "train")[0]
    flats = [name for name in NAMES.values() if name not in TEST]
    expected = pose(shift=flats.index(record["source_name"].decode()))
    expected[:, 0] -= 40
    np.testing.assert_array_equal(record["source_keypoints"], expected)
    if not named:
        with pytest.raises(
            ValueError, match="--annotation_size=HEIGHTxWIDTH is needed"
        ):
            build(source, tmp_path / "other", annotations=files)


def test_points_of_other_photos_are_noticed(tmp_path):
    source = write_source(tmp_path / "source")
    many = {f"{name[:-4]}{i}.jpg": pose(176) for name in TEST for i in range(20)}
    for name in many:
        photo(deepfashion_photos.LOW_RES).save(source / "test" / name)
    keypoint_files.write_csv(source / "fasion-annotation-test.csv", many)
    with pytest.raises(ValueError, match="their mean column is 88; --annotation_size"):
        build(source, tmp_path / "out")
    wide = {name: pose(shift=70) for name in TEST}
    keypoint_files.write_csv(source / "fasion-annotation-test.csv", wide)
    (source / "fasion-annotation-test.csv").rename(
        source / "fasion-resize-annotation-test.csv"
    )
    with pytest.raises(ValueError, match=r"of 108 points lie outside 256x176"):
        build(source, tmp_path / "out")


def _no_photos(source):
    (source / "train").rename(source / "elsewhere")


def _two_trees(source):
    _no_photos(source)
    (source / "img").mkdir()
    (source / "img_highres").mkdir()


def _no_annotations(source):
    (source / "fasion-annotation-test.csv").unlink()


def _other_shape(source):
    Image.new("RGB", (300, 300)).save(source / "test" / TEST[0])


def _not_a_photo(source):
    (source / "test" / TEST[0]).write_bytes(b"no photo")


def _too_many_files(source):
    return {"annotations": ["a", "b", "c"]}


def _pipe_as_list(source):
    os.mkfifo(source / "train.lst")


def _no_such_file(source):
    return {"annotations": ["a.csv"]}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_no_photos, "has train and test, or one of img and img_highres; found none"),
        (_two_trees, "found .*img and .*img_highres"),
        (_no_annotations, "neither fasion-annotation-test.csv nor fasion-resize-"),
        (_other_shape, "the photo is 300x300 .* 256x256, 256x176 or 1101x750"),
        (_not_a_photo, f"{TEST[0]}: "),
        (_too_many_files, "names 3 files, deepfashion has two"),
        (_pipe_as_list, "train.lst: not a file with photo names"),
        (_no_such_file, "a.csv: there is no such annotation file"),
        (lambda _: {"annotation_size": "128x64"}, "--annotation_size=128x64: "),
        (
            lambda _: {"fit": "crop"},
            "--fit=crop does not go with --dataset=deepfashion",
        ),
        (lambda _: {"image_size": "64x128"}, "--image_size=64x128: DeepFashion's"),
        (lambda _: {"image_size": "512x352"}, "--image_size=512x352: DeepFashion's"),
    ],
)
def test_mistakes_are_named_and_nothing_is_written(tmp_path, damage, message):
    source = write_source(tmp_path / "source")
    changes = damage(source) or {}
    with pytest.raises(ValueError, match=message):
        build(source, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_sizes_that_cannot_be_trained_on_are_said_before(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(build_tfrecords, "build", lambda _: pytest.fail("too late"))
    for size, noted in (("24x16", True), ("256x176", False), ("", False)):
        options = build_tfrecords.Options(dataset="deepfashion", image_size=size)
        with pytest.raises(pytest.fail.Exception):
            build_tfrecords.build_and_tell(options)
        said = capsys.readouterr().err
        assert ("24x16: the height must be at least 32" in said) == noted


def test_photos_of_market_are_told_from_deepfashions(tmp_path):
    """In place of: nobody has two photos that show both shoulders."""
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        name = f"000{len(split)}_c1s1_000451_03.jpg"
        photo(deepfashion_photos.LOW_RES).save(tmp_path / split / name)
    words = r"1 photo such as 0005_c1s1_000451_03.jpg .* --dataset=market1501"
    with pytest.raises(ValueError, match=words):
        deepfashion.read(tmp_path, None, [])
    deepfashion._check_names(NAMES.values())
