"""OGC API - Features over the atlas."""
