"""Attention: places of a sequence look at each other, and take over a mixture of what they find.

Notebook: notebooks/16_attention.ipynb

Papers: Bahdanau, Cho & Bengio (2014), arXiv:1409.0473 (attention on top of a recurrent network); Vaswani
et al. (2017), arXiv:1706.03762 (scaled dot products, heads, blocks, sinusoidal positions); Milakov &
Gimelshein (2018), arXiv:1805.02867 (the softmax in one pass); Jain & Wallace (2019), arXiv:1902.10186, and
Wiegreffe & Pinter (2019), arXiv:1908.04626 (what weights explain); Shazeer (2019), arXiv:1911.02150 (the cost
of writing with a cache); Xiong et al. (2020), arXiv:2002.04745 (the norm in front); Su et al. (2021),
arXiv:2104.09864 (rotary positions); Dao et al. (2022), arXiv:2205.14135 (block by block); Olsson et al.
(2022), arXiv:2209.11895 (induction heads).
"""
