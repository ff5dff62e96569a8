"""Drawing: layers as pictures, by Mapnik."""
