"""Autoencoders: say it in fewer numbers and rebuild it; the variational one also makes up new data.

Notebook: notebooks/17_autoencoder.ipynb

Papers: Baldi & Hornik (1989), Neural Networks 2, 53-58 (linear autoencoders); Hinton & Salakhutdinov (2006),
Science 313, 504-507 (deep ones); Kingma & Welling (2014), arXiv:1312.6114 (variational); Burda, Grosse &
Salakhutdinov (2016), arXiv:1509.00519 (importance weights); Tipping & Bishop (1999), Journal of the Royal
Statistical Society B 61, 611-622, and Lucas, Tucker, Grosse & Norouzi (2019), arXiv:1911.02469 (linear
variational).
"""
