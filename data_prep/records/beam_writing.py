"""Writing the shards on Apache Beam: on many machines, or on many cores of this one.

A worker writes one shard at a time with the code that is used without Beam, so that the
files are the same byte for byte. The photos and the list of the pairs go to the
workers, and the shards come back, through the folder where the data set is made, on a
disk that all of them see under the same path, or a folder in a bucket.
"""

import contextlib
import os
import pathlib
import pickle
import tempfile
import uuid
from collections.abc import Sequence

import tensorflow as tf

from data_prep.records import pose_pairs

try:
    import apache_beam as beam
    from apache_beam.options import pipeline_options
except ImportError as missing:
    raise ValueError(
        "--beam_pipeline_options needs Apache Beam, which is not installed: "
        'pip install -e ".[data,beam]"'
    ) from missing


def _pipeline(options: Sequence[str]) -> beam.Pipeline:
    """An empty pipeline with options of Beam's own, such as "runner=FlinkRunner"; a
    ValueError if Beam does not know one, or misses one."""
    flag = f"--beam_pipeline_options={','.join(options)}"
    try:
        # Beam's parser answers a mistake as a program would: it prints and exits.
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            given = pipeline_options.PipelineOptions([f"--{word}" for word in options])
            values = given.get_all_options()
            new = beam.Pipeline(options=given)
    except (Exception, SystemExit) as error:
        # The runners raise what they like.
        raise ValueError(f"{flag}: {error}") from error
    for name in (word.partition("=")[0] for word in options):
        if name not in values:
            raise ValueError(f"{flag}: Beam has no option {name!r}")
    return new


class ShardsOnBeam:
    """A `pose_pairs.WriteShards`."""

    def __init__(
        self, stage: pathlib.Path, options: Sequence[str], shared_dir: str = ""
    ) -> None:
        """Prepares the writing, through the temporary folder `stage` or else a folder
        that tensorflow can write to from everywhere, such as gs://BUCKET/FOLDER."""
        self._steps = _pipeline(options)
        if shared_dir:
            try:
                tf.io.gfile.makedirs(shared_dir)
            except tf.errors.OpError as error:
                raise ValueError(
                    f"--beam_shared_dir={shared_dir}: cannot be used: {error.message}"
                ) from error
        self._shared = bool(shared_dir)
        name = f"shards-{uuid.uuid4().hex}"
        self._folder = f"{shared_dir.rstrip('/') if shared_dir else stage}/{name}"

    def __call__(
        self,
        store: pose_pairs.PhotoStore,
        splits: pose_pairs.Splits,
        shards: Sequence[pose_pairs.Shard],
        progress: pose_pairs.Progress,
    ) -> None:
        """Runs the pipeline and fetches the shards; an OSError says why not."""
        tf.io.gfile.makedirs(self._folder)
        try:
            photos = store.path
            if self._shared:
                photos = f"{self._folder}/photos"
                tf.io.gfile.copy(store.path, photos)
            job = photos, store.starts, store.checksums, dict(splits)
            with tf.io.gfile.GFile(f"{self._folder}/job", "wb") as file:
                file.write(pickle.dumps(job))
            self._run(shards)
            for shard in shards:
                written = f"{self._folder}/{os.path.basename(shard.path)}"
                if not tf.io.gfile.exists(written):
                    raise OSError(
                        f"the Beam pipeline ended without {written}; do all workers "
                        "see this folder? (--beam_shared_dir names another)"
                    )
                if self._shared:
                    tf.io.gfile.copy(written, shard.path)
                else:
                    os.replace(written, shard.path)
                progress(shard.stop - shard.start)
        finally:
            tf.io.gfile.rmtree(self._folder)

    def _run(self, shards: Sequence[pose_pairs.Shard]) -> None:
        (
            self._steps
            | "Shards" >> beam.Create(list(shards))
            # Without it a runner may give all shards to the worker that listed them.
            | "Distribute" >> beam.Reshuffle()
            | "Write" >> beam.ParDo(_WriteShard(self._folder, self._shared))
        )
        try:
            self._steps.run().wait_until_finish()
        except Exception as error:
            # Runners wrap what a worker raised; its own error is the innermost, last.
            lines = [line.strip() for line in str(error).splitlines() if "rror" in line]
            cause = lines[-1] if lines else repr(error)
            raise OSError(f"the Beam pipeline failed: {cause}") from error


class _WriteShard(beam.DoFn):
    """Writes shards, each under another name until it is whole: a runner may repeat a
    shard that failed, or start one twice."""

    def __init__(self, folder: str, shared: bool) -> None:
        self._folder, self._shared = folder, shared

    def setup(self) -> None:
        """Reads the job and opens the photos, once for each worker."""
        with tf.io.gfile.GFile(f"{self._folder}/job", "rb") as file:
            photos, *places, self._splits = pickle.loads(file.read())
        self._disk = tempfile.TemporaryDirectory() if self._shared else None
        if self._disk:
            # From a bucket single photos are slow to read.
            copy = f"{self._disk.name}/photos"
            tf.io.gfile.copy(photos, copy)
            photos = copy
        self._store = pose_pairs.PhotoStore.reopened(photos, *places)

    def process(self, shard: pose_pairs.Shard) -> None:
        temporary = f"{self._folder}/unfinished-{uuid.uuid4().hex}"
        pairs = shard.pairs_of(self._splits)
        # A bucket's files are written by tensorflow, shards on a disk.
        path = f"{self._disk.name}/shard" if self._disk else temporary
        pose_pairs.write_shard(self._store, pairs, path, lambda count: None)
        if self._disk:
            tf.io.gfile.copy(path, temporary)
            os.remove(path)
        target = f"{self._folder}/{os.path.basename(shard.path)}"
        tf.io.gfile.rename(temporary, target, overwrite=True)

    def teardown(self) -> None:
        self._store.close()
        if self._disk:
            self._disk.cleanup()
