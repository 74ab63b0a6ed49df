"""Keypoints of a whole folder of photos, resumable, with a report."""
