"""Pixels and the boxes that move with them; every random draw comes from a passed generator."""
