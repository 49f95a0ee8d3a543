/* Receptive fields: size r, jump j, start s (centre of the first unit), composed layer by layer:
 *
 *     r += (k - 1) * d * j      s += ((k - 1) * d / 2 - pad) * j      j *= stride
 *
 * and for a transposed convolution, where with g = gcd(d, stride) a unit meets every stride / g-th
 * tap at most, d / g inputs from the next,
 *
 *     r += floor((k - 1) * g / stride) * d / g * j
 *     s += (pad - (k - 1) * d / 2) / stride * j
 *     j /= stride
 *
 * (Araujo, Norris, Sim: Computing Receptive Fields of Convolutional Neural Networks, Distill 2019).
 */
#include "field.h"

#include "reads.h"

static void through_transposed(const nm_window *w, int axis, nm_receptive *r)
{
    int common = nm_common_divisor(w->dilation[axis], w->stride[axis]), spacing = w->dilation[axis] / common;
    int taps = (w->kernel[axis] - 1) * common / w->stride[axis] + 1;
    double reach = (double)(w->kernel[axis] - 1) * w->dilation[axis];
    r->size[axis] += (taps - 1) * spacing * r->jump[axis];
    r->start[axis] += (w->pad[axis] - reach / 2) / w->stride[axis] * r->jump[axis];
    r->jump[axis] /= w->stride[axis];
}

nm_window nm_field_window(const nm_node *node)
{
    nm_window w = {{1, 1}, {1, 1}, {1, 1}, {0, 0}, false, false};
    if (node->type->window)
        node->type->window(node->self, &w);
    return w;
}

nm_receptive nm_field_through(const nm_node *node, nm_window w, nm_receptive r)
{
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
        r.size[axis] += reach * r.jump[axis];
        r.start[axis] += (reach / 2 - w.pad[axis]) * r.jump[axis];
        r.jump[axis] *= w.stride[axis];
    }
    return r;
}
