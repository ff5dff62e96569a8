"""The case and its vocabulary. Everything imports this package; it imports none of its neighbours."""
