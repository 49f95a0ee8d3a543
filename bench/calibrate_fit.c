#include "calibrate.h"
void fit_costs(const works *all, nm_conv_costs *costs) { (void)all; (void)costs; }
void print_costs(const nm_conv_costs *costs) { (void)costs; }
