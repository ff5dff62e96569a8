"""How an answer is written: as `f` says, else as the client likes best (RFC 9110, 12.5.1)."""

from collections.abc import Mapping

from maps.features.problem import Problem

_TYPES: Mapping[str, str] = {
    "application/geo+json": "json", "application/json": "json", "application/schema+json": "json",
    "application/vnd.oai.openapi+json": "json", "text/html": "html", "application/xhtml+xml": "html", "text/csv": "csv",
}  # fmt: skip
_SHOWN = 60


def form_of(asked: str | None, accept: str, *, csv_too: bool = False) -> str:
    """`json`, `html` or `csv`. `asked`: the parameter `f`. Raises Problem."""
    offered = ("json", "html", "csv") if csv_too else ("json", "html")
    if asked is None:
        return _liked(accept, offered)
    if asked not in offered:
        raise Problem(f"f: '{asked[:_SHOWN]}' is not written; {' or '.join(offered)}")
    return asked


def _liked(accept: str, offered: tuple[str, ...]) -> str:
    """The form of the greatest weight, of equal ones the first; JSON for whoever takes anything or nothing of ours."""
    best, weight = "json", 0.0
    for part in accept.lower().split(","):
        name, *words = (word.strip() for word in part.split(";"))
        form, liked = _TYPES.get(name, "json" if name == "*/*" else ""), _weight(words)
        if form in offered and liked > weight:
            best, weight = form, liked
    return best


def _weight(words: list[str]) -> float:
    for word in words:
        name, _, figure = word.partition("=")
        if name.strip() == "q":
            try:
                return float(figure)
            except ValueError:
                return 0.0
    return 1.0
