"""Tables, repositories, outbox lanes, journal and migrations. PostgreSQL, one dialect everywhere."""
