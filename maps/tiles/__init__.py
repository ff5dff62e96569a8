"""Tiles of the atlas: pictures by WMTS, features as vector tiles."""
