"""What happens, told to open consoles as it happens: server-sent events at /api/live."""
