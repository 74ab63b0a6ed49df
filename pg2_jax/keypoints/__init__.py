"""The 18 keypoints of a photo, in any file format: one module for each."""

# Of estimators' results: a point that is less sure counts as missing. They write every
# point, however unsure.
MIN_CONFIDENCE = 0.3
