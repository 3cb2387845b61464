"""The commands of the command line, by subject. Each calls one job and prints what it answers."""
