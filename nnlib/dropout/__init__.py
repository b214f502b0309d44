"""Dropout: train a different random part of the network in every step, and use all of it afterwards.

Notebook: notebooks/12_dropout.ipynb

Papers: Krogh & Vedelsby (1995), Neural network ensembles; Breiman (1996), Bagging predictors; Breiman (2001),
Random forests; Wan, Zeiler, Zhang, LeCun & Fergus (2013), DropConnect; Srivastava, Hinton, Krizhevsky,
Sutskever & Salakhutdinov (2014), JMLR 15 (dropout); Tompson, Goroshin, Jain, LeCun & Bregler (2015),
arXiv:1411.4280 (whole channels); Gal & Ghahramani (2016), arXiv:1506.02142 (Monte-Carlo dropout); Huang, Sun,
Liu, Sedra & Weinberger (2016), arXiv:1603.09382 (stochastic depth); Klambauer, Unterthiner, Mayr & Hochreiter
(2017), arXiv:1706.02515 (alpha dropout); Lakshminarayanan, Pritzel & Blundell (2017), arXiv:1612.01474
(ensembles); Li, Chen, Hu & Yang (2018), arXiv:1801.05134 (variance shift).
"""
