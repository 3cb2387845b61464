"""What localization and detection add to classification: boxes, targets, merging, suppression, regions."""
