"""Ours against peers, side by side in one run. A peer that is not installed is left out."""
