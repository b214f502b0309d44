"""Makes digits.npz from scikit-learn's copy of the images: `python data/make_digits.py`.

The bytes are the same on every machine: nothing is compressed (compressors differ between zlib versions), and
every field of the zip headers that would depend on the clock or the system is fixed.
"""

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def build() -> bytes:
    """The content of digits.npz."""
    images, labels = load_digits(return_X_y=True)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.3, stratify=labels, random_state=0)
    arrays = {
        "images": images.astype(np.uint8),  # (1797, 64), 0..16
        "labels": labels.astype(np.uint8),  # (1797,), 0..9
        "train": train.astype("<u2"),  # (1257,) rows of images, in the order of the split
        "test": test.astype("<u2"),  # (540,)
    }
    return pack(arrays)


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz file that depends on the arrays alone."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix; Windows would write 0
            entry.external_attr = 0o644 << 16
            file.writestr(entry, content.getvalue())
    return archive.getvalue()


if __name__ == "__main__":
    content = build()
    path = Path(__file__).with_name("digits.npz")
    path.write_bytes(content)
    print(f"{path.name}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}")
