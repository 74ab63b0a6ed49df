"""How fast a data set is built and read back.

Reading is measured beside decoding the same JPEG bytes from memory, by the same decoder
on the same cores, to throw the pixels away.
"""

import collections
import functools
import io
import itertools
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from experiments.benchmark import measurement
from experiments.benchmark.measurement import Measurement, Series
from pg2_jax.input_pipeline import memory_reader, pair_reader
from pg2_jax.keypoints import keypoint_files

HEIGHT, WIDTH = 128, 64
# Photos per person. Of Market-1501's 745 people with pairs only the sum is published:
# these 747 have 12,697 photos and exactly its 263,632 ordered pairs.
# Mixed, so that the first few have photos like all.
_PHOTOS_OF_PEOPLE = np.random.RandomState(0).permutation(
    [2 + i % 31 for i in range(744)] + [42, 5, 2]
)
_TEST_PEOPLE = 40
_BATCH_SIZE = 16
_READ_PAIRS = 8192
_DECODE_AT_ONCE = 64
_MEMORY_GIB = 64.0
_ROOT = pathlib.Path(__file__).resolve().parents[2]


def measure(folder: pathlib.Path, *, scale: float, repeats: int) -> Measurement:
    """Builds and reads a data set of random photos in an empty folder."""
    people = max(2, round(scale * len(_PHOTOS_OF_PEOPLE)))
    _write_photos(folder / "photos", people)
    _write_photos(folder / "few", max(2, people // 4))
    series = _measure_building(folder, repeats)
    dataset = pair_reader.PairDataset(str(folder / "data"), reader="tf_data")
    jpegs = [path.read_bytes() for path in sorted((folder / "photos").rglob("*.jpg"))]
    series += _measure_reading(dataset, jpegs, repeats)
    series += _measure_memory_reader(str(folder / "data"), repeats)
    facts = {
        "tensorflow": tf.__version__,
        "training pairs": dataset.count("train"),
        "photos": len(jpegs),
        "bytes per JPEG": round(sum(map(len, jpegs)) / len(jpegs)),
    }
    return Measurement(series, facts)


def _write_photos(folder: pathlib.Path, people: int) -> None:
    """Writes random photos in Market-1501's layout."""
    rng = np.random.default_rng(0)
    sizes = itertools.islice(itertools.cycle(_PHOTOS_OF_PEOPLE), people + _TEST_PEOPLE)
    numbered = list(enumerate(sizes, start=1))
    for split, part in (("train", numbered[:people]), ("test", numbered[people:])):
        photos = folder / f"bounding_box_{split}"
        photos.mkdir(parents=True)
        poses = {}
        for person, size in tqdm(part, f"photos, {split}", unit="person", disable=None):
            for index in range(size):
                name = f"{person:04d}_c1s1_{index:06d}_00.jpg"
                (photos / name).write_bytes(_random_photo(rng))
                poses[name] = np.ones((18, 3), np.float32)
                poses[name][:, :2] = rng.integers(0, (WIDTH, HEIGHT), (18, 2))
        keypoint_files.write_csv(folder / f"market-annotation-{split}.csv", poses)


def _random_photo(rng: np.random.Generator) -> bytes:
    """Patches of colour and noise, which give JPEG about as much to do as people."""
    patches = Image.fromarray(rng.integers(0, 256, (8, 4, 3), np.uint8))
    smooth = np.asarray(patches.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    noisy = (smooth + rng.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _measure_building(folder: pathlib.Path, repeats: int) -> list[Series]:
    """Builds folder/data, and a smaller one for its memory."""
    whole, few = [], []
    for _ in range(repeats):
        whole.append(_build(folder / "photos", folder / "data"))
        few.append(_build(folder / "few", folder / "data_of_few")[-1])
    seconds, cpu, peaks = zip(*whole, strict=True)
    return [
        Series("build", seconds, "s"),
        Series("build, CPU time", cpu, "s"),
        Series("build, peak memory", peaks, "MiB"),
        Series("build of a quarter of the people, peak memory", few, "MiB"),
    ]


# A process begins with the peak memory of the one that started it, so a small one must
# stand between this program and the build.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=sys.stderr)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(code)
"""


def _build(source: pathlib.Path, output: pathlib.Path) -> tuple[float, float, float]:
    """Runs the builder as a user does; returns wall and CPU seconds and peak MiB."""
    command = [sys.executable, "-c", _MEASURED, sys.executable]
    command += ["data_prep/build_tfrecords.py", "--dataset=market1501"]
    command += [f"--source_dir={source}", f"--output_dir={output}", "--overwrite"]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise OSError(f"the build failed: {done.stderr.splitlines()[-1]}")
    cpu, max_resident = map(float, done.stdout.split())
    # getrusage says bytes on macOS and KiB elsewhere.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, cpu, max_resident / unit


def _measure_reading(
    dataset: pair_reader.PairDataset, jpegs: list[bytes], repeats: int
) -> list[Series]:
    """Reads decoded batches, and decodes alone, in turns."""
    pairs = min(_READ_PAIRS, dataset.count("train")) // _DECODE_AT_ONCE
    pairs = max(1, pairs) * _DECODE_AT_ONCE
    batches = dataset.training_batches(batch_size=_BATCH_SIZE, seed=0)
    alone = _decode_alone(jpegs)
    programs = {
        "read and decode": functools.partial(_take, batches, pairs // _BATCH_SIZE),
        "decode alone": functools.partial(_take, alone, pairs // _DECODE_AT_ONCE),
    }
    measurement.take_once(programs)
    times = measurement.take_turns(programs, repeats)
    return measurement.compare(times, pairs=pairs)


def _take(batches: Iterator, count: int) -> None:
    collections.deque(itertools.islice(batches, count), maxlen=0)


def _measure_memory_reader(data_dir: str, repeats: int) -> list[Series]:
    """Parses all training records without tensorflow, and decodes each photo once."""
    parse, ready = [], []
    for _ in tqdm(range(repeats), "reading into memory", unit="repeat", disable=None):
        reader = memory_reader.MemoryReader(data_dir, _MEMORY_GIB)
        count = reader.splits["train"].pairs
        stored = reader.stored("train", ())
        wall, cpu = measurement.seconds(functools.partial(next, stored))
        decoding, _ = measurement.seconds(reader.prepare_training)
        parse.append(count / cpu)
        ready.append(count / (wall + decoding))
    return [
        Series("memory reader: parse all, by CPU time", parse, "pairs/s"),
        Series("memory reader: parse and decode all", ready, "pairs/s"),
    ]


def _decode_alone(encoded: list[bytes]) -> Iterator[np.ndarray]:
    """Decodes two photos of each of `_DECODE_AT_ONCE` pairs a step, without end."""

    def decode(batch: tf.Tensor) -> tf.Tensor:
        photos = [tf.io.decode_jpeg(one, 3) for one in tf.unstack(batch)]
        return tf.stack([tf.ensure_shape(x, (HEIGHT, WIDTH, 3)) for x in photos])

    batches = tf.data.Dataset.from_tensor_slices(encoded).repeat()
    batches = batches.batch(2 * _DECODE_AT_ONCE, drop_remainder=True)
    decoded = batches.map(decode, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)
    return decoded.as_numpy_iterator()
