"""`ilsvrc models`, `list` and `show`: what there is."""

from pathlib import Path

from ilsvrc.commands.options import Flag


def models(name: str | None = None, /, *, json: Flag = False) -> None:
    """List the networks; with NAME, one of them layer by layer and what differs from its paper.

    Parameters
    ----------
    name
        A network, such as resnet50.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_json, show
    from ilsvrc.reports import model_tables

    if name is None:
        from ilsvrc.jobs.networks import summaries

        rows = summaries()
        print_json(rows) if json else show(model_tables.overview(rows))
    else:
        from ilsvrc.jobs.models import describe

        card = describe(name)
        print_json([card]) if json else show(*model_tables.layers(card))


def list_(*, all: Flag = False, json: Flag = False) -> None:
    """List the challenge's entries that can be run.

    Parameters
    ----------
    all
        Also the rows of the papers' tables of results, each an entry of its own.
    json
        Print JSON, for machines.
    """
    from ilsvrc.commands.output import print_json, show
    from ilsvrc.entries import ENTRIES, ROWS
    from ilsvrc.entries.before import BEFORE
    from ilsvrc.reports import earlier_tables, entry_tables

    chosen = {**ENTRIES, **ROWS} if all else ENTRIES
    if json:
        return print_json(earlier_tables.rows(BEFORE) + entry_tables.rows(chosen))
    return show(entry_tables.overview(chosen), "", earlier_tables.overview(BEFORE))


def show(entry: str, /, *, json: Flag = False, svg: Path | None = None) -> None:
    """Show one entry: what they did, what they scored, what is not known. Of a network, what `ilsvrc models` says.

    Parameters
    ----------
    entry
        Its key, such as msra-2015-cls, or that of a row of a paper's table, such as vgg-2014-d-384-single; or a
        network, such as resnet50.
    json
        Print JSON, for machines.
    svg
        Write the drawing of the network, or of each of the entry's, to a file instead.
    """
    from ilsvrc.commands.output import print_json
    from ilsvrc.commands.output import show as show_parts
    from ilsvrc.jobs.entry import find_any, is_network
    from ilsvrc.reports import earlier_tables, entry_tables
    from ilsvrc.spec import Entry, as_json

    if svg is not None:
        from ilsvrc.jobs.draw_architecture import architecture

        return print("\n".join(architecture(entry, svg, None, None)))
    if is_network(entry):
        return models(entry, json=json)
    found = find_any(entry)
    if json:
        return print_json(as_json(found))
    return show_parts(*(entry_tables.page(found) if isinstance(found, Entry) else earlier_tables.page(found)))


COMMANDS = (models, list_, show)
