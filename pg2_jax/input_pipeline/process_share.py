"""Which of several processes reads what of each batch.

With virtual readers the files are dealt to these first: a batch has equally many pairs
of each, one reader after the other. So a process needs those readers alone whose pairs
are in its share, and the batch is the same for any number of processes.
"""

import dataclasses
import math

from pg2_jax import errors

_MOST = 64
# Of each reader, at least. It shuffles its files and a part of their records: with
# fewer files every epoch would be much the same.
_FILES = 4


@dataclasses.dataclass(frozen=True)
class Share:
    """The i-th of n equal parts of a batch."""

    batch_size: int  # over all processes
    index: int
    count: int

    @property
    def rows(self) -> int:
        return self.batch_size // self.count

    @property
    def first(self) -> int:
        """The first of its rows in the batch."""
        return self.index * self.rows


def of_process(batch_size: int, process_index: int, process_count: int) -> Share:
    """The share of a process; the processes must divide the batch."""
    if batch_size % process_count:
        rule = (
            f" must be a multiple of the number of processes, {process_count}, because "
            "each takes an equal share of the batch."
        )
        raise errors.ArgumentError("batch_size", batch_size, rule)
    if not 0 <= process_index < process_count:
        rule = f" must lie in [0, {process_count})."
        raise errors.ArgumentError("process_index", process_index, rule)
    return Share(batch_size, process_index, process_count)


def choose_readers(wanted: int, batch_size: int, files: int) -> int:
    """The number of virtual readers that is wanted; for 0 as many as suit. One that
    does not divide the batch and the number of files is a ValueError."""
    if not wanted:
        largest = math.gcd(_FILES * _MOST, _FILES * batch_size, files)
        return max(1, largest // _FILES)
    if batch_size % wanted or files % wanted:
        rule = f" must divide batch_size={batch_size} and the {files} training files."
        raise errors.ArgumentError("virtual_readers", wanted, rule)
    return wanted


def readers_of(share: Share, readers: int) -> tuple[range, Share]:
    """Which of the virtual readers a process reads, and its share of what they give
    together: where the processes do not divide the readers, some read the same ones."""
    groups = math.gcd(share.count, readers)
    processes = share.count // groups
    group, index = divmod(share.index, processes)
    mine = readers // groups
    of_group = Share(share.batch_size // groups, index, processes)
    return range(group * mine, (group + 1) * mine), of_group
