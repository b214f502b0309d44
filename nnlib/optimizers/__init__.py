"""Optimizers: what to do with a gradient once it is known.

Notebook: notebooks/08_optimizers.ipynb

Every optimizer is one pure function, (param, grad, *state, **settings) -> (param, *state). The state of the
first step is None.

Papers: Robbins & Monro (1951), Annals of Mathematical Statistics (stochastic approximation); Polyak (1964),
USSR Computational Mathematics and Mathematical Physics (momentum); Sutskever, Martens, Dahl & Hinton (2013),
ICML (momentum and Nesterov's version of it in deep learning).
"""
