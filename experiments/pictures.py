"""The picture of a run: source, target pose, target and generated images, by row; and
every image as a file of its own."""

import base64
import contextlib
import functools
import io
import itertools
import pathlib
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import jax
import numpy as np
from PIL import Image

from experiments import results
from experiments.config import Config
from experiments.evaluate import pair_names, protocol
from pg2_jax import files, generation, inputs, sharding, train_state, visualize
from pg2_jax.checkpoint import restore
from pg2_jax.input_pipeline import pair_reader

_GIVEN = ("source", "target pose", "target")
_MOST_ROWS = 6
# The folders of --save_images.
_SAVED = ("coarse", "generated", "refined", "target")


def compare(batch: inputs.Batch, generated: Mapping[str, np.ndarray]) -> Image.Image:
    """Lays out the pairs of a numpy batch with what was generated for them: [B, H, W,
    3] uint8 images by the title of their column."""
    source, target = batch["source_image"], batch["target_image"]
    scale, black = visualize.screen_scale(source.shape[1]), np.zeros_like(target[0])
    draw = functools.partial(visualize.draw_skeleton, black, scale=scale)
    poses = map(draw, batch["target_keypoints"])
    pairs = list(zip(source, poses, target, *generated.values(), strict=True))
    # Two pairs side by side make a picture that fits a screen.
    blocks = 2 if len(pairs) > _MOST_ROWS and len(generated) <= 2 else 1
    folded = [
        [picture for pair in pairs[i : i + blocks] for picture in pair]
        for i in range(0, len(pairs), blocks)
    ]
    return visualize.grid(folded, (*_GIVEN, *generated) * blocks, scale=scale)


def spread_rows(total: int, count: int) -> set[int]:
    """At most `count` rows of a list, evenly spaced over its `total`."""
    rows = np.linspace(0, total - 1, min(count, total)).round()
    return {int(row) for row in rows}


def spread_pairs(
    dataset: pair_reader.PairDataset, count: int, limit: int
) -> inputs.Batch:
    """Evenly spaced test pairs of the first `limit` (0: all), as in evaluation.png."""
    total = dataset.count("test")
    return pairs_at(dataset, spread_rows(min(total, limit or total), count))


def pairs_at(dataset: pair_reader.PairDataset, rows: Collection[int]) -> inputs.Batch:
    """Test pairs by their numbers, from 0; at least one, in ascending order."""
    each = enumerate(dataset.test_batches(batch_size=1, limit=max(rows) + 1))
    pairs = [test.batch for row, test in each if row in rows]
    return jax.tree.map(lambda *arrays: np.concatenate(arrays), *pairs)


def to_base64(image: np.ndarray, file_format: str, **options: Any) -> str:
    """The file of an image uint8 [H, W, 3], in base64."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, file_format, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def of_progress(
    config: Config, dataset: pair_reader.PairDataset
) -> Callable[[train_state.TrainState, int], np.ndarray]:
    """(state, step) -> the first test pairs, generated with the state, [H, W, 3] uint8,
    which it also writes to pictures/step_XXXXXX.png."""
    folder = pathlib.Path(config.workdir).expanduser() / "pictures"
    rows = min(_MOST_ROWS, dataset.count("test"))
    (first,) = dataset.test_batches(batch_size=rows, limit=rows)
    batch, architecture = first.batch, restore.architecture_of(config.to_json())

    def write(state: train_state.TrainState, step: int) -> np.ndarray:
        poses = batch["source_keypoints"], batch["target_keypoints"]
        generated = generation.compiled_generate()(
            # This process works alone.
            sharding.local(state.coarse.drawing_params),
            sharding.local(state.refine.drawing_params) if state.refine else None,
            batch["source_image"],
            *poses,
            architecture=architecture,
        )
        picture = compare(batch, jax.device_get(generated))
        folder.mkdir(parents=True, exist_ok=True)
        results.write_picture(folder / f"step_{step:06d}.png", picture)
        return np.asarray(picture)

    return write


@contextlib.contextmanager
def replacing(folder: pathlib.Path) -> Iterator[Callable[[protocol.Batch], None]]:
    """Gives what saves a batch into the folder of --save_images, which takes the place
    of an older one at the end, if all went well. A ValueError refuses a folder that
    holds anything else."""
    there = folder.iterdir() if folder.exists() else ()
    others = sorted(path.name for path in there if path.name not in _SAVED)
    if others:
        raise ValueError(
            f"--save_images would replace {folder}, which holds more than images of an "
            f"evaluation: {others[0]}; move it away."
        )
    with files.replacing_folder(folder) as new:
        yield functools.partial(_save, new, set())
        if folder.exists():
            shutil.rmtree(folder)


def _save(folder: pathlib.Path, used: set[str], batch: protocol.Batch) -> None:
    """Writes the images of a batch as KIND/SOURCE__TARGET.png, with names not used."""
    names = []
    for key in (pair_names.key(*pair) for pair in batch.names):
        # A number where that is not unique.
        numbered = (f"{key}__{i}" if i > 1 else key for i in itertools.count(1))
        names.append(next(name for name in numbered if name not in used))
        used.add(names[-1])
    for kind, images in {**batch.images, "target": batch.target}.items():
        if kind in _SAVED:
            (folder / kind).mkdir(exist_ok=True)
            for name, image in zip(names, images, strict=False):
                Image.fromarray(image).save(folder / kind / f"{name}.png")
