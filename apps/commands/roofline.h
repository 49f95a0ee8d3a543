/* The roofline picture: its points (roofline.c), and where their names go (roofline_labels.c). */
#ifndef ROOFLINE_H
#define ROOFLINE_H

#include <stdbool.h>
#include <stdio.h>

/* The picture in pixels, and its frame as parts of it. */
enum { ROOFLINE_WIDTH = 1400, ROOFLINE_HEIGHT = 900 };
#define ROOFLINE_LEFT 0.07
#define ROOFLINE_RIGHT 0.97
#define ROOFLINE_BOTTOM 0.2
#define ROOFLINE_TOP 0.94

typedef struct roofline_point {
    const char *name, *type;
    int kind;
    bool backward;
    double seconds, flops, bytes; /* of a step */
    double x, y;                  /* flops for each byte, GFLOP/s; 0 where there is none */
    bool drawn;                   /* it takes enough time to be seen */
    bool labelled;
    double at[2], label[2]; /* pixels from the frame's lower left: the point, its label's middle */
} roofline_point;

typedef struct roofline {
    double peak, bandwidth; /* GFLOP/s, GB/s */
    double whole;           /* seconds of all points */
    int passes, points;
    roofline_point *point;
    double range[2][2]; /* of x and y */
    char title[256];
} roofline;

/* How large a point is drawn, in gnuplot's unit: its area grows with its time. */
double roofline_size(const roofline *r, const roofline_point *p);
/* Sets the ranges, chooses the points that are named, and finds space for the names. */
void roofline_arrange(roofline *r);
/* Writes the names, and the roofs' own. */
void roofline_put_labels(FILE *f, const roofline *r);

#endif
