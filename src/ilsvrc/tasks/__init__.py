"""What localization and detection add to classification: boxes, targets, suppression, regions."""
