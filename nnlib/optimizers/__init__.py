"""Optimizers: what to do with a gradient once it is known, and schedules: how far to go at which step.

Notebook: notebooks/08_optimizers.ipynb

Every optimizer is one pure function, (param, grad, *state, **settings) -> (param, *state). The state of the
first step is None. One whose rule depends on the number of the step takes it as t, which counts from 1.
A schedule is a function of the step t, which counts from 0, as torch's schedulers do; the one that looks at
results instead carries its state in and out.

Papers: Robbins & Monro (1951), Annals of Mathematical Statistics (stochastic approximation); Polyak (1964),
USSR Computational Mathematics and Mathematical Physics (momentum); Sutskever, Martens, Dahl & Hinton (2013),
ICML (momentum and Nesterov's version of it in deep learning); Duchi, Hazan & Singer (2011), JMLR 12
(AdaGrad); Kingma & Ba (2015), arXiv:1412.6980 (Adam); Reddi, Kale & Kumar (2018), arXiv:1904.09237
(AMSGrad); Loshchilov & Hutter (2019), arXiv:1711.05101 (AdamW); Dozat (2016), ICLR workshop (NAdam);
Chen et al. (2023), arXiv:2302.06675 (Lion); Jordan et al. (2024) and Liu et al. (2025), arXiv:2502.16982
(Muon); Loshchilov & Hutter (2017), arXiv:1608.03983 (cosine annealing and restarts); Smith & Topin (2017),
arXiv:1708.07120 (one-cycle).
"""
