/* The table of convolution algorithms, from the list in src/layers/meson.build, and their names. */
#include "conv.h"

#include "conv_algorithm_list.h"

#define DECLARE(name) extern const nm_conv_algorithm NM_ISA(nm_conv_##name);
NM_CONV_ALGORITHM_LIST(DECLARE)

#define NAME(name) #name,
const char *const NM_ISA(nm_conv_names)[] = {"auto", NM_CONV_ALGORITHM_LIST(NAME) "reference", NULL};
const char *const NM_ISA(nm_conv_measured)[] = {NM_CONV_ALGORITHM_LIST(NAME) NULL};

const nm_conv_algorithm *const *NM_ISA(nm_conv_algorithms)(void)
{
#define ENTRY(name) &NM_ISA(nm_conv_##name),
    static const nm_conv_algorithm *const table[] = {NM_CONV_ALGORITHM_LIST(ENTRY) & NM_ISA(nm_conv_reference), NULL};
    return table;
}
