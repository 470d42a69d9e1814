"""One example test per pattern, on the sample app."""
