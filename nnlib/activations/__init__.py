"""Activations: the bend between two layers, without which a stack of layers is a single matrix product.

Notebook: notebooks/02_activations.ipynb

Papers: Nair & Hinton (2010), ICML (rectified linear units); Glorot, Bordes & Bengio (2011), AISTATS (deep
sparse rectifier networks); Maas, Hannun & Ng (2013), ICML workshop (leaky rectifiers).
"""
