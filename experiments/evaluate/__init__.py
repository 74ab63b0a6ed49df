"""--mode=evaluate."""
