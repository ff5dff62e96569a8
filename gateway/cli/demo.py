"""`gridhub demo`."""


def add_to(app):
    pass
