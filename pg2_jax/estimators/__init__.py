"""Keypoints from photos: one module for each estimator."""
