"""--mode=report."""
