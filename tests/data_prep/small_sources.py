"""Small data sets to convert, and what the conversion of one holds."""

import numpy as np
from PIL import Image

from data_prep import build_tfrecords
from pg2_jax.keypoints import keypoint_files
from tests.late import tfds

HEIGHT, WIDTH = 24, 16
SIZE = f"{HEIGHT}x{WIDTH}"


def random_pose(rng, *missing):
    keypoints = np.ones((18, 3), np.float32)
    keypoints[:, 0] = rng.integers(0, WIDTH, 18)
    keypoints[:, 1] = rng.integers(0, HEIGHT, 18)
    keypoints[list(missing)] = 0
    return keypoints


def write_photo(rng, path, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)


def write_market(root, people):
    """Writes a data set; `people` is split -> {identity: number of photos}."""
    rng = np.random.default_rng(0)
    for split, sizes in people.items():
        names = [
            f"{who}_c1_{i}.jpg" for who, count in sizes.items() for i in range(count)
        ]
        for name in names:
            write_photo(rng, root / f"bounding_box_{split}" / name)
        poses = {name: random_pose(rng) for name in names}
        keypoint_files.write_csv(root / f"market-annotation-{split}.csv", poses)
    return root


def make_options(source, output, **changes):
    return build_tfrecords.Options(
        source_dir=str(source), output_dir=str(output), image_size=SIZE, **changes
    )


def build(source, output, **changes):
    return build_tfrecords.build(make_options(source, output, **changes))


def append(source, line, split="train"):
    with open(source / f"market-annotation-{split}.csv", "a") as file:
        file.write(line + "\n")


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def read_records(folder, split):
    builder = tfds.builder_from_directory(folder)
    decoders = {
        f"{role}_image": tfds.decode.SkipDecoding() for role in ("source", "target")
    }
    return list(tfds.as_numpy(builder.as_dataset(split=split, decoders=decoders)))


def pair_names(records):
    return [(r["source_name"].decode(), r["target_name"].decode()) for r in records]
