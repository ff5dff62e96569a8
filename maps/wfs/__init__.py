"""WFS 2.0 over the atlas."""
