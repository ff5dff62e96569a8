"""The map door: grids and live cases for GIS clients, in processes of their own that only read."""
