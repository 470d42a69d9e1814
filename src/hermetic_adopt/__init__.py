"""``hermetic adopt`` and ``hermetic doctor``: the testing layer for a project that exists already.

``facts``: what pytest knows about the project. ``settings``: what its test settings still reach, and the
module that isolates them. ``configuration``: the lines for pytest's file. The rest are the commands.
"""
