"""Situations in which an async database test must roll back: copied into a generated project, run there."""
