"""Seeing inside a network: from a network and images to pictures, and from a network to its drawing."""
