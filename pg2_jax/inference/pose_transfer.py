"""Drawing people in new poses with trained weights: for notebooks and programs."""

import functools
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from pg2_jax import models
from pg2_jax.checkpoint import restore
from pg2_jax.inference import exported_model, retarget
from pg2_jax.inference.batch import BATCH_SIZE, BatchDrawer, Drawn, require_views
from pg2_jax.inference.result import Result, Results

if TYPE_CHECKING:
    from pg2_jax.estimators.person_finder import PersonFinder
    from pg2_jax.inference.source_photo import Source
    from pg2_jax.inference.target_pose import Poses

_HUB = "hf://"


class PoseTransfer:
    """Trained generators: photos and poses in, the same people in those poses out.

    Several threads may call one object. It compiles twice, on its first single image
    and on its first batch, and never again.

    Example:
        model = pg2_jax.PoseTransfer.restore("runs/market1501")
        result = model("person.jpg", "dancer.json")
        result.save("dancing.png")
    """

    def __init__(
        self,
        model: restore.Generators | exported_model.Program,
        *,
        finder: "PersonFinder | None" = None,
    ):
        """Takes a restored model; see `restore`.

        Args:
            model: weights with their architecture, or a compiled model.
            finder: of people in photos; None for whichever estimator is installed.
        """
        self._model = model
        self._given_finder = finder
        self._draw = BatchDrawer(model)

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        step: restore.Wanted = None,
        weights: restore.Weights = "averaged",
        precision: str = "",
        *,
        finder: "PersonFinder | None" = None,
    ) -> "PoseTransfer":
        """Reads a trained model.

        Args:
            path: the folder of a run, or of one of its checkpoints; a file that
                `export` wrote; or "hf://user/repository" on the Hugging Face Hub, with
                "@revision" if wanted.
            step: the checkpoint of a run; "best" for the best, None for the newest.
            weights: the averages, where the run kept them, or the raw weights.
            precision: to draw in, "float32" or "bfloat16"; empty for the run's own.
            finder: see the constructor.

        Raises:
            ValueError: there is no such model, it is damaged, or of a later version.
        """
        name = os.fspath(path)
        if name.startswith(_HUB):
            from pg2_jax.inference import hub

            name = hub.download(name.removeprefix(_HUB))
        file = pathlib.Path(name).expanduser()
        if file.is_file():
            if step is not None or weights != "averaged":
                raise ValueError(
                    f"{path} holds one model; step and weights choose in a run."
                )
            return cls(exported_model.read(file, precision), finder=finder)
        run, named_step = restore.run_of(name)
        generators = restore.restore_generators(
            run, named_step if step is None else step, weights, precision
        )
        return cls(generators, finder=finder)

    @property
    def architecture(self) -> models.Architecture:
        """Image size and networks."""
        return self._model.architecture

    @property
    def config(self) -> dict[str, Any]:
        """Every setting of the run."""
        return self._model.config

    @property
    def step(self) -> int:
        """Finished training steps."""
        return self._model.step

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self.architecture.image_height, self.architecture.image_width

    def __call__(
        self,
        image: Any,
        pose: Any,
        *,
        source_pose: Any = None,
        pose_name: str = "",
        pose_size: tuple[int, int] | None = None,
        pose_fit: str = "auto",
        mirror: bool = False,
        fit: str = "auto",
        paste_back: bool = False,
    ) -> Result:
        """Draws the person of a photo in a pose.

        Args:
            image: a file, a Pillow image, or an array: uint8, floats in 0 .. 1, or in
                -1 .. 1 if one is negative; grey, RGB or RGBA; of any size, see `fit`.
            pose: an array [18, 3] (x, y, visible) in pixels of the model's image; an
                annotation file, such as OpenPose's JSON; a photo, a file or a Pillow
                image, whose person takes the pose; or "catalogue/back", see
                `pose_library`.
            source_pose: the joints of the person in `image`, in its pixels: an array or
                an annotation file.
            pose_name: which of several poses.
            pose_size: (height, width) of the image that the pose was found in.
            pose_fit: how the pose gets its size and place, see
                `reading.pose.fit_poses`: "body", those of the source person (the
                default where they are known), "image", or "none".
            mirror: takes the pose as in a mirror, left for right.
            fit: how a photo of another size gets the model's, see
                `reading.photo.read_source`: "crop" to the person (the default where the
                joints are known), "letterbox" or "stretch".
            paste_back: also puts the drawing into the whole photo, `Result.whole`.

        Raises:
            ValueError: what is handed in cannot be used; says what and why.
        """
        from pg2_jax.inference import target_pose

        given = target_pose.read_poses(pose, pose_name, self._finder)
        if len(given.poses) > 1:
            first = next(iter(given.poses))
            raise ValueError(
                f"{given.place} holds {len(given.poses)} poses; choose one with "
                f"pose_name, such as pose_name={first}, or draw them as a sequence."
            )
        source = self._read_source(image, source_pose, fit, paste_back=paste_back)
        fitted = self._fit(given, source, pose_fit, pose_size, mirror=mirror)
        return self._results(source, fitted, paste_back=paste_back)[0]

    def sequence(
        self,
        image: Any,
        poses: Any,
        *,
        source_pose: Any = None,
        pose_name: str = "",
        pose_size: tuple[int, int] | None = None,
        pose_fit: str = "auto",
        mirror: bool = False,
        between: int = 0,
        fit: str = "auto",
        paste_back: bool = False,
    ) -> Results:
        """Draws the person of a photo in several poses, as in the paper's Figure 1(c).

        Args:
            image: as in a call, like all that is not named here.
            poses: an array [N, 18, 3]; an annotation file or a folder of them, in
                order; or "walk", "turn", "wave" or "catalogue", see `pose_library`.
                They are scaled and moved alike, so that a sequence keeps its motion.
            between: poses put between each two of them.

        Raises:
            ValueError: what is handed in cannot be used; says what and why.
        """
        from pg2_jax.inference import target_pose

        given = target_pose.read_poses(poses, pose_name, self._finder)
        source = self._read_source(image, source_pose, fit, paste_back=paste_back)
        fitted = self._fit(given, source, pose_fit, pose_size, mirror=mirror)
        if between:
            filled = retarget.interpolate(np.stack(list(fitted.values())), between)
            fitted = {f"{i:03d}": points for i, points in enumerate(filled)}
        return self._results(source, fitted, paste_back=paste_back)

    def batch(
        self, images: np.ndarray, poses: np.ndarray, *, batch_size: int = BATCH_SIZE
    ) -> Drawn:
        """Draws many people in as many poses: arrays in, arrays out.

        Args:
            images: uint8 [N, H, W, 3] of the model's size.
            poses: float32 [N, 18, 3], (x, y, visible) in pixels of an image of the
                model's size, OpenPose COCO-18 order.
            batch_size: how many are drawn at once; the last ones are padded to it, so
                that nothing is compiled for their number. Another value compiles anew.

        Returns:
            The images, uint8 [N, H, W, 3].

        Raises:
            ValueError: wrong shape or type, or a pose without a point in the image.
        """
        return self._draw(images, poses, batch_size)

    def export(
        self,
        path: str | os.PathLike[str],
        form: str = "safetensors",
        dtype: str = "float32",
    ) -> None:
        """Writes the model as one file, which `restore` reads; see `bundle.write`.

        Raises:
            ValueError: an unknown format or type, another suffix, or a model that was
                itself restored from a compiled one.
            OSError: the file cannot be written.
        """
        if isinstance(self._model, exported_model.Program):
            raise ValueError(
                "A model restored from .jax_export has no weights to take out; export "
                "from its run, or copy the file."
            )
        exported_model.write(path, self._model, form, dtype)

    def push_to_hub(
        self,
        repository: str,
        *,
        metrics: str | os.PathLike[str] | None = None,
        dtype: str = "float32",
        private: bool = False,
    ) -> str:
        """Uploads the model to the Hugging Face Hub, with its config and a model card.

        Args:
            repository: "user/repository"; made if there is none.
            metrics: the metrics.json of `--mode=evaluate`, for the card.
            dtype: of the weights.
            private: whether a new repository is private.

        Returns:
            The address of the repository.

        Raises:
            ValueError: not logged in, no such file, or huggingface_hub is missing.
        """
        from pg2_jax.inference import hub

        return hub.push(self, repository, metrics=metrics, dtype=dtype, private=private)

    @functools.cached_property
    def _finder(self) -> "PersonFinder":
        from pg2_jax.estimators import person_finder

        return self._given_finder or person_finder.PersonFinder()

    def _read_source(
        self, image: Any, source_pose: Any, fit: str, *, paste_back: bool
    ) -> "Source":
        from pg2_jax.inference import source_photo

        return source_photo.read_source(
            image,
            source_pose,
            self.image_size,
            self._finder,
            fit,
            pasted_back=paste_back,
        )

    def _fit(
        self,
        given: "Poses",
        source: "Source",
        fit: str,
        pose_size: tuple[int, int] | None,
        *,
        mirror: bool,
    ) -> dict[str, np.ndarray]:
        """The poses in the model's image, by name."""
        from pg2_jax.inference import target_pose

        fitted = target_pose.fit_poses(
            given, self.image_size, source.pose, fit, pose_size, mirror=mirror
        )
        if self.architecture.pose_embedding == "view":
            for name, points in fitted.items():
                require_views(points[None], f"{given.place}: {name}")
        return fitted

    def _results(
        self, source: "Source", poses: dict[str, np.ndarray], *, paste_back: bool
    ) -> Results:
        stacked = np.stack(list(poses.values()))
        images = np.broadcast_to(source.image, (len(stacked), *source.image.shape))
        drawn = self.batch(images, stacked)
        return Results(
            {
                name: Result(
                    source=source.image,
                    pose=points,
                    coarse=drawn.coarse[i],
                    refined=None if drawn.refined is None else drawn.refined[i],
                    whole=source.with_drawing(drawn.image[i]) if paste_back else None,
                )
                for i, (name, points) in enumerate(poses.items())
            }
        )
