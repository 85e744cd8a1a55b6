"""The rows of the benchmark's table: two sides, their ratio, and the budget for it."""

import dataclasses
import statistics


@dataclasses.dataclass
class Budget:
    limit: float
    at_least: bool = False
    aim: float = None
    unit: str = ""

    def __str__(self):
        text = f"{'>=' if self.at_least else '<='} {self.limit:g}{self.unit}"
        return f"{text}, aim {self.aim:g}" if self.aim else text

    def verdict(self, value):
        if self.at_least:
            return "within" if value >= self.limit else "under"
        return "within" if value <= self.limit else "over"


@dataclasses.dataclass
class Row:
    work: str
    ours: str = "-"
    reference: str = "-"
    ratio: str = "-"
    middle: str = "-"
    budget: str = "-"
    verdict: str = ""


HEADINGS = Row("work", "ours", "reference", "ratio", "middle half", "budget", "")


def compare(work, ours, reference, measured, show, budget=None):
    """A row: the median of the ratios of runs that came right after one another. Without
    anything of ours in what was measured, the reference stands alone."""

    def shown(name):
        return f"{name} {show(statistics.median(measured[name]))}"

    if ours not in measured:
        return Row(work, reference=shown(reference))
    pairs = zip(measured[ours], measured[reference])
    ratios = [one / other for one, other in pairs]
    ratio = statistics.median(ratios)
    middle = "-"
    if len(ratios) > 1:
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        middle = f"{low:.2f}..{high:.2f}"
    return Row(
        work,
        shown(ours),
        shown(reference),
        f"{ratio:.3f}",
        middle,
        str(budget) if budget else "-",
        budget.verdict(ratio) if budget else "",
    )


def print_table(rows):
    lines = [dataclasses.astuple(row) for row in [HEADINGS, *rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths)]
        print("  ".join([*cells, line[-1]]).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
