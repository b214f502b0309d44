"""The stories that ship with the course, and the floor under every model's loss on them."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest

from nnlib.data import bundled, stories
from nnlib.data.grammar import ADJECTIVES, ASKED, FIRST, LAST, NOUNS, PEOPLE, RETOLD, SHA256, floor, story

DATA = bundled.FOLDER


def parsed(text, kind):
    """(first, last, verb, adjective, noun) of the three people, and (number, asked) of what is told again."""
    sentences = [s.split() for s in text.replace("?", "").removesuffix(" .").split(" . ")]
    order = (1, 0, 2, 4, 3) if kind == "dialect" else (0, 1, 2, 3, 4)
    people = [tuple(s[i] for i in order) for s in sentences[:PEOPLE]]
    again = []
    for opening, *rest in sentences[PEOPLE:]:
        asked = opening == "who"
        assert asked or opening == "so"
        again.append((people.index(tuple((rest[3:] + rest[:3] if asked else rest)[i] for i in order)), asked))
    return people, again


@pytest.mark.parametrize(("kind", "count"), [("plain", 3800), ("dialect", 1500)])
def test_every_story_obeys_the_grammar(kind, count):
    train, test = stories(kind)
    assert (len(train), len(test)) == (count - 500, 500)
    assert len(set(train + test)) == count
    drawn, asked = np.zeros(PEOPLE), []
    for text in train + test:
        people, again = parsed(text, kind)
        for words, known in zip(zip(*people), (FIRST, LAST, NOUNS, ADJECTIVES)):
            assert len(set(words)) == PEOPLE and set(words) <= set(known)
        assert all(noun in NOUNS[verb] for _, _, verb, _, noun in people)
        assert len(again) == RETOLD
        for number, is_question in again:
            drawn[number] += 1
            asked.append(is_question)
    assert np.abs(drawn / drawn.sum() - 1 / 3).max() < 0.02
    assert abs(np.mean(asked) - ASKED) < 0.02


def test_the_floor_is_the_entropy_of_the_choices():
    """Counted another way: the number of equally likely stories, and what the uneven coin adds."""
    told = (12 * 11 * 10) ** 2 * (6 * 5 * 4) * (8 * 7 * 6) * 4**3
    again = 3**5 * math.exp(5 * (0.25 * math.log(4) + 0.75 * math.log(4 / 3)))
    lengths = [len(text.split()) for text in stories().train]
    assert floor() == pytest.approx(math.log(told * again / 12) / (18 + 5 * 7.25 - 1), rel=1e-12)
    assert np.mean(lengths) == pytest.approx(18 + 5 * 7.25, rel=0.002)


def test_the_generator_decides_everything():
    assert story(np.random.default_rng(3)) == story(np.random.default_rng(3))
    assert story(np.random.default_rng(3)) != story(np.random.default_rng(4))


@pytest.mark.parametrize("kind", SHA256)
def test_the_script_makes_the_files_byte_for_byte(kind):
    build = runpy.run_path(str(DATA / "make_stories.py"))["build"]
    assert build(kind) == (DATA / f"stories_{kind}.txt").read_bytes()


def test_errors_say_what_came_and_what_was_expected():
    with pytest.raises(ValueError, match="kind is 'slang'; expected one of 'plain', 'dialect'"):
        stories("slang")


def test_a_changed_or_missing_file_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr("nnlib.data.grammar.FOLDER", Path(tmp_path))
    with pytest.raises(FileNotFoundError, match="git checkout data"):
        stories()
    (tmp_path / "stories_plain.txt").write_text("once upon a time\n")
    with pytest.raises(ValueError, match="SHA-256"):
        stories()
