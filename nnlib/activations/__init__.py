"""Activations: the bend between two layers, without which a stack of layers is a single matrix product.

Notebook: notebooks/02_activations.ipynb

Papers: Bridle (1990) (softmax); Dugas et al. (2000), NIPS (softplus); Nair & Hinton (2010), ICML (rectified
linear units); Glorot, Bordes & Bengio (2011), AISTATS (deep sparse rectifier networks); Maas, Hannun & Ng
(2013), ICML workshop (leaky rectifiers); Clevert, Unterthiner & Hochreiter (2015), arXiv:1511.07289 (ELU);
Hendrycks & Gimpel (2016), arXiv:1606.08415 (GELU, SiLU); Misra (2019), arXiv:1908.08681 (Mish).
"""
