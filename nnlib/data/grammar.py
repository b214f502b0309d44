"""Short stories from a small grammar: the text of the language model, and how predictable it is at best.

    anna berg drinks cold tea . ben holt paints old ships . cara lind grows red roses . so ben holt paints
    old ships . who grows red roses ? cara lind . so anna berg drinks cold tea . …

Three people are introduced. Then five times one of the three is drawn and told again, or asked for.
"""

import math
from typing import NamedTuple

import numpy as np

from nnlib.data.bundled import FOLDER, original

FIRST = "anna ben cara david emma felix greta hugo ida jonas lena max".split()
LAST = "berg brandt frank holt keller kraus lind sommer stein vogel winter wolf".split()
ADJECTIVES = "big cold green new old red small warm".split()
NOUNS = {
    "bakes": "bread cakes pies rolls".split(),
    "drinks": "juice milk tea water".split(),
    "grows": "apples beans pears roses".split(),
    "paints": "birds clouds houses ships".split(),
    "reads": "books letters maps poems".split(),
    "sells": "boats drums kites lamps".split(),
}
PEOPLE, RETOLD, ASKED = 3, 5, 0.25

SHA256 = {
    "plain": "aefbc7a20e0f4723e7741a8515bd1a3ca13d4a29c737883c6134898744eeffdb",
    "dialect": "e8529591d82e9eaed06959216a0a0b4b9ebdab4bb1f4a211e9f25279b0719d43",
}


class Stories(NamedTuple):
    """`train, test = stories()`: tuples of strings, words and marks set apart by one blank."""

    train: tuple[str, ...]
    test: tuple[str, ...]


def stories(kind: str = "plain") -> Stories:
    """The text of the language model: 3,300 stories to learn from, 500 to test on.

    Parameters
    ----------
    kind : "plain", or "dialect" (1,000 and 500): the surname stands first and the adjective behind its noun

    Raises
    ------
    FileNotFoundError, ValueError : the file is missing or not the original
    """
    if kind not in SHA256:
        raise ValueError(f"stories: kind is {kind!r}; expected one of {', '.join(map(repr, SHA256))}")
    lines = original(FOLDER / f"stories_{kind}.txt", SHA256[kind]).decode("ascii").splitlines()
    return Stories(tuple(lines[:-500]), tuple(lines[-500:]))


def story(rng: np.random.Generator, kind: str = "plain") -> str:
    """One new story. Every choice is uniform; nobody shares a name, a verb or an adjective with another."""

    def draw(words):
        return rng.choice(list(words), PEOPLE, replace=False).tolist()

    first, last, verbs, adjectives = draw(FIRST), draw(LAST), draw(NOUNS), draw(ADJECTIVES)
    nouns = [str(rng.choice(NOUNS[verb])) for verb in verbs]
    if kind == "dialect":
        first, last, adjectives, nouns = last, first, nouns, adjectives
    whom = [" ".join(words) for words in zip(first, last)]
    what = [" ".join(words) for words in zip(verbs, adjectives, nouns)]

    sentences = [f"{whom[i]} {what[i]} ." for i in range(PEOPLE)]
    for i in rng.integers(PEOPLE, size=RETOLD):
        asked = rng.random() < ASKED
        sentences.append(f"who {what[i]} ? {whom[i]} ." if asked else f"so {whom[i]} {what[i]} .")
    return " ".join(sentences)


def floor() -> float:
    """The smallest loss that any model of these stories can have, in nats per predicted word.

        (entropy of a story - ln 12) / (mean number of words - 1)

    Every choice can be read off the story, so the entropy of a story is the sum of its choices' entropies.
    The first word, one of twelve names, is given and not predicted.

    References
    ----------
    Shannon (1948), A Mathematical Theory of Communication, theorem 5.
    """
    orders = [math.perm(len(words), PEOPLE) for words in (FIRST, LAST, NOUNS, ADJECTIVES)]
    told = sum(map(math.log, orders)) + PEOPLE * math.log(4)  # each verb has four nouns
    form = -ASKED * math.log(ASKED) - (1 - ASKED) * math.log(1 - ASKED)
    again = RETOLD * (math.log(PEOPLE) + form)
    words = PEOPLE * 6 + RETOLD * (7 + ASKED)  # a question is one word longer
    return (told + again - math.log(len(FIRST))) / (words - 1)
