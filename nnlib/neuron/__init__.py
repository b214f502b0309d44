"""One neuron: a weighted sum, a bias and a decision; first a step, then units that can be differentiated.

Notebook: notebooks/01_neuron.ipynb

Papers: McCulloch & Pitts (1943), A logical calculus of the ideas immanent in nervous activity;
Rosenblatt (1958), The perceptron; Widrow & Hoff (1960), Adaptive switching circuits;
Novikoff (1962), the bound on mistakes; Minsky & Papert (1969), Perceptrons.
"""
