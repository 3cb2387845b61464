"""Other people's weights in our networks: the winners' Caffe files, and the state dicts of today's libraries."""
