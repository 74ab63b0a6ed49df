"""People in new poses by trained weights: for notebooks and programs."""

import dataclasses
import functools
import os
import pathlib
import sys
import tempfile
from typing import Any

import numpy as np

from pg2_jax import files
from pg2_jax.checkpoint import restore, run_folder
from pg2_jax.estimators import person_finder
from pg2_jax.inference import (
    exported_model,
    fitting,
    full_resolution,
    hub,
    result,
    retarget,
    source_photo,
    target_pose,
)
from pg2_jax.inference.batch import BATCH_SIZE, Generated, in_chunks, require_views


class PoseTransfer:
    """Trained generators: photos and poses in, the same people in those poses out.

    Several threads may call one object. It compiles twice, for its first single image
    and for its first batch. Input that it cannot use raises a ValueError.

    Attributes:
        architecture: the networks.
        image_size: (height, width) of the images.
        config: every setting of the run.
        step: finished training steps.
        keeps_resolution: whether it also gives images at the photo's own resolution,
            `Result.large`.

    Example:
        model = pg2_jax.PoseTransfer.restore("runs/market1501")
        result = model("person.jpg", "dancer.json")
        result.save("dancing.png")
    """

    def __init__(
        self,
        model: restore.Generators | exported_model.Program,
        *,
        finder: person_finder.PersonFinder | None = None,
    ):
        """Takes a restored model; see `restore`, which most callers want."""
        self._model = model
        self._finder = finder or person_finder.PersonFinder()
        self.architecture, self.image_size = model.architecture, model.architecture.size
        self.config, self.step = model.config, model.step
        self.keeps_resolution = full_resolution.moves_pixels(model)

    @classmethod
    def restore(
        cls,
        path: files.PathLike,
        step: restore.Wanted = None,
        weights: restore.Weights = "averaged",
        precision: str = "",
        *,
        finder: person_finder.PersonFinder | None = None,
    ) -> "PoseTransfer":
        """Reads a trained model. Raises a ValueError if there is none, or if it is
        damaged or was made by a later version.

        Args:
            path: the folder of a run, or of one of its checkpoints; a file that
                `export` wrote, on a disk or in cloud storage such as "gs://bucket/file";
                a folder that holds one such file and no run; or "hf://user/repository"
                on the Hugging Face Hub, with "@revision" if wanted.
            step: the checkpoint of a run; "best" for the best, None for the newest.
            weights: the averages, if the run kept them, or the raw weights.
            precision: to compute in, "float32" or "bfloat16"; empty for the run's own.
            finder: finds people in photos; None for any installed estimator.
        """
        say = functools.partial(print, file=sys.stderr)
        name = run_folder.model_of(hub.local(os.fspath(path)), say)
        if run_folder.is_model(name):
            if step is not None or weights != "averaged":
                rule = "is a single model; step and weights are for runs."
                raise ValueError(f"{path} {rule}")
            return cls(exported_model.read(name, precision), finder=finder)
        run, named_step = run_folder.run_of(name)
        wanted = named_step if step is None else step
        generators = restore.restore_generators(run, wanted, weights, precision)
        return cls(generators, finder=finder)

    def __call__(
        self,
        image: Any,
        pose: Any,
        *,
        source_pose: Any = None,
        pose_name: str = "",
        pose_person: int = 1,
        pose_size: tuple[int, int] | None = None,
        pose_fit: str = "auto",
        mirror: bool = False,
        fit: str = "auto",
        person: int = 0,
        paste_back: bool = False,
        max_side: int = full_resolution.MAX_SIDE,
    ) -> result.Result:
        """Generates the person of a photo in a pose.

        Args:
            image: a file, a Pillow image, or an array: uint8, floats in 0 .. 1, or in
                -1 .. 1 if one is negative; grey, RGB or RGBA; of any size, see `fit`.
            pose: an array [18, 3] (x, y, visible) in pixels of the model's image; an
                annotation file, such as OpenPose's JSON; a photo (file or Pillow image)
                whose person takes the pose; or "catalogue/back", see `pose_library`.
            source_pose: the joints of the person in `image`, in its pixels: an array or
                an annotation file.
            pose_name: which of several poses.
            pose_person: which of several people in an annotation file, by size from 1.
            pose_size: (height, width) of the image that the pose is of.
            pose_fit: where the pose gets its size and place from: the "body" of the
                source person (the default where its joints are known), the "image", or
                "none", see `fitting.fit_poses`.
            mirror: takes the pose as in a mirror, left for right.
            fit: how a photo of another size gets the model's: "crop" to the person (the
                default where the joints are known), "letterbox" or "stretch", see
                `source_photo.read_source`.
            person: which of several people in `image`, from 1, from left to right; 0
                for the largest, who must be clearly larger than the others.
            paste_back: also puts the person into the whole photo, `Result.whole`.
            max_side: the most pixels of the longer side of `Result.large`, the image at
                the photo's own resolution, which pg2plus gives.
        """
        given = target_pose.read_poses(
            pose, pose_name, self._finder, pose_person, pose_size
        )
        if len(given.poses) > 1:
            first = next(iter(given.poses))
            raise ValueError(
                f"{given.place} holds {len(given.poses)} poses; choose one with "
                f"pose_name, such as pose_name={first}, or generate them as a sequence."
            )
        how = pose_fit, pose_size, mirror, fit, person, paste_back, max_side
        (only,) = self._in_poses(given, image, source_pose, *how)
        return only

    def sequence(
        self,
        image: Any,
        poses: Any,
        *,
        source_pose: Any = None,
        pose_name: str = "",
        pose_person: int = 1,
        pose_size: tuple[int, int] | None = None,
        pose_fit: str = "auto",
        mirror: bool = False,
        between: int = 0,
        fit: str = "auto",
        person: int = 0,
        paste_back: bool = False,
        max_side: int = full_resolution.MAX_SIDE,
    ) -> result.Results:
        """Generates the person of a photo in several poses, as in the paper's Figure
        1(c).

        Args:
            image: as in a call, like all arguments that are not listed here.
            poses: an array [N, 18, 3]; an annotation file or a folder of them, in
                order; or "walk", "turn", "wave" or "catalogue", see `pose_library`.
                They are scaled and moved alike. Of several people one is followed, by
                `pose_person`; frames without them get a pose between those around.
            between: poses put between each two of them.
        """
        given = target_pose.read_poses(
            poses, pose_name, self._finder, pose_person, pose_size, sequence=True
        )
        how = pose_fit, pose_size, mirror, fit, person, paste_back, max_side
        return self._in_poses(given, image, source_pose, *how, between)

    def batch(
        self,
        images: np.ndarray,
        poses: np.ndarray,
        *,
        source_poses: np.ndarray | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Generated:
        """Generates many people in as many poses: arrays in, arrays out.

        Args:
            images: uint8 [N, H, W, 3] of the model's size.
            poses: float32 [N, 18, 3], (x, y, visible) in pixels of an image of the
                model's size, OpenPose COCO-18 order.
            source_poses: float32 [N, 18, 3], those of the people in the images, where
                the architecture `needs_source_pose`; without them it moves no pixels.
            batch_size: how many are generated at once; the last ones are padded to it.
                Another value compiles again.
        """
        return in_chunks(self._model, images, poses, source_poses, batch_size)

    def export(
        self,
        path: files.PathLike,
        form: str = "safetensors",
        dtype: str = "float32",
    ) -> None:
        """Writes the model as one file, which `restore` reads.

        Args:
            path: on a disk, or in cloud storage such as "gs://bucket/file"; ends in
                ".safetensors", ".jax_export" or ".onnx", as `form` says.
            form: "safetensors", the weights; "jax_export", a compiled program that
                needs only jax; or "onnx", a program for ONNX Runtime and others. From
                a program no weights can be exported.
            dtype: of the stored weights, "float32", "float16" or "bfloat16".
        """
        if isinstance(self._model, exported_model.Program):
            raise ValueError(
                "A model restored from .jax_export or .onnx has no weights to export; "
                "export from its run, or copy the file."
            )
        exported_model.write(path, self._model, form, dtype)

    def push_to_hub(
        self,
        repository: str,
        *,
        metrics: files.PathLike | None = None,
        dtype: str = "float32",
        private: bool = False,
    ) -> str:
        """Uploads the model to the Hugging Face Hub, with its config and a model card;
        returns the address of the repository.

        Args:
            repository: "user/repository"; made if there is none.
            metrics: the metrics.json of an evaluation, for the card.
            dtype: of the weights.
            private: whether a new repository is private.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, hub.FILE)
            self.export(file, dtype=dtype)
            about = self.config, self.step, metrics
            return hub.push(repository, file, *about, private=private)

    def _in_poses(
        self,
        given: target_pose.Poses,
        image: Any,
        source_pose: Any,
        pose_fit: str,
        pose_size: tuple[int, int] | None,
        mirror: bool,
        fit: str,
        person: int,
        paste_back: bool,
        max_side: int,
        between: int = 0,
    ) -> result.Results:
        source = source_photo.read_source(
            image,
            source_pose,
            self.image_size,
            self._finder,
            fit,
            paste_back,
            needs_joints=self.architecture.needs_source_pose,
            person=person,
        )
        poses = fitting.fit_poses(
            given, self.image_size, source.pose, pose_fit, pose_size, mirror=mirror
        )
        names = list(given.poses)
        if self.architecture.pose_embedding == "view":
            for name, points in zip(names, poses, strict=True):
                require_views(points[None], f"{given.place}: {name}")
        if between:
            poses = retarget.interpolate(poses, between)
            names = [f"{i:03d}" for i in range(len(poses))]
        return self._drawn(source, poses, names, max_side)

    def _drawn(
        self,
        source: source_photo.Source,
        poses: np.ndarray,
        names: list[str],
        max_side: int,
    ) -> result.Results:
        """The person in poses [N, 18, 3] in pixels of the model's image."""
        images = np.broadcast_to(source.image, (len(poses), *source.image.shape))
        joints = np.zeros((18, 3)) if source.pose is None else source.pose
        sources = np.broadcast_to(joints, poses.shape)
        generated = self.batch(images, poses, source_poses=sources)
        made = full_resolution.pictures(self._model, source, poses, max_side)
        drawn = []
        for i, name in enumerate(names):
            refined = None if generated.refined is None else generated.refined[i]
            one = result.Result(
                source.image,
                poses[i],
                generated.coarse[i],
                refined,
                large=made and made.pictures[i],
                large_source=made and made.photo,
                max_side=max_side,
                name=name,
            )
            if source.pasted_back:
                whole = source.pasted(one.finest, poses[i], complete=made is not None)
                one = dataclasses.replace(one, whole=whole)
            drawn.append(one)
        return result.Results(drawn)
