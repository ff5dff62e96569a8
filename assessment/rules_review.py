"""Rules that are each right and contradict one another, or can never count anything: found before they are used."""

from collections.abc import Iterable

from assessment.rulebook import Rulebook, Scheme
from assessment.yaml_file import YamlFile
from canonical.indicator import Counter


def review(rules: Rulebook, file: YamlFile, scores: YamlFile) -> None:
    """What is found goes to the findings of the file it stands in."""
    titles: dict[str, str] = {}
    for part, ones in (("counters", rules.counters.values()), ("rates", rules.rates.values())):
        for one in ones:
            if one.title in titles:
                file.wrong(f"{part}.{one.id}.title", f"'{one.title}' is the title of '{titles[one.title]}' already")
            titles.setdefault(one.title, one.id)
    for counter in rules.counters.values():
        _possible(counter, file)
    for by, scheme in rules.schemes.items():
        _scheme(rules, by, scheme, scores)


def _possible(counter: Counter, file: YamlFile) -> None:
    key = f"counters.{counter.id}"
    for column, wanted in counter.where.items():
        if column in counter.unless and counter.unless[column] == wanted:
            file.wrong(f"{key}.unless.{column}", "leaves out what `where` asks for: it never counts anything")
    for one, other in (("on_time", "late"), ("on_time", "overdue"), ("late", "overdue"), ("done", "overdue")):
        if counter.where.get(one) is True and counter.where.get(other) is True:
            file.wrong(f"{key}.where.{other}", f"nothing is {one} and {other}: it never counts anything")
    if counter.where.get("done") is False and {"on_time", "late"} & {n for n, v in counter.where.items() if v is True}:
        file.wrong(f"{key}.where.done", "what is not done is neither on time nor late: it never counts anything")


def _scheme(rules: Rulebook, by: str, scheme: Scheme, file: YamlFile) -> None:
    key = f"schemes.{by}"
    for place, rate in _twice([one.rate for one in scheme.weights]):
        file.wrong(f"{key}.weights.{place}.rate", f"'{rate}' has a weight already")
    for place, weight in enumerate(scheme.weights):
        rate_ = rules.rates.get(weight.rate)
        if rate_ is not None and rate_.unit in ("hours", "days"):
            file.wrong(f"{key}.weights.{place}.rate", f"'{weight.rate}' is a time, not a share: it has no weight")
        elif rate_ is not None and rate_.better and (rate_.better == "low") != weight.reverse:
            should = "needs `reverse: true`" if rate_.better == "low" else "must not be reversed"
            file.wrong(f"{key}.weights.{place}", f"'{weight.rate}' is good when {rate_.better}, so its weight {should}")
    bonuses = {one.counter for one in scheme.bonuses}
    for place, one in enumerate(scheme.deductions):
        if one.counter in bonuses:
            file.wrong(f"{key}.deductions.{place}.counter", f"'{one.counter}' is a bonus too: the two contradict")
    for part in ("bonuses", "deductions"):
        for place, name in _twice([one.counter for one in getattr(scheme, part)]):
            file.wrong(f"{key}.{part}.{place}.counter", f"'{name}' stands in this list already")
    for place, start in _twice([f"{one.from_:g}" for one in scheme.grades]):
        file.wrong(f"{key}.grades.{place}.from", f"another grade begins at {start} already")
    for place, unit in _twice([unit for one in scheme.classes for unit in one.units]):
        file.wrong(f"{key}.classes", f"unit '{unit}' stands in two classes (entry {place + 1})")
    for place, level in _twice([level for one in scheme.classes for level in one.level]):
        file.wrong(f"{key}.classes", f"level '{level}' stands in two classes (entry {place + 1})")


def _twice(names: Iterable[str]) -> list[tuple[int, str]]:
    """(place, name) of what stood in the list before."""
    seen: set[str] = set()
    found = []
    for place, name in enumerate(names):
        if name in seen:
            found.append((place, name))
        seen.add(name)
    return found
