"""How the files of a data set are dealt to virtual readers, and these to processes.

A batch has equally many pairs of each virtual reader, one reader after the other. So a
process needs those readers alone whose pairs are in its share of the batch, and the
batch is the same for any number of processes. A single virtual reader has all files.
"""

import math

from pg2_jax import errors
from pg2_jax.input_pipeline.process_share import Share

_MOST = 64
# Of each reader, at least. It shuffles its files and a part of their records: with
# fewer files every epoch would be much the same.
_FILES = 4


def choose(wanted: int, batch_size: int, files: int) -> int:
    """The number of virtual readers that is wanted; for 0 as many as suit. One that
    does not divide the batch and the number of files is a ValueError."""
    if not wanted:
        largest = math.gcd(_FILES * _MOST, _FILES * batch_size, files)
        return max(1, largest // _FILES)
    if batch_size % wanted or files % wanted:
        rule = f" must divide batch_size={batch_size} and the {files} training files."
        raise errors.ArgumentError("virtual_readers", wanted, rule)
    return wanted


def of_process(readers: int, share: Share) -> tuple[range, Share]:
    """Which of the readers a process reads, and its share of what they give together.

    Where the processes divide the readers, it has readers of its own. Else some
    processes read the same ones, and each takes its share."""
    groups = math.gcd(share.count, readers)
    processes = share.count // groups
    group, index = divmod(share.index, processes)
    mine = readers // groups
    of_group = Share(share.batch_size // groups, index, processes)
    return range(group * mine, (group + 1) * mine), of_group
