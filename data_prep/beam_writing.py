"""Writing the shards on Apache Beam: on many machines, or on many cores of this one.

The machine that starts the program reads and checks the photos, decides the order of
the records and divides them into shards, exactly as without Beam. A worker gets one
shard at a time and writes it with the same code, so that the files are the same byte
for byte. What the workers read, the spool file of the photos and the list of the pairs,
lies beside the data set: on a disk that all of them see under the same path.
"""

import contextlib
import os
import pathlib
import pickle
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data_prep import pose_pairs
from data_prep.pair_list import NumberedPairs

try:
    import apache_beam as beam
    from apache_beam.options import pipeline_options
except ImportError as missing:
    raise ValueError(
        "--beam_pipeline_options needs Apache Beam, which is not installed: "
        'pip install -e ".[data,beam]"'
    ) from missing


def pipeline(options: Sequence[str]) -> beam.Pipeline:
    """Returns an empty pipeline.

    Args:
        options: Beam's own options without dashes, such as "runner=FlinkRunner".

    Raises:
        ValueError: Beam does not know the runner or an option, or misses one.
    """
    try:
        # Beam's parser answers a mistake as a program would: it prints and exits.
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            given = pipeline_options.PipelineOptions([f"--{word}" for word in options])
            values = given.get_all_options()
            new = beam.Pipeline(options=given)
    except (Exception, SystemExit) as error:
        # The runners raise what they like.
        raise ValueError(
            f"--beam_pipeline_options={','.join(options)}: {error}"
        ) from error
    unknown = [word for word in options if word.partition("=")[0] not in values]
    if unknown:
        raise ValueError(
            f"--beam_pipeline_options={','.join(options)}: Beam has no option "
            f"{unknown[0].partition('=')[0]!r}"
        )
    return new


class ShardsOnBeam:
    """Takes the place of `pose_pairs.write_here`."""

    def __init__(self, stage: pathlib.Path, options: Sequence[str]) -> None:
        """Prepares the writing.

        Args:
            stage: temporary folder that all workers see.
            options: as `pipeline`.
        """
        self._stage, self._options = stage, options

    def __call__(
        self,
        store: pose_pairs.PhotoStore,
        splits: Mapping[str, NumberedPairs],
        shards: Sequence[pose_pairs.Shard],
        progress: Callable[[Any], None],
    ) -> None:
        """Runs the pipeline to its end.

        Raises:
            OSError: it failed; the message is that of the first error.
        """
        job = self._stage / "job.pickle"
        job.write_bytes(pickle.dumps((store, dict(splits))))
        steps = pipeline(self._options)
        (
            steps
            | "Shards" >> beam.Create(list(shards))
            # Without it a runner may give all shards to the worker that listed them.
            | "Distribute" >> beam.Reshuffle()
            | "Write" >> beam.ParDo(_WriteShard(str(job)))
        )
        try:
            state = steps.run().wait_until_finish()
        except Exception as error:
            # Runners wrap what a worker raised in exceptions of their own.
            raise OSError(f"the Beam pipeline failed: {_cause(error)}") from error
        missing = [shard.path for shard in shards if not os.path.exists(shard.path)]
        if missing:
            raise OSError(
                f"the Beam pipeline ended ({state}) without {missing[0]}; do all "
                "workers see this folder?"
            )
        progress(sum(shard.stop - shard.start for shard in shards))


class _WriteShard(beam.DoFn):
    """Writes shards, each under another name until it is whole: a runner may repeat a
    shard that failed, or start one twice."""

    def __init__(self, job: str) -> None:
        self._job = job

    def setup(self) -> None:
        with open(self._job, "rb") as file:
            self._store, self._splits = pickle.load(file)

    def process(self, shard: pose_pairs.Shard) -> None:
        folder = os.path.dirname(self._job)
        temporary = os.path.join(folder, f"shard-{uuid.uuid4().hex}")
        pairs = self._splits[shard.split]
        for _ in pose_pairs.write_shard(self._store, pairs, shard, temporary):
            pass
        os.replace(temporary, shard.path)

    def teardown(self) -> None:
        self._store.close()


def _cause(error: BaseException) -> str:
    """The last line of the innermost message, where the worker's own error stands."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "rror" in line), repr(error))
