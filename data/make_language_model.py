"""Makes language_model.npz by training it, in about 20 seconds: `python data/make_language_model.py`.

Another processor or another version of PyTorch rounds otherwise and gives other weights that are as good.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch

from nnlib.data import stories
from nnlib.language import evaluate, train_language_model

if __name__ == "__main__":
    torch.set_num_threads(1)
    model, _ = train_language_model(seed=0, device="cpu")
    path = Path(__file__).with_name("language_model.npz")
    np.savez(path, **{name: weight.numpy() for name, weight in model.state_dict().items()})
    content = path.read_bytes()
    print(f"{path.name}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
    print({name: round(value, 3) for name, value in evaluate(model, stories().test).items()})
