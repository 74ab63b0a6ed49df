"""Photos and keypoints of a data set: one module for each kind."""
