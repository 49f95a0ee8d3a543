/* What the tests of pooling layers share: a window as its definition has it, drawn at random. */
#ifndef POOL_SETTING_H
#define POOL_SETTING_H

#include "layer_check.h"

typedef struct setting {
    int size[2], stride[2], pad[2];
    bool ceil, count_pad;
} setting;
static setting now;

static void random_setting(void)
{
    now = (setting){{pick(1, 3), pick(1, 3)}, {pick(1, 4), pick(1, 4)}, {0, 0}, pick(0, 1), pick(0, 1)};
    now.pad[0] = pick(0, now.size[0] / 2);
    now.pad[1] = pick(0, now.size[1] / 2);
}

/* For windows larger than the map, of which `ceil` keeps the first: a window along one axis, and
 * the pixels there. */
static int draw_small_map(int axis)
{
    now.ceil = true;
    now.size[axis] = pick(2, 7);
    now.stride[axis] = pick(1, 7);
    now.pad[axis] = pick(0, now.size[axis] / 2);
    int least = now.size[axis] - 2 * now.pad[axis] - now.stride[axis] + 1;
    return pick(least > 1 ? least : 1, now.size[axis]);
}

#endif
