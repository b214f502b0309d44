"""Autograd: derivatives of whole programs from one small rule per operation.

Notebook: notebooks/04_chain_rule.ipynb

Papers: Wengert (1964), A simple automatic derivative evaluation program (forward mode); Linnainmaa (1970),
master's thesis, University of Helsinki (reverse mode); Baur & Strassen (1983), The complexity of partial
derivatives; Baydin, Pearlmutter, Radul & Siskind (2018), arXiv:1502.05767, a survey.
"""
