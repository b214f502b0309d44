"""Regularization: whatever makes a model fit its sample less in order to fit the next one better.

Notebook: notebooks/13_regularization.ipynb

Papers: Hoerl & Kennard (1970), Technometrics 12 (ridge); Bishop (1995), Neural Computation 7 (noise);
Tibshirani (1996), JRSS B 58 (lasso); Zou & Hastie (2005), JRSS B 67 (elastic net); Zhang et al. (2017),
arXiv:1611.03530 (random labels); Zhang, Cisse, Dauphin & Lopez-Paz (2018), arXiv:1710.09412 (mixup); Yun et
al. (2019), arXiv:1905.04899 (CutMix); Belkin, Hsu, Ma & Mandal (2019), arXiv:1812.11118 (double descent).
"""
