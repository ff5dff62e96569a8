"""Features written out: GML 3.2, GeoJSON, CSV. In parts, so that memory stays small however long the answer."""
