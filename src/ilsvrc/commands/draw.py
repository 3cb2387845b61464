"""`ilsvrc draw`: pictures of what a network has learnt, and drawings of what it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from ilsvrc.commands.options import Flag, Natural, Positive, Width

if TYPE_CHECKING:
    from ilsvrc.jobs.draw import Source

app = App(name="draw", help="Draw what a network has learnt, and what it is made of: PNG, SVG and a page.")

Maps = Annotated[tuple[Natural, ...], Parameter(name="--map", negative="", consume_multiple=True)]
Files = Annotated[tuple[str, ...], Parameter(name="--image", negative="", consume_multiple=True)]
SplitName = Literal["train", "val", "test"]


@Parameter(name="*", group="Network")
@dataclass(frozen=True, kw_only=True)
class Whose:
    """What a file does not say itself."""

    model: str | None = None
    "Whose weights a .caffemodel or .pth holds."
    data: Path | None = None
    "A data set; by default the one a run was trained on."
    device: str = "auto"
    "auto, cpu, cuda or cuda:1."

    def source(self, path: Path) -> "Source":
        """With the run or the weight file that it is about."""
        from ilsvrc.jobs.draw import Source

        return Source(path, self.model, self.data, self.device)


@app.command
def deconvnet(
    run: Path, /, *, layer: str, map: Maps = (), image: Files = (), out: Path = Path("drawn"), whose: Whose = Whose()
) -> None:
    """Draw activations of a layer back in pixels: the pattern in an image that a map answered to.

    Parameters
    ----------
    run
        The directory of a training, or a file of weights.
    layer
        Its name, as ilsvrc models NAME lists them: conv5.
    map
        Maps, from 0, one or several; those that answer most by default.
    image
        Image files, folders or patterns; four of the data set's validation images by default.
    out
        A folder for the page and its pictures.
    """
    from ilsvrc.jobs.draw_maps import deconvnet as job

    print(job(whose.source(run), layer, map, image, out))


@app.command
def top9(
    run: Path,
    /,
    *,
    layer: str,
    map: Maps = (),
    split: SplitName = "val",
    out: Path = Path("drawn"),
    whose: Whose = Whose(),
) -> None:
    """Draw, for maps of a layer, the nine images of a data set they answer most to beside their projections.

    Parameters
    ----------
    run
        The directory of a training, or a file of weights.
    layer
        Its name, as ilsvrc models NAME lists them: conv5.
    map
        Maps, from 0, one or several; eight drawn by chance by default.
    split
        The images to look through.
    out
        A folder for the page and its pictures.
    """
    from ilsvrc.jobs.draw_maps import top9 as job
    from ilsvrc.reports.progress import Watch

    print(job(whose.source(run), layer, map, split, out, Watch()))


@app.command
def evolution(
    runs: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    layer: str,
    map: Maps = (),
    split: SplitName = "val",
    out: Path = Path("drawn"),
    whose: Whose = Whose(),
) -> None:
    """Draw how maps of a layer came to be: several states of one network, the earliest first.

    Parameters
    ----------
    runs
        Copies of a run's directory made while it trained, finished runs, or files of weights, in order.
    layer
        Its name, as ilsvrc models NAME lists them: conv5.
    map
        Maps, from 0, one or several; eight drawn by chance by default.
    split
        The images to look through.
    out
        A folder for the page and its pictures.
    """
    from ilsvrc.jobs.draw_maps import evolution as job
    from ilsvrc.reports.progress import Watch

    print(job([whose.source(run) for run in runs], layer, map, split, out, Watch()))


@app.command
def filters(run: Path, /, *, out: Path = Path("drawn"), whose: Whose = Whose()) -> None:
    """Draw the filters of the first layer, which are pictures themselves.

    Parameters
    ----------
    run
        The directory of a training, or a file of weights.
    out
        A folder for the page and its picture.
    """
    from ilsvrc.jobs.draw_maps import filters as job

    print(job(whose.source(run), out))


@app.command
def occlusion(
    run: Path,
    /,
    *,
    layer: str | None = None,
    image: Files = (),
    label: str | None = None,
    square: Positive | None = None,
    step: Positive | None = None,
    out: Path = Path("drawn"),
    whose: Whose = Whose(),
) -> None:
    """Slide a grey square over images and draw what the network says meanwhile.

    Parameters
    ----------
    run
        The directory of a training, or a file of weights.
    layer
        Whose strongest map is added up; the last layer of maps by default.
    image
        Image files, folders or patterns; three of the data set's validation images by default.
    label
        The true class, by WordNet id, name or place; by default the image's, or else what the network says of it.
    square
        Pixels of the square's side; 50 of 224 by default.
    step
        Pixels between its places; 8 of 224 by default.
    out
        A folder for the page and its pictures.
    """
    from ilsvrc.jobs.draw_regions import occlusion as job
    from ilsvrc.reports.progress import Watch

    print(job(whose.source(run), layer, image, label, (square, step), out, Watch()))


@app.command
def cam(
    run: Path,
    /,
    *,
    image: Files = (),
    label: str | None = None,
    gradient: Flag = False,
    layer: str | None = None,
    out: Path = Path("drawn"),
    whose: Whose = Whose(),
) -> None:
    """Draw where in images a class is spoken for, in a network that ends in a global average.

    Parameters
    ----------
    run
        The directory of a training, or a file of weights.
    image
        Image files, folders or patterns; three of the data set's validation images by default.
    label
        A class, by WordNet id, name or place; by default the image's own and the network's first guess.
    gradient
        Draw Grad-CAM instead, which any network has and whose values add up to nothing.
    layer
        Of Grad-CAM; the last layer of maps by default.
    out
        A folder for the page and its pictures.
    """
    from ilsvrc.jobs.draw_regions import cam as job

    print(job(whose.source(run), image, label, layer, gradient, out))


@app.command
def correspondence(
    run: Path,
    /,
    *,
    layer: Annotated[tuple[str, ...], Parameter(negative="", consume_multiple=True)] = (),
    parts: Path | None = None,
    label: str | None = None,
    images: Positive = 5,
    out: Path = Path("drawn"),
    whose: Whose = Whose(),
) -> None:
    """Hide the same part in several images and compare how the features change, as the paper's table 1 does.

    Parameters
    ----------
    run
        The directory of a training, or a file of weights.
    layer
        One or several; the last of maps and the last full one by default.
    parts
        A line per part of an image: image,part,xmin,ymin,xmax,ymax, the images beside the file; by default the
        quarters of the objects' boxes in the data set.
    label
        The class whose images are taken, by WordNet id, name or place; the first by default.
    images
        How many are taken.
    out
        A folder for the page and its pictures.
    """
    from ilsvrc.jobs.draw_parts import correspondence as job

    print(job(whose.source(run), layer, parts, label, images, out))


@app.command
def architecture(
    name: str,
    /,
    *,
    out: Path | None = None,
    width: Width | None = None,
    image_size: Positive | None = None,
) -> None:
    """Draw what a network is made of, from the built network, as an SVG that reads like its paper's figure.

    Parameters
    ----------
    name
        A network, such as resnet50; an entry, whose networks are all drawn; or the directory of a training.
    out
        The file to write; NAME.svg by default.
    width
        Channels of every layer over the paper's.
    image_size
        Pixels on a side; the paper's by default.
    """
    from ilsvrc.jobs.draw_architecture import architecture as job

    print("\n".join(job(name, out, width, image_size)))
