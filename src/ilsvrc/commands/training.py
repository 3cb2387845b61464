"""`ilsvrc train`, `evaluate`, `ensemble` and `report`: one network, several together, and beside each other."""

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ilsvrc.commands.groups import Hardware, Images
from ilsvrc.commands.options import BadImages, EngineName, Flag, Positive, Seed, Share, Width


def train(
    name: str,
    /,
    *,
    data: Path,
    recipe: str | None = None,
    epochs: Positive | None = None,
    width: Width | None = None,
    image_size: Positive | None = None,
    seed: Seed = 0,
    start: Path | None = None,
    out: Path | None = None,
    resume: Literal["auto", "never"] = "auto",
    batch: Positive | None = None,
    hardware: Hardware = Hardware(),
    images: Images = Images(),
) -> int:
    """Train a network, or an entry to localization or detection; the same words again go on where it stopped.

    Parameters
    ----------
    name
        A network of `ilsvrc models`, or an entry of `ilsvrc list` to localization or detection: all its networks.
    data
        A data set: folders of classes, the official layout, Tiny ImageNet, or a mini set.
    recipe
        paper, miniature, modern, or another of its own; by default the paper's at the paper's size, else miniature.
    epochs
        Shorten or stretch the recipe to so many epochs.
    width
        Channels of every layer over the paper's.
    image_size
        Pixels on a side; the paper's by default.
    seed
        Of initialisation, order and every draw.
    start
        A finished run, or weights, that the recipe starts from; for an entry its classifier, or a folder of those.
    out
        The run's directory; runs/NAME.SEED by default.
    resume
        auto goes on with what OUT holds; never refuses an OUT that holds something.
    batch
        Images per update, over all processes; the rate follows in proportion, and what changed is printed.
    """
    from ilsvrc.jobs.launch import company, joins, relaunch

    if (hardware.processes or 1) > 1 and not joins():
        return relaunch(hardware.processes or 1)
    from ilsvrc.jobs.input import reading
    from ilsvrc.jobs.machine import keep_memory
    from ilsvrc.jobs.train_one import Order, train_together

    keep_memory()
    read = reading(images.reference_decode, images.bad_images)
    sizes: dict[str, Any] = {"epochs": epochs, "width": width, "image_size": image_size, "batch": batch}
    given: dict[str, Any] = {"start": start, "reading": read, "statistics": images.statistics}
    order = Order(name=name, recipe=recipe, seed=seed, **given, **sizes)
    with company(hardware.bench, hardware.parallel, hardware.processes) as place:
        train_together(order, str(data), out, resume, place)
    return 0


def evaluate(
    run: Path,
    /,
    *,
    data: str | None = None,
    split: Literal["train", "val", "test"] = "val",
    protocol: str | None = None,
    model: str | None = None,
    save: Path | None = None,
    half: Flag = False,
    device: str = "auto",
    engine: EngineName = "auto",
    within: Share = 0.02,
    reference_decode: Flag = False,
    bad_images: BadImages = "stop",
    json: Flag = False,
) -> None:
    """Judge a finished run, or a file of weights, on a split of a data set by the test protocol of a paper.

    Parameters
    ----------
    run
        The directory of a training, a .safetensors that ilsvrc convert wrote, or another weight file with --model.
    data
        A data set with its classes; by default the one a run was trained on, where that was.
    split
        The images to judge on.
    protocol
        One of docs/protocols.md, such as ten or vgg-dense; by default a run's own, or the centre crop for weights.
    model
        Whose weights a .caffemodel or .pth holds.
    save
        Keep what was said of every image in this .npz, for ilsvrc ensemble and numpy; of boxes a submission, as .txt.
    half
        Keep it in 16 bits.
    device
        auto, cpu, cuda or cuda:1.
    engine
        eager is the network in fp32, bit for bit; auto takes the fastest that is near enough.
    within
        The largest change of a probability, from eager's, that auto accepts where it measures.
    reference_decode
        Decode and resize to the bit as Pillow does; a run that was trained so is always judged so.
    bad_images
        stop refuses an image that cannot be decoded; skip counts it as wrong, and the score says how many.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands import output
    from ilsvrc.jobs.evaluate import Asked, How
    from ilsvrc.jobs.input import reading
    from ilsvrc.jobs.machine import bench, keep_memory
    from ilsvrc.jobs.verdicts import verdicts
    from ilsvrc.reports.progress import Watch

    keep_memory()
    asked = Asked(file=run, model=model, data=data, split=split, protocol=protocol, save=save, half=half)
    read, place = reading(reference_decode, bad_images), bench(device, "fp32" if engine == "eager" else "auto")
    found = verdicts(asked, place, read, How(engine, within), Watch())
    output.print_json(found.as_json()) if json else output.show(*found.lines())


def report(runs: Annotated[tuple[Path, ...], Parameter(negative="")], /, *, out: Path = Path("runs.html")) -> None:
    """Draw the curves of several trainings over each other, finished or under way, into one page.

    Parameters
    ----------
    runs
        Directories of trainings, or folders that hold several.
    out
        The page to write.
    """
    from ilsvrc.jobs.report import report as job

    print(job(runs, out))


def ensemble(
    members: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    weights: str = "equal",
    out: Path | None = None,
    meta: Path | None = None,
    device: str = "auto",
    json: Flag = False,
) -> None:
    """Combine what several networks said of the same images: each, each pair, each left out, and the gain of all.

    Runs of boxes look at the val images of their data again, together: each, each left out, and the gain of all.

    Parameters
    ----------
    members
        Score files that evaluate --save wrote, or finished runs by their own protocol: two or more. Or runs of
        localization, or of detection: two or more, or one of several networks.
    weights
        equal, a number for each member (1,1,2), or fitted: on one half of the images, and judged on the other.
    out
        Write the combination as a submission in the kit's form: a line of five guesses per image, or one per detection.
    meta
        The kit's meta.mat, whose ids the submission shall have; else classes are numbered by sorted WordNet id from 1.
    device
        Where networks look for boxes: auto, cpu, cuda or cuda:1.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_json, show
    from ilsvrc.jobs.machine import keep_memory
    from ilsvrc.jobs.together import together
    from ilsvrc.reports.progress import Watch

    keep_memory()
    found = together(members, weights, out, meta, device, Watch())
    print_json(found.as_json()) if json else show(*found.lines())


COMMANDS = (train, evaluate, ensemble, report)
