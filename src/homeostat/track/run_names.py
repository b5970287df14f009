"""Names for runs that were given none: two words and a number that people can say, which follow from the run's id."""

_QUALITIES = "able bold brave bright calm clean clear deft eager fair fast fine fleet fond glad grand keen kind lean light lively lucky merry mild neat nimble plain proud quick quiet rapid rare sharp shy sleek smart smooth spry stout strong sure swift tidy true vivid warm wise witty young zesty".split()  # noqa: SIM905 - a list of words is a text
_THINGS = "alder aspen badger birch bison brook cedar cliff cloud comet coral crane delta dune eagle elm falcon fern finch fjord flint fox gale glade grove hare hawk heron hill ibis iris lake lark lynx maple marsh moss newt oak otter owl peak pine pond quail raven reed ridge river robin rook sage seal shore sloth snipe spruce stone stork swan teal thorn tide trout vale wave willow wolf wren yew".split()  # noqa: SIM905


def name_of(run_id: str) -> str:
    """Return the name that follows from an id of hex digits.

    >>> name_of("0" * 32), name_of("f" * 32)
    ('able-alder-0', 'rapid-elm-157')
    """
    number = int(run_id[:16], 16)
    number, thing = divmod(number, len(_THINGS))
    number, quality = divmod(number, len(_QUALITIES))
    return f"{_QUALITIES[quality]}-{_THINGS[thing]}-{number % 1000}"
