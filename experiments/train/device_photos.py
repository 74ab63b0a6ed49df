"""--photos_on: the training photos of --reader=memory on the devices.

A step then gets the numbers of its photos, and looks them up there.
"""

import jax

from experiments import processes
from experiments.config import Config
from pg2_jax import sharding
from pg2_jax.input_pipeline import pair_reader

# Of a device's memory, where nobody says how much photos may take: what is trained and
# what a step computes need the rest.
_SHARE = 1 / 4


def put(config: Config, dataset: pair_reader.PairDataset) -> jax.Array | None:
    """The prepared training photos, uint8 [N, H, W, 3], whole on every device; None if
    they stay on the host, in all processes or in none. A ValueError if they must be on
    the device and do not fit."""
    photos = dataset.training_photos
    # A CPU reads its own memory in either case.
    off = config.photos_on == "auto" and jax.default_backend() == "cpu"
    if photos is None or config.photos_on == "host" or off:
        return None
    excess = _excess(config, photos.nbytes / 2**30)
    if processes.as_first(not excess):
        whole = sharding.replicated(sharding.data_mesh())
        return jax.make_array_from_process_local_data(whole, photos)
    figures = f"the {len(photos):,} training photos take {excess}"
    if config.photos_on == "device":
        raise ValueError(f"--photos_on=device: {figures}")
    processes.say(f"The photos stay on the host: {figures}")
    return None


def _excess(config: Config, gib: float) -> str:
    """How photos of so many GiB exceed what they may take; empty if they do not."""
    limit = config.device_photos_gib
    of_each, rule = f"{gib:.3g} GiB of each device", f"--device_photos_gib={limit:g}"
    if not limit:
        stats = [device.memory_stats() or {} for device in jax.local_devices()]
        memory = min(each.get("bytes_limit", 0) for each in stats) / 2**30
        if not memory:
            unknown = "and it does not say how many it has (see --device_photos_gib)"
            return "" if config.photos_on == "device" else f"{of_each}, {unknown}."
        limit = _SHARE * memory
        rule = f"{limit:.3g} of its {memory:.3g} GiB (see --device_photos_gib)"
    return f"{of_each}, more than {rule}." if gib > limit else ""
