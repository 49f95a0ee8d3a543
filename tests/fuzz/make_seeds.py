#!/usr/bin/env python3
"""make_seeds.py OUTPUT NORMA MODELS WRITE_HDF5: a folder of inputs for each target of the fuzzers, in OUTPUT."""
import glob
import gzip
import io
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib


def png(width, height, colour, depth=8):
    def chunk(name, data):
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name + data))
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    line = b'\0' + bytes(range(256))[:(width * samples * depth + 7) // 8]
    parts = chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0))
    if colour == 3:
        parts += chunk(b'PLTE', bytes(range(48)))
    return b'\x89PNG\r\n\x1a\n' + parts + chunk(b'IDAT', zlib.compress(line * height)) + chunk(b'IEND', b'')


def tiff(width, height):
    """Grey, one strip, no compression."""
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
               (277, 3, 1, 1), (278, 3, 1, height), (279, 4, 1, width * height)]
    directory = struct.pack('<H', len(entries)) + b''.join(struct.pack('<HHII', *e) for e in entries) + bytes(4)
    return b'II*\0' + struct.pack('<I', 8 + width * height) + bytes(width * height) + directory


def gif():
    return (b'GIF89a' + struct.pack('<HHBBB', 2, 2, 0x80, 0, 0) + bytes((0, 0, 0, 255, 255, 255)) + b',' +
            struct.pack('<HHHHB', 0, 0, 2, 2, 0) + bytes((2, 3, 0x44, 0x02, 0x05, 0)) + b';')


def idx(extents, values):
    return bytes((0, 0, 8, len(extents))) + b''.join(struct.pack('>I', e) for e in extents) + values


def tar(names):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w:gz') as archive:
        for name, size in names:
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    return packed.getvalue()


def checkpoint(norma):
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'm.yaml'), 'w', encoding='utf-8') as f:
            f.write('name: m\ninput: {height: 28, width: 28, channels: 1}\nlayers:\n  - {conv: {filters: 2, kernel: 3, stride: 4}}\n'
                    '  - batchnorm: {}\n  - gap: {}\n  - dense: {units: 10}\nloss: softmax_ce\ntrain: {data: digits, batch: 8}\n')
        subprocess.run([norma, 'train', 'm.yaml', '--steps', '1', '--limit', '8', '--run', 'r'], cwd=folder, check=True,
                       capture_output=True)
        with open(os.path.join(folder, 'r', 'last.h5'), 'rb') as f:
            return f.read()


def hdf5(write_hdf5):
    """A file of data, and a table."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ('data', 'table')]
        subprocess.run([write_hdf5, *paths], check=True)
        return [open(path, 'rb').read() for path in paths]


def seeds(norma, models, write_hdf5):
    images, labels = idx((3, 2, 2), bytes(range(12))), idx((3,), bytes((0, 1, 2)))
    header = b'epoch,step,lr,train_loss,train_accuracy,test_loss,test_accuracy,seconds\n'
    yield 'model', {os.path.basename(name): open(name, 'rb').read() for name in sorted(glob.glob(models + '/*.yaml'))
                    if os.path.getsize(name) < 2000}
    yield 'option', {str(i): text for i, text in enumerate((
        b'c1.filters=8', b'c1.kernel=[3, 1]', b'train.lr=0.1', b'input.height=12', b'defaults.conv.pad=same',
        b'd1.units=-1', b'c1.batchnorm.epsilon=1e-3', b'train.optimizer={sgd: {lr: 0.1}}'))}
    yield 'idx', {'images': images, 'labels': labels, 'images.gz': gzip.compress(images, mtime=0),
                  'labels.gz': gzip.compress(labels, mtime=0), 'huge': idx((1 << 30, 1 << 10, 1 << 10), b'')}
    yield 'cifar', {'empty': tar([]), 'short': tar([('cifar-10-batches-bin/data_batch_1.bin', 3073)]),
                    'other': tar([('x', 10), ('cifar-10-batches-bin/test_batch.bin', 100)])}
    yield 'image', {**{'png-%d' % c: png(5, 4, c) for c in (0, 2, 3, 4, 6)}, 'png-16': png(3, 3, 0, 16), 'tiff': tiff(4, 4),
                    'gif': gif(), 'webp': b'RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0',
                    'huge': png(1, 1, 0).replace(struct.pack('>II', 1, 1), struct.pack('>II', 1 << 30, 1 << 30))}
    yield 'metrics', {'rows': header + b'1,10,0.1,2.3,0.1,2.2,0.2,1.5\n2,20,0.1,nan,nan,nan,nan,3\n', 'none': header}
    yield 'checkpoint', {'last': checkpoint(norma)}
    data, table = hdf5(write_hdf5)
    yield 'hdf5', {'data': data}
    yield 'table', {'table': table}


def main():
    output, norma, models, write_hdf5 = sys.argv[1:]
    for target, files in seeds(os.path.abspath(norma), models, os.path.abspath(write_hdf5)):
        os.makedirs(os.path.join(output, target), exist_ok=True)
        for name, value in files.items():
            with open(os.path.join(output, target, name), 'wb') as f:
                f.write(value)
    with open(os.path.join(output, 'made'), 'w', encoding='ascii'):
        pass


if __name__ == '__main__':
    main()
