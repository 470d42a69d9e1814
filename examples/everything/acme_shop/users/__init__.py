"""Yours: the project's user model, AUTH_USER_MODEL since the first migration. Add fields to models.py.

`copier update` never touches this file, nor any other in users/.
"""
