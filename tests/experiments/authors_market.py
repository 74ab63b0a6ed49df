"""The authors' own numbers for their 128x64 model, small enough for every clone.

authors_market.npz is a reduced copy of larger files that are not in the repository.
They were computed with the authors' released TensorFlow code
(Pose-Guided-Person-Image-Generation, MIT licence, commit c32f859) at a small width.
Photos, poses and weights are all random; nothing comes from a data set or a trained
model, and no code of the authors is included. The copy is made by

    python -m tests.experiments.authors_market ../shared/golden

from market.npz, trajectory_market.npz and the checkpoint tf1_market of that folder, and
keeps their names: the batch (x_*, keypoints_*, pose_*, mask_*), what the networks make
of it (G1, DiffMap and G2 as *_s3, on every third row and column; D_logits_*), the
losses, the norms of the gradients by variable (grad_*), and the losses of training at
two learning rates (lr*). Biases and batch norm are kept in one array, `vectors`. The
kernels, 1.5 MB, are drawn again as the authors' program drew them, and checked by their
norms and sums (var_*).
"""

import argparse
import json
import math
import pathlib

import numpy as np

from experiments import import_checkpoint
from pg2_jax import files
from tests.late import tf

FILE = pathlib.Path(__file__).with_suffix(".npz")
SEED = 123  # of the authors' program, for numpy and for the graph

_BATCH = ("x_uint8", "x_target_uint8", "keypoints_target", "pose_target", "mask_target")
_LOGITS = tuple(f"D_logits_{of}" for of in ("target", "condition", "G1", "G2"))
_LOSSES = ("g_loss1", "PoseMaskLoss1", "PoseMaskLoss2", "L1Loss2", "g_loss2", "d_loss")
_GRADIENTS = tuple(
    f"grad_{loss}_{part}"
    for loss in ("g_loss1", "g_loss2", "d_loss")
    for part in ("names", "norms")
)
_RATES = ("2e-5", "1e-4")  # at 1e-3 training is chaotic
_RUN = ("stage1_g_loss1", "stage2_g_loss2_before_g", "stage2_d_loss_before_d")


def reduced(golden: pathlib.Path) -> dict[str, np.ndarray]:
    """What authors_market.npz holds, from the larger files in the folder `golden`."""
    market = np.load(golden / "market.npz")
    run = np.load(golden / "trajectory_market.npz")
    values = import_checkpoint.read_variables(str(golden / "tf1_market/model.ckpt-0"))
    kept = {name: market[name] for name in _BATCH + _LOGITS + _LOSSES + _GRADIENTS}
    kept |= {f"{name}_s3": market[name][:, ::3, ::3] for name in ("G1", "DiffMap")}
    kept |= {
        f"lr{rate}_{key}": run[f"lr{rate}_{key}"] for rate in _RATES for key in _RUN
    }
    trained = np.isin(market["var_names"], run["names"])
    for name in ("var_names", "var_shapes", "var_l2", "var_sum"):
        kept[name] = market[name][trained]
    vectors = [values[n] for n in kept["var_names"] if values[n].ndim == 1]
    return kept | {"vectors": np.concatenate(vectors)}


def load() -> dict[str, np.ndarray]:
    """The numbers of authors_market.npz, and G2_s3, which is a sum of two of them."""
    with np.load(FILE) as file:
        data = dict(file)
    return data | {"G2_s3": data["G1_s3"] + data["DiffMap_s3"]}


def variables(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of G1, G2 and D by the authors' names.

    Raises:
        ValueError: a kernel was not drawn as by the authors' program.
    """
    sizes = [tuple(json.loads(size)) for size in data["var_shapes"].tolist()]
    shapes = dict(zip(data["var_names"].tolist(), sizes, strict=True))
    kernels = {name: shape for name, shape in shapes.items() if len(shape) > 1}
    discriminator = {n: s for n, s in kernels.items() if n.startswith("Discriminator")}
    generators = {n: s for n, s in kernels.items() if n not in discriminator}
    values = _generator_kernels(generators) | _discriminator_kernels(discriminator)
    _check(values, data)
    vectors = {name: shape for name, shape in shapes.items() if len(shape) == 1}
    ends = np.cumsum([length for (length,) in vectors.values()])
    parts = np.split(data["vectors"], ends[:-1])
    values |= dict(zip(vectors, parts, strict=True))
    return values


def _generator_kernels(shapes):
    """Glorot-uniform draws of tensorflow, numbered through G1 and then G2."""
    # A graph of its own: TensorFlow's eager generators go on where they last stopped.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(SEED)
        drawn = {}
        for number, (name, shape) in enumerate(shapes.items()):
            fans = math.prod(shape[:-2]) * (shape[-2] + shape[-1])
            limit = math.sqrt(6 / fans)
            drawn[name] = tf.random.uniform(shape, -limit, limit, seed=number)
        return session.run(drawn)


def _discriminator_kernels(shapes):
    """Uniform draws of numpy with standard deviation 0.02, one after the other."""
    rng = np.random.RandomState(SEED)
    limit = 0.02 * math.sqrt(3)
    return {
        name: rng.uniform(-limit, limit, shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def _check(kernels, data):
    """Norms and sums, not bits: another machine may round the last one otherwise."""
    names = data["var_names"].tolist()
    wanted = zip(data["var_l2"].tolist(), data["var_sum"].tolist(), strict=True)
    wanted = dict(zip(names, wanted, strict=True))
    for name, kernel in kernels.items():
        kernel = kernel.astype(np.float64)
        got = float(np.linalg.norm(kernel)), float(kernel.sum())
        if not np.allclose(got, wanted[name], rtol=1e-6, atol=1e-5):
            raise ValueError(
                f"{name} has norm and sum {got}, the authors' had {wanted[name]}: the "
                f"random numbers of tensorflow {tf.version.VERSION} or numpy "
                f"{np.__version__} differ from those that drew the authors' weights."
            )


def write_checkpoint(values: dict[str, np.ndarray], prefix: str) -> None:
    """Writes variables as the authors' Saver does, in the files `prefix`.*."""
    names = list(values)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=list(values.values()),
    )


def main() -> None:
    """Writes authors_market.npz."""
    parser = argparse.ArgumentParser(description="Makes authors_market.npz.")
    parser.add_argument("golden", type=pathlib.Path, help="folder of market.npz")
    golden = parser.parse_args().golden
    if not (golden / "market.npz").is_file():
        parser.error(f"there is no market.npz in {golden}")
    numbers = reduced(golden)
    with files.replacing(FILE) as temporary:
        np.savez_compressed(temporary, **numbers)


if __name__ == "__main__":
    main()
