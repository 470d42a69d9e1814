"""Commands of the queue's worker; add your commands to an app."""
