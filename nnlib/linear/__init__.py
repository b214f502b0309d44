"""The linear layer: every output is a weighted sum of all inputs plus a bias.

Notebooks: notebooks/00_start_here.ipynb, notebooks/03_forward.ipynb
"""
