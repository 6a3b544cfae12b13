/* common/base/fault.h: named steps at which a test kills the process or makes a step fail.
 *
 * Only in builds with -DFERRY_FAULTS (`make build/faults/ferry`); else nothing is left of it. The
 * environment names one: FERRY_FAULT=NAME[:N] raises SIGKILL at the N-th time (default 1) that the
 * step NAME is reached, in any thread. FERRY_FAULT_PAUSE=NAME:SECONDS sleeps there instead each
 * time; several are put apart by commas. The names stand in docs/contributing.md. */
#ifndef FERRY_BASE_FAULT_H
#define FERRY_BASE_FAULT_H

#ifdef FERRY_FAULTS
void fault_point(const char *name);
#else
#define fault_point(name) ((void)0)
#endif

#endif
