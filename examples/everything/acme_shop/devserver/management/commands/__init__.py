"""Commands of the development server; add your commands to an app."""
