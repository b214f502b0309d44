"""Losses: one number that says how wrong the outputs are, and the gradient that starts the backward pass.

Notebook: notebooks/06_losses.ipynb

Papers: Huber (1964), Annals of Mathematical Statistics 35, 73-101; Nix & Weigend (1994) (a learned variance);
Szegedy, Vanhoucke, Ioffe, Shlens & Wojna (2016), arXiv:1512.00567 (label smoothing); Lin, Goyal, Girshick,
He & Dollár (2017), arXiv:1708.02002 (focal loss); Guo, Pleiss, Sun & Weinberger (2017), arXiv:1706.04599
(calibration).
"""
