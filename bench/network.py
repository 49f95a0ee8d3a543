"""norma's model files as PyTorch modules: the layer types that the measured networks use."""
import torch
import yaml


class Join(torch.nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, *x):
        return self.f(*x)


class Network(torch.nn.Module):
    def __init__(self, path):
        super().__init__()
        with open(path) as f:
            model = yaml.safe_load(f)
        self.shape = tuple(model["input"][k] for k in ("channels", "height", "width"))
        self.steps, self.parts = [], torch.nn.ModuleDict()
        shapes, last = {"input": self.shape}, "input"
        anchor = ""
        for item in model["layers"]:
            item = {item: {}} if isinstance(item, str) else item
            kind = next(k for k in item if k not in ("name", "from"))
            options = {**model.get("defaults", {}).get(kind, {}), **(item[kind] or {})}
            name = item.get("name") or f"{anchor}.{kind}"
            while name in shapes:
                name += "+"
            anchor = item.get("name", anchor)
            sources = item.get("from", last)
            sources = sources if isinstance(sources, list) else [sources]
            part = self.make(kind, options, [shapes[s] for s in sources])
            key = name.replace(".", "_")
            self.parts[key] = part
            with torch.no_grad():
                self.parts[key].eval()
                shapes[name] = tuple(part(*[torch.zeros(1, *shapes[s]) for s in sources]).shape[1:])
                self.parts[key].train()
            self.steps.append((name, key, sources))
            last = name
        self.last = last

    @staticmethod
    def make(kind, o, shapes):
        channels = shapes[0][0]
        if kind == "conv":
            k, s = o.get("kernel", 3), o.get("stride", 1)
            pad = o.get("pad", 0)
            after = torch.nn.ReLU() if o.get("activation") == "relu" else torch.nn.Identity()
            need = max(s_ for s_ in [k - s, 0]) if pad == "same" else 0
            ahead = torch.nn.ZeroPad2d((need // 2, need - need // 2) * 2) if pad == "same" and need % 2 else torch.nn.Identity()
            pad = 0 if pad == "same" and need % 2 else need // 2 if pad == "same" and s > 1 else (k - 1) // 2 if pad == "same" else pad
            conv = torch.nn.Conv2d(channels, o["filters"], k, s, pad, o.get("dilation", 1), o.get("groups", 1),
                                   o.get("bias", True))
            return torch.nn.Sequential(ahead, conv, after)
        if kind == "dense":
            size = shapes[0][0] * shapes[0][1] * shapes[0][2]
            return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, o["units"], o.get("bias", True)),
                                       torch.nn.Unflatten(1, (o["units"], 1, 1)))
        if kind in ("maxpool", "avgpool"):
            size, pad = o["size"], o.get("pad", 0)
            stride = o.get("stride", size)
            make = torch.nn.MaxPool2d if kind == "maxpool" else torch.nn.AvgPool2d
            return make(size, stride, (size - 1) // 2 if pad == "same" else pad)
        return {"batchnorm": lambda: torch.nn.BatchNorm2d(channels), "relu": torch.nn.ReLU,
                "gap": lambda: torch.nn.AdaptiveAvgPool2d(1), "add": lambda: Join(lambda *x: sum(x[1:], x[0])),
                "concat": lambda: Join(lambda *x: torch.cat(x, 1)), "dropout": lambda: torch.nn.Dropout(o.get("rate", 0.5)),
                "multiply": lambda: Join(lambda a, b: a * b)}[kind]()

    def forward(self, x):
        made = {"input": x}
        for name, key, sources in self.steps:
            made[name] = self.parts[key](*[made[s] for s in sources])
        return made[self.last].flatten(1)
