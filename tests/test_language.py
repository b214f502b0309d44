"""The small language model: its words, its cache, what it has learnt, and learning it again."""

import numpy as np
import pytest
import torch

from nnlib import language
from nnlib.data import bundled, language_model_weights, stories
from nnlib.data.grammar import floor

STORY = stories().test[0]


@pytest.fixture(scope="module")
def model():
    return language.load_language_model()


def test_words_and_numbers():
    assert len(set(language.WORDS)) == len(language.WORDS) == 66
    assert language.decode(language.encode(STORY)) == STORY
    for kind in ("plain", "dialect"):
        assert set(" ".join(stories(kind).train).split()) == set(language.WORDS)
    with pytest.raises(ValueError, match="does not know 'whisky'; expected words among: \\. \\? so"):
        language.encode("anna drinks whisky")
    with pytest.raises(ValueError, match="got no words"):
        language.encode("  ")


def test_a_batch_is_filled_up_and_the_filling_is_no_target(model):
    texts = ["anna berg", "anna berg drinks tea"]
    x, y = language.batch(texts)
    assert x.shape == y.shape == (2, 3)
    assert y[0].tolist() == [language.encode("berg")[0], -100, -100]
    together = language.loss(model(x), y)
    alone = [language.loss(model(a), b) for a, b in map(language.batch, ([texts[0]], [texts[1]]))]
    torch.testing.assert_close(together, (alone[0] + 3 * alone[1]) / 4)


def test_no_word_sees_the_future(model):
    numbers = torch.from_numpy(language.encode(STORY))[None]
    whole = model(numbers)
    torch.testing.assert_close(model(numbers[:, :20]), whole[:, :20])
    maps = model.attention_maps(numbers[0])
    assert maps.shape == (2, 4, numbers.shape[1], numbers.shape[1])
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
    assert maps.triu(1).abs().max() == 0


@pytest.mark.parametrize("pieces", [[1] * 12, [5, 1, 6], [12]])
def test_with_the_cache_the_logits_are_the_same(model, pieces):
    numbers = torch.from_numpy(language.encode(STORY))[None, :12]
    cache = model.new_cache()
    read = torch.cat([model(piece, cache) for piece in numbers.split(pieces, 1)], 1)
    torch.testing.assert_close(read, model(numbers))


def test_generation(model):
    prompt = " ".join(STORY.split()[:20])
    rng = np.random.default_rng
    for heat in (0.0, 0.7):
        texts = {language.generate(model, prompt, 12, heat, rng(0), cached=c) for c in (True, False)}
        assert len(texts) == 1 and texts.pop().startswith(prompt)
    assert language.generate(model, prompt, 12, 2.0, rng(0)) != language.generate(
        model, prompt, 12, 2.0, rng(1)
    )
    with pytest.raises(ValueError, match="needs rng"):
        language.generate(model, prompt, temperature=0.5)
    with pytest.raises(ValueError, match="temperature is -1; expected at least 0"):
        language.generate(model, prompt, temperature=-1)


def test_what_the_shipped_model_knows(model):
    """It tells again without fault, and guesses one of three names when it is asked."""
    found = language.evaluate(model, stories().test)
    assert floor() < found["loss"] < floor() + 0.08
    assert found["retelling"] > 0.99
    assert 0.25 < found["questions"] < 0.42


def test_retelling_and_questions_count_what_they_say():
    """Logits that know the target everywhere, then everywhere but in the answers and the retold verbs."""
    _, y = language.batch(stories().test[:50])
    logits = torch.nn.functional.one_hot(y.clamp_min(0), 66).float()
    assert language.retelling(logits, y) == language.questions(logits, y) == 1
    answers = torch.zeros_like(y, dtype=torch.bool)
    answers[:, 1:] = y[:, :-1] == language.ASK
    spoiled = logits.clone()
    spoiled[answers] = 0
    assert language.questions(spoiled, y) == 0 and language.retelling(spoiled, y) == 1
    told = sum(4 if s.startswith("so") else 3 for text in stories().test[:50] for s in text.split(" . ")[3:])
    assert language._determined(y).sum() == told


def test_a_changed_or_missing_checkpoint_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, "LANGUAGE_MODEL", tmp_path / "language_model.npz")
    with pytest.raises(FileNotFoundError, match="git checkout data"):
        language_model_weights()
    (tmp_path / "language_model.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="SHA-256"):
        language.load_language_model()


def test_training_moves_what_requires_a_gradient_and_repeats_itself():
    def trained():
        model = language.LanguageModel(width=16, heads=2, blocks=1)
        model.load_state_dict(start)
        for weight in model.blocks.parameters():
            weight.requires_grad_(False)
        return language.train_language_model(model=model, steps=100, device="cpu")

    start = language.LanguageModel(width=16, heads=2, blocks=1).state_dict()
    (model, history), (again, _) = trained(), trained()
    assert history.epochs == 1 and history["validation_loss"][0] < 4
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])
        assert torch.equal(weight, start[name]) == name.startswith("blocks")
    with pytest.raises(ValueError, match="steps is 150; expected a multiple of 100"):
        language.train_language_model(steps=150)


def test_width_must_fit_the_heads():
    with pytest.raises(ValueError, match="width is 20; expected a multiple of 2 \\* heads = 8"):
        language.LanguageModel(width=20)


@pytest.mark.slow
def test_one_call_trains_another_that_is_as_good():
    model, history = language.train_language_model(seed=1, device="cpu")
    assert len(history["loss"]) == 20
    found = language.evaluate(model, stories().test)
    assert found["retelling"] > 0.98 and found["loss"] < floor() + 0.1
