"""Other servers' maps: WMS, WMTS and WFS. What they say they offer, and how a picture or a tile is asked of them.

It must never know what a map is for; a token is put in on the way to the wire and stands in no error.
"""
