"""--mode=demo."""
