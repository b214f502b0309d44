"""A small language model: what 16 builds and trains, 20 quantizes and 21 fine-tunes.

    model = load_language_model()                       # trained, from data/language_model.npz
    model, history = train_language_model(seed=0)       # the same by one call, in about 20 seconds
    generate(model, "anna berg drinks", words=12)

It reads the stories of `nnlib.data.grammar`, word by word, and predicts the next word.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from nnlib import training
from nnlib.attention.in_torch import rotary_embedding
from nnlib.data.bundled import language_model_weights
from nnlib.data.grammar import ADJECTIVES, FIRST, LAST, NOUNS, PEOPLE, stories

CONTENT = (*FIRST, *LAST, *NOUNS, *ADJECTIVES, *sum(NOUNS.values(), []))
WORDS = (*". ? so who".split(), *CONTENT)
STOP, ASK = 0, 1
_NUMBER = {word: number for number, word in enumerate(WORDS)}
_FIRST_CONTENT = len(WORDS) - len(CONTENT)
_NOTHING = -100  # the target of a place behind the end of a story: torch's ignore_index

Cache = list[tuple[Tensor, Tensor] | None]


# -------------------------------------------------------------------------------------------------- words


def encode(text: str) -> np.ndarray:
    """The numbers of the words of a text: int array (T,)."""
    words = text.split()
    unknown = [word for word in words if word not in _NUMBER]
    if unknown or not words:
        what = f"does not know {unknown[0]!r}" if unknown else "got no words"
        raise ValueError(f"encode {what}; expected words among: {' '.join(WORDS)}")
    return np.array([_NUMBER[word] for word in words])


def decode(numbers: Iterable[int]) -> str:
    """The text of these numbers."""
    return " ".join(WORDS[int(number)] for number in numbers)


def batch(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """`x, y = batch(stories)`: the words of each story but the last, and the word that follows each.

    Both are int (N, T); behind the end of a shorter story stand full stops, and -100 as their target.
    """
    rows = [encode(text) for text in texts]
    longest = max(map(len, rows)) - 1
    x = torch.full((len(rows), longest), STOP)
    y = torch.full((len(rows), longest), _NOTHING)
    for i, row in enumerate(rows):
        x[i, : len(row) - 1] = torch.from_numpy(row[:-1])
        y[i, : len(row) - 1] = torch.from_numpy(row[1:])
    return x, y


# -------------------------------------------------------------------------------------------------- model


class Attention(nn.Module):
    """Causal attention with several heads and rotary positions; no bias anywhere."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        if width % (2 * heads):
            raise ValueError(f"Attention: width is {width}; expected a multiple of 2 * heads = {2 * heads}")
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def split(self, x: Tensor) -> Tensor:
        """(N, T, width) to (N, heads, T, width / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        """The output, and the keys and values of all words so far; `past` holds those of earlier calls."""
        start = 0 if past is None else past[0].shape[2]
        query = rotary_embedding.unchecked(self.split(self.query(x)), offset=start)
        key = rotary_embedding.unchecked(self.split(self.key(x)), offset=start)
        value = self.split(self.value(x))
        if past is not None:
            key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
        seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=x.device).tril(start)
        y = F.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return self.output(y.transpose(1, 2).flatten(2)), (key, value)

    def weights(self, x: Tensor) -> Tensor:
        """The attention weights (N, heads, T, T), which the fused operation of `forward` never shows."""
        query = rotary_embedding.unchecked(self.split(self.query(x)))
        key = rotary_embedding.unchecked(self.split(self.key(x)))
        score = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        future = torch.ones(score.shape[-2:], dtype=torch.bool, device=x.device).triu(1)
        return score.masked_fill(future, -torch.inf).softmax(-1)


class MLP(nn.Module):
    """Four times as wide inside, with ReLU."""

    def __init__(self, width: int):
        super().__init__()
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)))


class Block(nn.Module):
    """x + attention(norm1(x)), then x + mlp(norm2(x))."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2, self.mlp = nn.LayerNorm(width), MLP(width)

    def forward(self, x: Tensor, past: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        y, present = self.attention(self.norm1(x), past)
        x = x + y
        return x + self.mlp(self.norm2(x)), present


class LanguageModel(nn.Module):
    """Words in, logits of the next word out.

    Parameters
    ----------
    words : size of the vocabulary
    width : numbers that stand for one word between the blocks
    heads, blocks : how many of each
    """

    def __init__(self, words: int = len(WORDS), width: int = 64, heads: int = 4, blocks: int = 2):
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, tokens: Tensor, cache: Cache | None = None) -> Tensor:
        """tokens int (N, T) to logits (N, T, words); with a cache, only the words that it has not seen."""
        x = self.embedding(tokens)
        for i, block in enumerate(self.blocks):
            x, present = block(x, None if cache is None else cache[i])
            if cache is not None:
                cache[i] = present
        return self.head(self.norm(x))

    def new_cache(self) -> Cache:
        """One place per block for the keys and values of the words read so far."""
        return [None] * len(self.blocks)

    @torch.no_grad()
    def attention_maps(self, tokens: Tensor) -> Tensor:
        """tokens int (T,) to the attention weights (blocks, heads, T, T) of one text."""
        x, maps = self.embedding(tokens[None]), []
        for block in self.blocks:
            maps.append(block.attention.weights(block.norm1(x))[0])
            x, _ = block(x)
        return torch.stack(maps)


# ----------------------------------------------------------------------------- training and what was learnt


def loss(logits: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy in nats per word, over the words that are there."""
    return F.cross_entropy(logits.flatten(0, -2), y.flatten(), ignore_index=_NOTHING)


def _determined(y: Tensor) -> Tensor:
    """Which targets follow from the story so far: in what is told again, each word behind a name or a deed.

    The three people are introduced in three sentences of six words; a story's first word is no target.
    """
    content = y >= _FIRST_CONTENT
    again = torch.arange(y.shape[-1], device=y.device) >= 6 * PEOPLE - 1
    return again[1:] & content[..., 1:] & content[..., :-1]


def retelling(logits: Tensor, y: Tensor) -> Tensor:
    """Share of right guesses among the words that follow from the story so far."""
    right, asked = logits.argmax(-1) == y, _determined(y)
    return right[..., 1:][asked].float().mean()


def questions(logits: Tensor, y: Tensor) -> Tensor:
    """Share of questions that are answered with the right name."""
    right, asked = logits.argmax(-1) == y, y[..., :-1] == ASK
    return right[..., 1:][asked].float().mean()


METRICS: dict[str, Callable] = {"retelling": retelling, "questions": questions}


@torch.no_grad()
def evaluate(model: nn.Module, texts: Sequence[str]) -> dict[str, float]:
    """Loss in nats per word, and the two shares, over all texts at once."""
    x, y = batch(texts)
    place = next(model.parameters()).device
    logits, y = model(x.to(place)), y.to(place)
    measures = {"loss": loss, **METRICS}
    return {name: float(measure(logits, y)) for name, measure in measures.items()}


def train_language_model(
    seed: int = 0,
    kind: str = "plain",
    steps: int = 2000,
    model: nn.Module | None = None,
    lr: float = 5e-3,
    progress: bool | None = None,
    device: str | None = "cpu",
) -> tuple[nn.Module, training.History]:
    """A new model, or `model` trained on; the history has a line for every 100 steps.

    AdamW on eight stories at a time; after a gentle start the learning rate is `lr`, and falls to 0 over the
    last 30 % of the steps. Only parameters that require a gradient move. With `device=None` it trains on the
    fastest device here, where the model then lies.

    Returns
    -------
    model : in eval mode, on the device that trained it
    history : "loss" while training, "validation_loss", "validation_retelling" and "validation_questions"
    """
    if steps < 100 or steps % 100:
        raise ValueError(f"train_language_model: steps is {steps}; expected a multiple of 100")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LanguageModel() if model is None else model
    text = stories(kind)
    rounds = steps // 100
    train, test = TensorDataset(*batch(text.train)), TensorDataset(*batch(text.test[:200]))
    drawn = RandomSampler(train, num_samples=800, generator=torch.Generator().manual_seed(seed))
    moving = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(moving, lr=lr, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda i: min((i + 1) / 2, 1, (rounds - i) / (0.3 * rounds))
    )
    history = training.fit(
        model,
        DataLoader(train, batch_size=8, sampler=drawn),
        DataLoader(test, batch_size=len(test)),
        loss=loss,
        optimizer=optimizer,
        scheduler=scheduler,
        epochs=rounds,
        metrics=METRICS,
        progress=progress,
        device=device,
    )
    return model, history


def load_language_model() -> LanguageModel:
    """The model that `train_language_model(seed=0)` gave on one CPU thread, in eval mode."""
    model = LanguageModel()
    state = {name: torch.from_numpy(array) for name, array in language_model_weights().items()}
    model.load_state_dict(state)
    return model.eval()


# --------------------------------------------------------------------------------------------- generation


@torch.no_grad()
def generate(
    model: nn.Module,
    prompt: str,
    words: int = 20,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
    cached: bool = True,
) -> str:
    """The prompt and `words` more words; at temperature 0 always the likeliest.

    With `cached`, each step reads one word and takes the keys and values of the others from the cache.
    """
    if temperature < 0:
        raise ValueError(f"generate: temperature is {temperature}; expected at least 0")
    if temperature > 0 and rng is None:
        raise ValueError("generate: a temperature above 0 needs rng, a numpy Generator")
    place = next(model.parameters()).device
    numbers = encode(prompt).tolist()
    cache = model.new_cache() if cached else None
    unread = numbers
    for _ in range(words):
        logits = model(torch.tensor([unread], device=place), cache)[0, -1].cpu().double()
        if temperature == 0:
            numbers.append(int(logits.argmax()))
        else:
            share = (logits / temperature).softmax(-1).numpy()
            numbers.append(int(rng.choice(len(share), p=share / share.sum())))
        unread = numbers[-1:] if cached else numbers
    return decode(numbers)
