"""From runs and scores to text, SVG and HTML.

`race_report` is the data model and the record `results.json`; `tables` prints it
in a terminal; `page` writes it as one HTML file that opens offline, with the
drawings of `charts`. Nothing here imports torch or trains anything.
"""
