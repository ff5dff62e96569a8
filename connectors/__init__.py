"""Transport, one module a protocol. A connector moves bytes and knows no case; it never retries."""
