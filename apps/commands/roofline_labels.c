/* Where the names in a roofline picture go. */
#include "characters.h"
#include "gnuplot.h"
#include "roofline.h"

#include <math.h>
#include <string.h>

enum { MOST_LABELS = 12, NAME_LETTERS = 24, RINGS = 8, DIRECTIONS = 16 };
static const double line = 18; /* pixels of a line of Sans 12 */

double roofline_size(const roofline *r, const roofline_point *p)
{
    return fmin(3.2, 0.7 + 8 * sqrt(p->seconds / r->whole / 3.14159));
}

static double frame(int axis)
{
    return axis ? ROOFLINE_HEIGHT * (ROOFLINE_TOP - ROOFLINE_BOTTOM)
                : ROOFLINE_WIDTH * (ROOFLINE_RIGHT - ROOFLINE_LEFT);
}

static double pixel(const roofline *r, int axis, double value)
{
    return frame(axis) * log(value / r->range[axis][0]) / log(r->range[axis][1] / r->range[axis][0]);
}

static void set_ranges(roofline *r)
{
    double ridge = r->peak / r->bandwidth;
    double least[2] = {ridge / 4, r->peak / 10}, most[2] = {4 * ridge, 1.5 * r->peak};
    for (int i = 0; i < r->points; i++) {
        const roofline_point *p = &r->point[i];
        for (int axis = 0; axis < 2 && p->drawn; axis++) {
            least[axis] = fmin(least[axis], axis ? p->y : p->x);
            most[axis] = fmax(most[axis], axis ? p->y : p->x);
        }
    }
    for (int axis = 0; axis < 2; axis++) {
        r->range[axis][0] = least[axis] / 1.5;
        r->range[axis][1] = most[axis] * 1.5;
    }
    for (int i = 0; i < r->points; i++) {
        roofline_point *p = &r->point[i];
        p->at[0] = p->drawn ? pixel(r, 0, p->x) : 0;
        p->at[1] = p->drawn ? pixel(r, 1, p->y) : 0;
    }
}

/* ---- space for a name ----------------------------------------------------------------------- */

static double overlap(const double a[2], const double a_half[2], const double b[2], const double b_half[2])
{
    double area = 1;
    for (int axis = 0; axis < 2; axis++)
        area *= fmax(0, a_half[axis] + b_half[axis] - fabs(a[axis] - b[axis]));
    return area;
}

static void half_size(const char *text, double half[2])
{
    half[0] = LETTER * fmin(NAME_LETTERS, text_width(text)) / 2;
    half[1] = line / 2;
}

/* How bad it would be to have point i's name there: on names most of all, on points, on a roof, far
 * away. */
static double badness(const roofline *r, int i, const double middle[2])
{
    double half[2], other[2], bad = 0;
    half_size(r->point[i].name, half);
    for (int axis = 0; axis < 2; axis++)
        if (middle[axis] < half[axis] + 4 || middle[axis] > frame(axis) - half[axis] - 4)
            return INFINITY;
    for (int k = 0; k < r->points; k++) {
        const roofline_point *p = &r->point[k];
        double radius = 4.5 * roofline_size(r, p);
        if (p->drawn)
            bad += 6 * overlap(middle, half, p->at, (double[]){radius, radius});
        if (!p->labelled || k == i)
            continue;
        half_size(p->name, other);
        bad += 30 * overlap(middle, half, p->label, other);
    }
    double x = r->range[0][0] * exp(middle[0] / frame(0) * log(r->range[0][1] / r->range[0][0]));
    double roof = pixel(r, 1, fmin(r->peak, r->bandwidth * x)),
           reach = half[1] + (r->bandwidth * x < r->peak ? half[0] : 0);
    bad += 8 * half[0] * fmax(0, reach - fabs(middle[1] - roof)) / reach;
    return bad + 0.05 * (pow(middle[0] - r->point[i].at[0], 2) + pow(middle[1] - r->point[i].at[1], 2));
}

static void place(roofline *r, int i)
{
    roofline_point *p = &r->point[i];
    double half[2], least = INFINITY, radius = 4.5 * roofline_size(r, p);
    half_size(p->name, half);
    for (int ring = 0; ring < RINGS; ring++)
        for (int d = 0; d < DIRECTIONS; d++) {
            double angle = 2 * 3.14159265 * d / DIRECTIONS, away = radius + 4 + 18 * ring;
            double middle[2] = {p->at[0] + cos(angle) * (away + half[0]), p->at[1] + sin(angle) * (away + half[1])};
            double bad = badness(r, i, middle);
            if (bad < least) {
                least = bad;
                memcpy(p->label, middle, sizeof middle);
            }
        }
    p->labelled = isfinite(least);
}

void roofline_arrange(roofline *r)
{
    set_ranges(r);
    for (int round = 0; round < MOST_LABELS; round++) {
        int largest = -1;
        for (int i = 0; i < r->points; i++) {
            const roofline_point *p = &r->point[i];
            if (p->drawn && !p->labelled && (largest < 0 || p->seconds > r->point[largest].seconds))
                largest = i;
        }
        if (largest >= 0)
            place(r, largest);
    }
}

/* ---- writing ------------------------------------------------------------------------------- */

/* A thin line from the point's edge to the name, where the name is not right beside it. */
static void put_leader(FILE *f, const roofline *r, const roofline_point *p)
{
    double half[2], end[2], length = 0, radius = 4.5 * roofline_size(r, p);
    half_size(p->name, half);
    for (int axis = 0; axis < 2; axis++) {
        double nearest = fmin(fmax(p->at[axis], p->label[axis] - half[axis]), p->label[axis] + half[axis]);
        end[axis] = nearest - p->at[axis];
        length += end[axis] * end[axis];
    }
    length = sqrt(length);
    if (length < radius + 12)
        return;
    double start = radius / length;
    fprintf(f, "set arrow from graph %.4f,%.4f to graph %.4f,%.4f nohead lc rgb '#888888' back\n",
            (p->at[0] + start * end[0]) / frame(0), (p->at[1] + start * end[1]) / frame(1),
            (p->at[0] + end[0]) / frame(0), (p->at[1] + end[1]) / frame(1));
}

/* How far the nearest point or name is from a place. */
static double free_around(const roofline *r, const double middle[2])
{
    double least = INFINITY;
    for (int i = 0; i < r->points; i++) {
        const roofline_point *p = &r->point[i];
        if (p->drawn)
            least = fmin(least, hypot(p->at[0] - middle[0], p->at[1] - middle[1]));
        if (p->labelled)
            least = fmin(least, hypot(p->label[0] - middle[0], p->label[1] - middle[1]));
    }
    return least;
}

/* The name of memory's roof, along it, where most space is. */
static void put_memory(FILE *f, const roofline *r)
{
    double from[2], to[2], best = -1, at[2] = {0, 0};
    from[0] = pixel(r, 0, fmax(r->range[0][0], r->range[1][0] / r->bandwidth));
    from[1] = pixel(r, 1, fmax(r->range[1][0], r->range[0][0] * r->bandwidth));
    to[0] = pixel(r, 0, r->peak / r->bandwidth);
    to[1] = pixel(r, 1, r->peak);
    double along[2] = {to[0] - from[0], to[1] - from[1]}, length = hypot(along[0], along[1]);
    for (double part = 0.25; part < 0.8; part += 0.05) {
        double middle[2] = {from[0] + part * along[0] - line * along[1] / length,
                            from[1] + part * along[1] + line * along[0] / length};
        double space = fmin(120, free_around(r, middle)); /* more does not matter */
        if (space > best) {
            best = space;
            memcpy(at, middle, sizeof at);
        }
    }
    fprintf(f, "set label 'memory: %.0f GB/s' at graph %.4f,%.4f center rotate by %.1f front\n", r->bandwidth,
            at[0] / frame(0), at[1] / frame(1), atan2(along[1], along[0]) * 180 / 3.14159265);
}

void roofline_put_labels(FILE *f, const roofline *r)
{
    for (int i = 0; i < r->points; i++) {
        const roofline_point *p = &r->point[i];
        if (!p->labelled)
            continue;
        fprintf(f, "set label ");
        put_short_label(f, p->name, NAME_LETTERS);
        fprintf(f, " at graph %.4f,%.4f center front\n", p->label[0] / frame(0), p->label[1] / frame(1));
        put_leader(f, r, p);
    }
    put_memory(f, r);
    fprintf(f, "set label 'matrix product: %.0f GFLOP/s' at graph 0.008,first %g left offset 0,0.6 front\n", r->peak,
            r->peak);
}
