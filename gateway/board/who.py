"""Who does it, as a field of orders."""

from typing import Annotated

from pydantic import Field

Actor = Annotated[
    str, Field(max_length=100, description="who does it; needed with the centre's token, else it is who signed in")
]
