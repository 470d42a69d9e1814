"""The sample app: orders that are processed in the background. Change it, or remove it (README)."""
