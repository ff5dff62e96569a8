"""Grid sets brought into the registry: loaded, compared, taken back; and the cases put into them anew."""
