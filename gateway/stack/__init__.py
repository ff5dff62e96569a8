"""The production topology as processes of this machine, on loopback: the table docker-compose.yml is held to."""
