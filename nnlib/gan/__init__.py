"""GANs: a generator learns to make samples from a discriminator that learns to tell them from real ones.

Notebook: notebooks/18_gan.ipynb

Papers: Goodfellow et al. (2014), arXiv:1406.2661 (the game); Radford, Metz & Chintala (2016),
arXiv:1511.06434 (DCGAN); Arjovsky & Bottou (2017), arXiv:1701.04862 (vanishing gradients); Mao et al.
(2017), arXiv:1611.04076 (least squares); Arjovsky, Chintala & Bottou (2017), arXiv:1701.07875
(Wasserstein); Gulrajani et al. (2017), arXiv:1704.00028 (gradient penalty); Miyato et al. (2018),
arXiv:1802.05957 (spectral normalization).
"""
