"""The page's part for precision over recall: three classes large, every class small, average precision with each."""

from collections.abc import Sequence

from ilsvrc.reports import charts
from ilsvrc.reports.formats import percent, plural
from ilsvrc.reports.layout import color, figure, folded
from ilsvrc.reports.markup import Html, element, join
from ilsvrc.reports.task_result import ClassCurve, TaskResult

OPEN = 24  # more classes than this are folded away


def curves_part(result: TaskResult) -> Html | None:
    """One drawing and one wall per entry; None without curves."""
    parts = []
    for finder in result.finders:
        mine = sorted((curve for curve in result.curves if curve.entry == finder.key), key=lambda one: -one.ap)
        if mine:
            parts += [_three(mine, finder.title), _wall(mine, finder.title)]
    return join(*parts) if parts else None


def _three(curves: Sequence[ClassCurve], title: str) -> Html:
    """The classes of best, middle and worst average precision."""
    chosen = {0: "best", len(curves) // 2: "middle", len(curves) - 1: "worst"}
    series = [
        charts.Series(
            label=f"{rank}: {curves[place].word}",
            color=color(number),
            points=_started(curves[place]),
            title=f"{curves[place].word}: AP {percent(curves[place].ap)}",
        )
        for number, (place, rank) in enumerate(chosen.items())
    ]
    axes = charts.percent_axis("recall", 1.0), charts.percent_axis("precision", 1.0)

    def draw(wide: bool) -> Html:
        size = (760.0, 320.0) if wide else (340.0, 260.0)
        return charts.lines(series, title=f"Precision over recall, {title}", size=size, x=axes[0], y=axes[1])

    caption = "The class of best, middle and worst average precision, which is the area under the curve made to fall."
    return figure(f"Precision over recall, {title}", caption, draw, kind="broad")


def _started(curve: ClassCurve) -> tuple[tuple[float, float], ...]:
    return ((0.0, curve.points[0][1]), *curve.points) if curve.points else ()


def _wall(curves: Sequence[ClassCurve], title: str) -> Html:
    wall = element("div", {"class": "wall"}, *map(_small, curves))
    words = f"Average precision of {plural(len(curves), 'class')} with objects, best first: {title}"
    return folded(words, wall) if len(curves) > OPEN else join(element("h3", {"class": "later"}, words), wall)


def _small(curve: ClassCurve) -> Html:
    path = (
        "M" + "L".join(f"{2 + 96 * r:.1f} {58 - 56 * p:.1f}" for r, p in _started(curve)) if curve.points else "M2 58"
    )
    drawing = element(
        "svg",
        {"viewBox": "0 0 100 60", "role": "img", "aria-label": f"Precision over recall of {curve.word}"},
        element("rect", {"class": "frame", "x": 2, "y": 2, "width": 96, "height": 56, "rx": 2}),
        element("g", {"class": "accent"}, element("path", {"class": "line", "d": path})),
    )
    told = f" {curve.word}, {plural(curve.objects, 'object')}"
    return element("div", None, drawing, element("p", None, element("b", None, percent(curve.ap)), told))
