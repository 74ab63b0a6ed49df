"""The 18 keypoints of a photo, in any file format: one module for each."""
