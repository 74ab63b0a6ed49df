"""The weights that --lpips names."""

from experiments.evaluate import metric_weights
from pg2_jax.metrics import lpips_weights


def load(flag: str) -> list[lpips_weights.Weights]:
    """Reads the files of --lpips; no pickle is executed.

    Args:
        flag: paths, or words of `published_weights`, with commas between; or empty.

    Raises:
        ValueError: a file holds no LPIPS, or two hold the same network.
    """
    try:
        return lpips_weights.read_all(metric_weights.locate("lpips", flag))
    except (ValueError, OSError) as error:
        begin = "" if str(error).startswith("--lpips") else f"--lpips={flag}: "
        raise ValueError(f"{begin}{error}") from error
