/* Finding the plug-in for MPI: a library beside the installed ones, or the one just built. */
#ifndef NM_PLUGIN_H
#define NM_PLUGIN_H

#include "launcher.h"
#include "mpi_plugin.h"

/* Loads what the launcher needs. NM_INVALID: it is not there. Of the processes of a machine the
 * first alone gives the message. */
nm_status nm_plugin_find(nm_context *ctx, const nm_launch *launch, const nm_mpi_plugin **plugin) NM_MUST_USE;

/* Whether this process tells what concerns all of its machine. The others wait a second first: a
 * launcher ends all as soon as one has ended, and the message would be lost. */
bool nm_plugin_reports(const nm_launch *launch);

/* "4 processes"; "processes", where the launcher does not tell. */
const char *nm_plugin_count_text(int count, char text[32]);

#endif
