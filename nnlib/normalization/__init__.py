"""Normalization: bring numbers to a common scale, then let the network choose the scale it wants.

Notebook: notebooks/11_normalization.ipynb

Papers: Ioffe & Szegedy (2015), arXiv:1502.03167 (batch norm); Ba, Kiros & Hinton (2016), arXiv:1607.06450
(layer norm); Ulyanov, Vedaldi & Lempitsky (2016), arXiv:1607.08022 (instance norm); Salimans & Kingma (2016),
arXiv:1602.07868 (weight norm); Wu & He (2018), arXiv:1803.08494 (group norm); Zhang & Sennrich (2019),
arXiv:1910.07467 (RMS norm).
"""
