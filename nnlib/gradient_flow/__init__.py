"""Gradient flow: what a long product of Jacobians does to a gradient, and what keeps it at one size.

Notebook: notebooks/09_vanishing_exploding.ipynb

Papers: Hochreiter (1991), Untersuchungen zu dynamischen neuronalen Netzen; Bengio, Simard & Frasconi (1994),
Learning long-term dependencies with gradient descent is difficult; Pascanu, Mikolov & Bengio (2013),
arXiv:1211.5063; Srivastava, Greff & Schmidhuber (2015), arXiv:1505.00387; He, Zhang, Ren & Sun (2016),
arXiv:1512.03385 and arXiv:1603.05027.
"""
