"""The record that fail_file.c makes of a run, and the disk that it leads to, synced or not."""
import hashlib
import os
import re


def read_record(path):
    """[(name, first, second, bytes)]."""
    calls = []
    with open(path, 'rb') as f:
        while line := f.readline():
            words = line.decode().rstrip('\n').split('\t')
            data = f.read(int(words[3])) if words[0] == 'write' else b''
            calls.append((words[0], words[1], words[2], data))
    return calls


class Content:
    """A file's bytes: those that are synced, and the changes since."""

    def __init__(self, synced=b''):
        self.synced, self.since = synced, []

    def apply(self, start, change):
        at, data = change
        if data is None:
            return start[:at] + bytes(max(0, at - len(start)))
        return start[:at] + bytes(max(0, at - len(start))) + data + start[at + len(data):]

    def now(self):
        value = self.synced
        for change in self.since:
            value = self.apply(value, change)
        return value

    def sync(self):
        self.synced, self.since = self.now(), []

    def lost(self, numbers):
        value = self.synced
        for at, data in self.since:
            fate = numbers.random()
            if fate < 0.4:
                continue
            if data and fate < 0.6:
                part = numbers.randrange(len(data))
                growth = max(0, at + len(data) - max(len(value), at + part))
                data = data[:part] + (bytes(growth) if fate < 0.5 and at + part >= len(value) else b'')
            value = self.apply(value, (at, data))
        return value


class Disk:
    """Names of one folder, and what they name. A change of names is (path, content or None)."""

    def __init__(self, files=None):
        """files: {path: bytes} of what is there at first."""
        self.names = {path: Content(value) for path, value in (files or {}).items()}
        self.since, self.seen, self.open = [], dict(self.names), {}

    def name(self, path, content):
        self.since.append([(path, content)])
        self.seen[path] = content

    def call(self, name, first, second, data):
        if name == 'open':
            words = second.split()
            if 'folder' in words:
                self.open[words[0]] = None
                return
            if first not in self.seen:
                self.name(first, Content())
            self.open[words[0]] = self.seen[first]
            if 'trunc' in words:
                self.seen[first].since.append((0, None))
        elif name == 'rename':
            content = self.seen.pop(first)
            self.since.append([(first, None), (second, content)])  # both or neither
            self.seen[second] = content
        elif name == 'link':
            self.name(second, self.seen[first])
        elif name == 'unlink':
            self.since.append([(first, None)])
            del self.seen[first]
        elif name == 'write':
            self.open[first].since.append((int(second), data))
        elif name == 'truncate':
            self.open[first].since.append((int(second), None))
        elif name == 'fsync' and self.open[first]:
            self.open[first].sync()
        elif name == 'fsync':
            self.names, self.since = dict(self.seen), []

    def lost(self, numbers):
        names = dict(self.names)
        for change in self.since:
            if numbers.random() < 0.5:
                for path, content in change:
                    if content is None:
                        names.pop(path, None)
                    else:
                        names[path] = content
        values = {id(content): content.lost(numbers) for content in names.values()}
        return {path: values[id(content)] for path, content in names.items()}




def checkpoints(calls, files):
    """{digest: step} of all that ever had a checkpoint's name; step is 0 where no name says it."""
    disk, steps = Disk(files), {}
    for call in calls:
        disk.call(*call)
        if call[0] not in ('rename', 'link') or not call[2].endswith('.h5'):
            continue
        value = hashlib.sha256(disk.seen[call[2]].now()).hexdigest()
        number = re.match(r'step-(\d+)', os.path.basename(call[2]))
        steps[value] = max(steps.get(value, 0), int(number.group(1)) if number else 0)
    return steps
