"""Records to batches: the only part of the library that imports tensorflow."""
