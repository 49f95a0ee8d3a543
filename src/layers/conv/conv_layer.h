/* The inside of the layer type conv: its options, and what planning chooses. Shared by conv.c
 * (options, shapes), conv_plan.c and conv_passes.c. */
#ifndef NM_CONV_LAYER_H
#define NM_CONV_LAYER_H

#include "algorithm_choice.h"
#include "conv.h"
#include "normed.h"

typedef struct conv {
    int filters, kernel[2], stride[2], dilation[2], groups;
    nm_pad pad;
    bool bias;
    int init;
    double init_value;
    bool standardise;
    nm_choice activation; /* the layer after this one, made by the parser */
    char *algorithm;
    nm_conv_geometry g; /* set by infer */
} conv;

/* Per plan: who does what, and where the kernel turned round lies in scratch. */
typedef struct choice {
    const nm_conv_algorithm *by[NM_CONV_KINDS];
    nm_conv_geometry g; /* the layer's, as this plan computes it */
    bool turned;        /* the gradient by x goes through forward of the turned geometry */
    nm_conv_geometry turn;
    bool together;          /* both gradients are computed in the same rounds */
    size_t data_offset;     /* bytes into scratch: what the gradient by x takes of it */
    size_t turned_offset;   /* bytes into scratch */
    size_t standard_offset; /* bytes into scratch: standardised weights, and (backward) their gradient */
    int most;               /* samples */
    int slice;              /* samples that go through all steps of backward at once */
    nm_conv_wish wish;
    bool stem;            /* the batch norm in the tail is done by computing outputs again: stem.h, not normed.h */
    size_t folded_offset; /* bytes into scratch: batch norm's factor and bias for each filter */
    nm_conv_normed_offsets normed;
    bool bf16; /* outputs are kept in it for the batch norm in the tail */
} choice;

void NM_ISA(nm_conv_forward)(const nm_pass *p, const void *self);
void NM_ISA(nm_conv_backward)(const nm_pass *p, const void *self);
nm_status NM_ISA(nm_conv_plan)(nm_reservation *b, const void *self, void *chosen);
/* The type's nm_fusion: the first three are conv_plan.c's. */
bool NM_ISA(nm_conv_can_fuse)(const void *self, const nm_tail *tail, const nm_tail_request *request);
bool NM_ISA(nm_conv_leaves_normalisation)(const void *self, const nm_tail *tail, const nm_tail_request *request);
bool NM_ISA(nm_conv_reads_lazy_normalisation)(const void *self, const nm_rules *rules);
unsigned NM_ISA(nm_conv_reads_and_writes_bf16)(const void *self, const nm_tail *tail, const nm_tail_request *request);
void NM_ISA(nm_conv_lazy_normalisation)(const nm_pass *p, const void *self, nm_lazy_normalisation *out);
void NM_ISA(nm_conv_describe)(const void *self, const void *chosen, char *text, size_t size);
extern const nm_algorithm_choice NM_ISA(nm_conv_algorithm_choice);

#endif
