"""PG2 (Ma et al., NIPS 2017) in JAX: a person's photo and a pose in, the person in
that pose out.

    model = pg2_jax.PoseTransfer.restore("runs/market1501")
    image = model("person.jpg", "dancer.json")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pg2_jax.inference.pose_transfer import PoseTransfer

__version__ = "0.1.0"
__all__ = ["PoseTransfer", "__version__"]


def __getattr__(name: str) -> Any:
    # jax takes a second to import, which those who ask for the version need not wait.
    if name == "PoseTransfer":
        from pg2_jax.inference import pose_transfer

        return pose_transfer.PoseTransfer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
