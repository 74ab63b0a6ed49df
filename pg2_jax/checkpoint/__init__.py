"""Checkpoints: saving, restoring, and the checksums of both."""
