"""``hermetic adopt`` and ``hermetic doctor``: the testing layer for a project that exists already.

``facts`` is what pytest knows about the project. ``settings`` is what its test settings still reach, and the
module that isolates them. ``configuration`` adds lines to pytest's file. ``adopt`` and ``doctor`` are commands.
"""
