"""The test-time protocols: where to look, and how what was seen is combined."""
