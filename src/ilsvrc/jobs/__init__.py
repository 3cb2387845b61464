"""What the command line does, callable without it: one job per file."""
