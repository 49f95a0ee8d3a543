"""What the oracle's scripts import. Where this python lacks it they go on in $NORMA_PYTHON, or end with status 77."""
import importlib
import os
import sys


def need(*modules):
    try:
        for module in modules:
            importlib.import_module(module)
    except ImportError as missing:
        other = os.environ.pop("NORMA_PYTHON", None)
        if other:
            try:
                os.execvp(other, [other] + sys.argv)
            except OSError as error:
                print(f"NORMA_PYTHON={other}: {error.strerror}")
                sys.exit(1)
        print(f"skipped: {missing} in {sys.executable}; needed are {', '.join(modules)} (Debian: python3-torch, "
              "python3-h5py, python3-pil, python3-opencv). NORMA_PYTHON=/path/to/python meson test --suite oracle takes another python.")
        sys.exit(77)


if __name__ == "__main__":
    need("torch", "numpy", "h5py")
