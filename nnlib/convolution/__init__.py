"""Convolution: one small set of weights that visits every place of a picture, and pooling.

Notebook: notebooks/14_cnn.ipynb

Papers: LeCun et al. (1989), doi:10.1162/neco.1989.1.4.541; LeCun, Bottou, Bengio & Haffner (1998),
doi:10.1109/5.726791 (LeNet-5); Lin, Chen & Yan (2014), arXiv:1312.4400 (global average pooling); He, Zhang,
Ren & Sun (2016), arXiv:1512.03385 (residual networks); Dumoulin & Visin (2016), arXiv:1603.07285 (sizes);
Howard et al. (2017), arXiv:1704.04861 (depthwise separable); Zhang (2019), arXiv:1904.11486 (shifts).
"""
