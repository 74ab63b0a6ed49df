"""Image metrics: array functions that touch no disk, each named for its variant."""
