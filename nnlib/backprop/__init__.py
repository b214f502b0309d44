"""Backpropagation: the gradient of a whole network, line by line, in one sweep from the loss to the inputs.

Notebook: notebooks/05_backpropagation.ipynb

Papers: Linnainmaa (thesis 1970, article 1976), Taylor expansion of the accumulated rounding error; Rumelhart,
Hinton & Williams (1986), Learning representations by back-propagating errors; Griewank & Walther (2000),
Algorithm 799: revolve; Chen, Xu, Zhang & Guestrin (2016), Training deep nets with sublinear memory cost.
"""
