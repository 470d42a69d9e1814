"""Commands of the development server; those of yours belong in an app."""
