"""What is wrong with a filter."""


class BadFilter(Exception):
    """The filter cannot be asked of this layer; the text says why, and names what it is about."""
