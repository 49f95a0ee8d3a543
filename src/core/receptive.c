/* Receptive fields: size r, jump j, start s (centre of the first unit), composed layer by layer:
 *
 *     r += (k - 1) * d * j      s += ((k - 1) * d / 2 - pad) * j      j *= stride
 *
 * and for a transposed convolution, which reads every `stride`-th tap,
 *
 *     r += floor((k - 1) * d / stride) * j      s += (pad - (k - 1) * d / 2) / stride * j      j /= stride
 *
 * (Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019).
 * At a join the path with the largest field is taken. */
#include "network.h"

#include <math.h>

/* Whether inputs spaced `jump` apart, each seeing `size` pixels, leave holes between a kernel's taps. */
static bool leaves_gaps(const nm_receptive *r, const nm_window *w, int axis)
{
    return w->kernel[axis] > 1 && w->dilation[axis] * r->jump[axis] > r->size[axis];
}

static nm_receptive through(const nm_node *node, nm_receptive r)
{
    if (!node->type->window)
        return r;
    nm_window w = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, false, false};
    node->type->window(node->self, &w);
    if (w.global) {
        for (int axis = 0; axis < 2; axis++) {
            int extent = axis == 0 ? node->in[0].h : node->in[0].w;
            r.size[axis] += (extent - 1) * r.jump[axis];
            r.start[axis] += (extent - 1) * r.jump[axis] / 2;
            r.jump[axis] *= extent;
        }
        r.whole = true;
        return r;
    }
    for (int axis = 0; axis < 2; axis++) {
        double reach = (double)(w.kernel[axis] - 1) * w.dilation[axis];
        if (w.transposed) {
            r.size[axis] += floor(reach / w.stride[axis]) * r.jump[axis];
            r.start[axis] += (w.pad[axis] - reach / 2) / w.stride[axis] * r.jump[axis];
            r.jump[axis] /= w.stride[axis];
            continue;
        }
        r.gaps = r.gaps || leaves_gaps(&r, &w, axis);
        r.size[axis] += reach * r.jump[axis];
        r.start[axis] += (reach / 2 - w.pad[axis]) * r.jump[axis];
        r.jump[axis] *= w.stride[axis];
    }
    return r;
}

nm_receptive nm_node_receptive(const nm_network *net, int index, int input, const nm_receptive *fields)
{
    return through(&net->node[index], fields[net->node[index].from[input]]);
}

void nm_network_receptive(const nm_network *net, nm_receptive *out)
{
    for (int i = 0; i < net->nodes; i++) {
        out[i] = (nm_receptive){{1, 1}, {1, 1}, {0, 0}, false, false};
        for (int k = 0; k < net->node[i].inputs; k++) {
            nm_receptive r = through(&net->node[i], out[net->node[i].from[k]]);
            if (k == 0 || r.size[0] * r.size[1] > out[i].size[0] * out[i].size[1])
                out[i] = r;
        }
    }
}
