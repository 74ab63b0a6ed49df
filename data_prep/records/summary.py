"""What was wrong in a conversion, what it wrote and what it left out, in words."""

import dataclasses
from collections.abc import Mapping

from data_prep.records.output_folder import PICTURE, SKIPPED
from pg2_jax.errors import counted
from pg2_jax.input_pipeline import cloud_files

MAX_LISTED_PROBLEMS = 20


@dataclasses.dataclass
class Problems:
    """What is wrong with the source, a message for each bad annotation row, pair or
    photo; it is left out (`skip`) or stops the conversion."""

    skip: bool
    rows: list[str] = dataclasses.field(default_factory=list)
    photos: list[str] = dataclasses.field(default_factory=list)

    def all(self) -> list[str]:
        """The messages, those of rows first."""
        return [*self.rows, *self.photos]

    def check(self) -> None:
        """Raises the first problems, unless they are to be skipped."""
        messages = self.all()
        if self.skip or not messages:
            return
        listed = "".join(f"\n  {message}" for message in messages[:MAX_LISTED_PROBLEMS])
        rest = len(messages) - MAX_LISTED_PROBLEMS
        more = f"\n  ... and {rest:,} more" if rest > 0 else ""
        raise ValueError(
            f"bad rows: {len(self.rows):,}, bad photos: {len(self.photos):,}; nothing "
            f"was written (--on_error=skip leaves them out):{listed}{more}"
        )


@dataclasses.dataclass
class SplitSummary:
    """Counts of one split; `unused` counts annotated photos in no pair, by reason."""

    images: int
    people: int
    pairs: int
    unused: Mapping[str, int]
    unannotated: int
    dropped_pairs: int


@dataclasses.dataclass
class Summary:
    splits: dict[str, SplitSummary]
    num_bytes: int
    problems: Problems
    converted: Mapping[str, int]
    outside_points: int

    def text(self, folder: cloud_files.Path) -> str:
        """The summary in lines for the terminal."""
        pairs = counted(sum(split.pairs for split in self.splits.values()), "pair")
        lines = [f"{folder}: {pairs}, {self.num_bytes / 2**20:,.1f} MiB"]
        for name, split in self.splits.items():
            lines.append(
                f"  {name}: {counted(split.images, 'photo')} of "
                f"{counted(split.people, 'person', 'people')}, "
                f"{counted(split.pairs, 'pair')}"
            )
            for why, count in sorted(split.unused.items()):
                lines.append(f"    photos not used: {count:,} ({why})")
            if split.unannotated:
                lines.append(f"    photos without keypoints: {split.unannotated:,}")
            if dropped := split.dropped_pairs:
                lines.append(f"    pairs left out for a bad photo: {dropped:,}")
        for how, count in sorted(self.converted.items()):
            lines.append(f"  photos converted: {count:,} ({how})")
        if self.outside_points:
            lines.append(f"  keypoints outside their photo: {self.outside_points:,}")
        rows, bad_photos = len(self.problems.rows), len(self.problems.photos)
        if rows or bad_photos:
            skipped = f"bad rows {rows:,}, bad photos {bad_photos:,}"
            lines.append(f"  skipped: {skipped}, see {folder / SKIPPED}")
        lines.append(f"  look at {folder / PICTURE}")
        return "\n".join(lines)
