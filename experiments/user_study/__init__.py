"""--mode=user_study."""
