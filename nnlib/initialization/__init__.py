"""Initialization: the numbers a network starts with, and why their size decides whether it learns.

Notebook: notebooks/10_initialization.ipynb

Papers: LeCun, Bottou, Orr & Müller (1998), Efficient BackProp; Glorot & Bengio (2010), AISTATS; Saxe,
McClelland & Ganguli (2013), arXiv:1312.6120; He, Zhang, Ren & Sun (2015), arXiv:1502.01852; Mishkin & Matas
(2015), arXiv:1511.06422; Zhang, Dauphin & Ma (2019), arXiv:1901.09321.
"""
