"""Neural networks three times: a NumPy reference, a PyTorch twin and PyTorch's own operation.

Every concept is a folder (`nnlib.normalization`, `nnlib.losses` …) with the same files in it. Importing
`nnlib` imports nothing else, so a NumPy lesson never waits for torch.
"""

__version__ = "0.1.0"
