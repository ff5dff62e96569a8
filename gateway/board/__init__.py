"""The board of systems 系统看板: is every platform alive, how old are its data, what waits, and why."""
