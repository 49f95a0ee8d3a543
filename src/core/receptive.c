/* Receptive fields: size r, jump j, start s (centre of the first unit), composed layer by layer:
 *
 *     r += (k - 1) * d * j      s += ((k - 1) * d / 2 - pad) * j      j *= stride
 *
 * and for a transposed convolution, where with g = gcd(d, stride) a unit meets every stride / g-th tap at most, d / g
 * inputs apart,
 *
 *     r += floor((k - 1) * g / stride) * d / g * j      s += (pad - (k - 1) * d / 2) / stride * j      j /= stride
 *
 * (Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019). */
#include "network.h"

/* Whether `taps` inputs, `apart` steps of `jump` pixels from each other, leave holes between what they see. */
static bool leaves_gaps(const nm_receptive *r, int taps, int apart, int axis)
{
    return taps > 1 && apart * r->jump[axis] > r->size[axis];
}

static int common_divisor(int a, int b)
{
    return b ? common_divisor(b, a % b) : a;
}

static void through_transposed(const nm_window *w, int axis, nm_receptive *r)
{
    int common = common_divisor(w->dilation[axis], w->stride[axis]), apart = w->dilation[axis] / common;
    int taps = (w->kernel[axis] - 1) * common / w->stride[axis] + 1;
    double reach = (double)(w->kernel[axis] - 1) * w->dilation[axis];
    r->gaps = r->gaps || leaves_gaps(r, taps, apart, axis);
    r->size[axis] += (taps - 1) * apart * r->jump[axis];
    r->start[axis] += (w->pad[axis] - reach / 2) / w->stride[axis] * r->jump[axis];
    r->jump[axis] /= w->stride[axis];
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
            through_transposed(&w, axis, &r);
            continue;
        }
        r.gaps = r.gaps || leaves_gaps(&r, w.kernel[axis], w.dilation[axis], axis);
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

/* `sign` 1: at a join the path with the largest field; -1: the one with the smallest. */
static void follow_paths(const nm_network *net, int sign, nm_receptive *out)
{
    for (int i = 0; i < net->nodes; i++) {
        out[i] = (nm_receptive){{1, 1}, {1, 1}, {0, 0}, false, false};
        for (int k = 0; k < net->node[i].inputs; k++) {
            nm_receptive r = through(&net->node[i], out[net->node[i].from[k]]);
            if (k == 0 || sign * (r.size[0] * r.size[1] - out[i].size[0] * out[i].size[1]) > 0)
                out[i] = r;
        }
    }
}

void nm_network_receptive(const nm_network *net, nm_receptive *out)
{
    follow_paths(net, 1, out);
}

void nm_network_receptive_least(const nm_network *net, nm_receptive *out)
{
    follow_paths(net, -1, out);
}
