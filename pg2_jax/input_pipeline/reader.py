"""What both readers know of a data set; they have the same methods."""

import numpy as np

from pg2_jax.input_pipeline import description


class Reader:
    """Batches are dicts of numpy arrays by key: images uint8 [B, H, W, 3], keypoints
    float32 [B, 18, 3], names bytes [B]. Bad files are ValueErrors."""

    def __init__(self, data_dir: str):
        self.data_dir = data_dir
        described, self.splits = description.read_whole(data_dir)
        self.height, self.width, self.metadata = described
        # People whose training pairs are the split "validation", and no longer of
        # "train"; and whether it is theirs, of each stored training pair.
        self.held_out: list[bytes] = []
        training = self.splits.get("train")
        self.is_held_out = np.zeros(training.pairs if training else 0, bool)
        # All training photos, uint8 [N, H, W, 3], if they are kept.
        self.training_photos: np.ndarray | None = None
