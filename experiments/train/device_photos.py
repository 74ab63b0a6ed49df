"""--photos_on: the training photos of --reader=memory on the devices.

A step then gets the numbers of its photos, and looks them up there.
"""

import jax
from jax.sharding import Mesh

from experiments import processes
from experiments.config import Config
from pg2_jax import sharding
from pg2_jax.input_pipeline import pair_reader

# Of a device's memory, where nobody says how much photos may take: what is trained and
# what a step computes need the rest.
_SHARE = 1 / 4


def put(
    config: Config, dataset: pair_reader.PairDataset, mesh: Mesh
) -> jax.Array | None:
    """The prepared training photos, uint8 [N, H, W, 3], whole on every device of the
    mesh; None if they stay on the host, in all processes or in none. A ValueError if
    they must be on the device and do not fit."""
    photos = dataset.training_photos
    # A CPU reads its own memory in either case.
    off = config.photos_on == "auto" and jax.default_backend() == "cpu"
    if photos is None or config.photos_on == "host" or off:
        return None
    excess = _excess(config, photos.nbytes / 2**30)
    if processes.as_first(not excess):
        whole = sharding.replicated(mesh)
        return jax.make_array_from_process_local_data(whole, photos)
    figures = f"the {len(photos):,} training photos take {excess}"
    if config.photos_on == "device":
        raise ValueError(f"--photos_on=device: {figures}")
    processes.say(f"The photos stay on the host: {figures}")
    return None


def _excess(config: Config, gib: float) -> str:
    """How photos of so many GiB exceed what they may take; empty if they do not."""
    limit, rule = (
        config.device_photos_gib,
        f"--device_photos_gib={config.device_photos_gib:g}",
    )
    if not limit:
        memory = _memory_gib()
        if not memory:
            unknown = "and it does not say how many it has (see --device_photos_gib)"
            of_each = f"{gib:.3g} GiB of each device, {unknown}."
            return "" if config.photos_on == "device" else of_each
        limit = _SHARE * memory
        rule = f"{limit:.3g} of its {memory:.3g} GiB (see --device_photos_gib)"
    if gib <= limit:
        return ""
    return f"{gib:.3g} GiB of each device, more than {rule}."


def _memory_gib() -> float:
    """The memory of a device of this process that jax may use; 0 if it does not say."""
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    return min(each.get("bytes_limit", 0) for each in stats) / 2**30
