"""Gradient descent: how far a step may go, what curvature has to do with it, and what a batch changes.

Notebook: notebooks/07_gradient_descent.ipynb

Papers: Pearlmutter (1994), Fast exact multiplication by the Hessian; LeCun, Bottou, Orr & Müller (1998),
Efficient BackProp; Goyal et al. (2017), arXiv:1706.02677 (linear scaling and warm-up); Smith (2017),
arXiv:1506.01186 (learning-rate range test); Cohen et al. (2021), arXiv:2103.00065 (edge of stability).
"""
