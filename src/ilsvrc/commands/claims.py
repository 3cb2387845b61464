"""`ilsvrc claims` and `claim`: what the winners' papers claimed, tried again."""

from pathlib import Path

from ilsvrc.commands.options import Flag, Positive


def claims(*, json: Flag = False) -> None:
    """List what the papers claimed and can be tried again in miniature.

    Parameters
    ----------
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_json, show
    from ilsvrc.jobs.claim import listed
    from ilsvrc.reports.claim_tables import overview

    rows = listed()
    print_json(rows) if json else show(overview(rows))


def claim(
    name: str,
    /,
    *,
    data: Path | None = None,
    seeds: Positive = 3,
    epochs: Positive | None = None,
    images: Positive | None = None,
    device: str = "auto",
    out: Path = Path("claims"),
    json: Flag = False,
) -> None:
    """Try a claim: train its networks with each seed, compare, print the paper's figures, ours and the verdict.

    Started again with the same words it redoes nothing.

    Parameters
    ----------
    name
        A claim of `ilsvrc claims`.
    data
        A data set, such as Tiny ImageNet; by default the mini set, which is built in OUT.
    seeds
        How often each network is trained; with one seed nothing is decided.
    epochs
        Instead of the claim's own.
    images
        Training images at most, instead of the claim's own number.
    device
        auto, cpu, cuda or cuda:1.
    out
        Where every training is kept, in a folder of the claim's name.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_json, show
    from ilsvrc.jobs.claim import Order, run_claim
    from ilsvrc.jobs.machine import bench, keep_memory
    from ilsvrc.reports.claim_tables import result
    from ilsvrc.reports.progress import Watch

    keep_memory()
    place = None if data is None else str(data)
    order = Order(name=name, data=place, seeds=seeds, epochs=epochs, images=images, out=out)
    found = run_claim(order, bench(device, "fp32"), Watch())
    print_json(found) if json else show(*result(found))


COMMANDS = (claims, claim)
