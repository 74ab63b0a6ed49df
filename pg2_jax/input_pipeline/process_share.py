"""The rows of each batch that one of several processes reads."""

import dataclasses

from pg2_jax import errors


@dataclasses.dataclass(frozen=True)
class Share:
    """The i-th of n equal parts of a batch."""

    batch_size: int  # over all processes
    index: int
    count: int

    @property
    def rows(self) -> int:
        """Rows of the part."""
        return self.batch_size // self.count

    @property
    def first(self) -> int:
        """The first of them in the batch."""
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
