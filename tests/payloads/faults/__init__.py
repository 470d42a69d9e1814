"""Planted faults, copied into a generated project and run there: see test_faults.py of the template."""
