"""Losses: one number that says how wrong the outputs are, and the gradient that starts the backward pass.

Notebook: notebooks/06_losses.ipynb

Papers: Szegedy, Vanhoucke, Ioffe, Shlens & Wojna (2016), arXiv:1512.00567 (label smoothing).
"""
