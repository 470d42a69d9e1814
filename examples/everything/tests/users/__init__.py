"""Yours: the factory and the tests of the user model.

`copier update` never touches this file, nor any other in tests/users/.
"""
