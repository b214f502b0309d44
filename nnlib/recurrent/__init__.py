"""Recurrent networks: one cell, used at every step of a sequence, with a state that it hands to itself.

Notebook: notebooks/15_rnn.ipynb

Papers: Elman (1990), Cognitive Science 14, 179-211 (the simple recurrent network); Williams & Zipser (1989),
Neural Computation 1, 270-280 (teacher forcing); Werbos (1990), Proceedings of the IEEE 78, 1550-1560
(back-propagation through time); Hochreiter & Schmidhuber (1997), Neural Computation 9, 1735-1780 (LSTM);
Gers, Schmidhuber & Cummins (2000), Neural Computation 12, 2451-2471 (the forget gate); Pascanu, Mikolov &
Bengio (2013), arXiv:1211.5063 (clipping); Cho et al. (2014), arXiv:1406.1078 (GRU); Le, Jaitly & Hinton
(2015), arXiv:1504.00941 (the adding problem).
"""
