"""LoRA: fine-tune a large layer by training two thin matrices beside it, and leave the layer as it is.

Notebook: notebooks/21_lora.ipynb

Papers: Hu et al. (2021), arXiv:2106.09685 (LoRA); Dettmers, Pagnoni, Holtzman & Zettlemoyer (2023),
arXiv:2305.14314 (QLoRA); Kalajdzievski (2023), arXiv:2312.03732 (rank-stabilized scaling); Liu et al. (2024),
arXiv:2402.09353 (DoRA).
"""
