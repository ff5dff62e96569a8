"""Maps: layers of grids and live cases as pictures and features. Pure: what it shows is handed to it."""
