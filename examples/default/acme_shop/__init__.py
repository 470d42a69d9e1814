"""acme_shop: settings, URLs and apps of the project."""
