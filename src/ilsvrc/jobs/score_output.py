"""What `ilsvrc score` leaves behind: tables in the terminal, one JSON object, a page."""

import json
from pathlib import Path

from ilsvrc.jobs.score import Verdict


def show(verdict: Verdict, *, as_json: bool = False, html: Path | None = None) -> None:
    """Print a verdict and, where `html` says, write its page.

    as_json prints one object and nothing else; without a page no breakdown is counted then.
    Raises SpecError when the page cannot be written.
    """
    title = f"{verdict.task.capitalize()}, kit of {verdict.kit}"
    if html:
        from ilsvrc.reports.score_page import ScorePage, write_score_page

        page = ScorePage(title, verdict.predictions, verdict.scores, verdict.remarks, verdict.breakdown())
        write_score_page(page, html)
    if as_json:
        print(json.dumps(verdict.as_json()))
    else:
        from ilsvrc.reports.score_terminal import print_scores

        print_scores(title, verdict.scores, verdict.remarks, verdict.breakdown())
