"""Cut the bundled Fashion-MNIST subset out of the official files.

    python tools/make_fashion_subset.py FOLDER_WITH_THE_FOUR_OFFICIAL_GZ_FILES

The first images of each class, in official order; the output is the same on every run.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

OUT = Path(__file__).resolve().parents[1] / "src/picojoule/data/fashion_mnist"
PER_CLASS = {"train": 600, "t10k": 200}
OFFICIAL_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def official_payload(folder: Path, name: str, header_bytes: int) -> NDArray[np.uint8]:
    content = gzip.decompress((folder / f"{name}.gz").read_bytes())
    if hashlib.sha256(content).hexdigest() != OFFICIAL_SHA256[name]:
        raise SystemExit(f"{folder / name}.gz is not the official file: its SHA-256 differs")
    return np.frombuffer(content, np.uint8, offset=header_bytes)


def write_idx(name: str, array: NDArray[np.uint8]) -> None:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    path = OUT / f"{name}.gz"
    path.write_bytes(gzip.compress(header + array.tobytes(), compresslevel=9, mtime=0))
    print(
        hashlib.sha256(path.read_bytes()).hexdigest(), path.name, array.shape, path.stat().st_size
    )


def main(folder: Path) -> None:
    for split, per_class in PER_CLASS.items():
        images = official_payload(folder, f"{split}-images-idx3-ubyte", 16).reshape(-1, 28, 28)
        labels = official_payload(folder, f"{split}-labels-idx1-ubyte", 8)
        chosen = np.sort(
            np.concatenate([np.flatnonzero(labels == c)[:per_class] for c in range(10)])
        )
        write_idx(f"{split}-images-idx3-ubyte", images[chosen])
        write_idx(f"{split}-labels-idx1-ubyte", labels[chosen])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
