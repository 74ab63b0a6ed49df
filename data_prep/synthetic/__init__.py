"""Synthetic people: bodies, clothes, scenes, and their keypoints."""
