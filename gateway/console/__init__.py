"""Serves the console's built files at /console/. It knows files and headers, and nothing of cases."""
