"""How images were classified before the networks: local descriptors, a code of them, a linear classifier."""
