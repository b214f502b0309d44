"""Quantization: numbers in few bits, and what a network loses by them.

Notebook: notebooks/20_quantization.ipynb

Papers: Jacob et al. (2018), arXiv:1712.05877 (integers only); Krishnamoorthi (2018), arXiv:1806.08342 (per
channel, quantization-aware training); Bengio, Léonard & Courville (2013), arXiv:1308.3432 (straight-through);
Dettmers et al. (2022), arXiv:2208.07339 (outliers); Dettmers et al. (2023), arXiv:2305.14314 (NF4, double
quantization); Micikevicius et al. (2022), arXiv:2209.05433 (float8); Han et al. (2015), arXiv:1506.02626, and
Frankle & Carbin (2019), arXiv:1803.03635 (pruning).
"""
