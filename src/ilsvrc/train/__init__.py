"""Training: the loop, what varies in it, and the directory it leaves."""
