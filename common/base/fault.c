#include "common/base/fault.h"

#include <stdatomic.h>
#include <stdlib.h>

#ifdef FERRY_FAULTS
#include "common/base/clock.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* The number behind "NAME:"; 1 where there is none; 0: `setting` speaks of another step. */
static unsigned long fault_number(const char *setting, const char *name)
{
    size_t len = strlen(name);

    if (!setting || strncmp(setting, name, len) != 0)
        return 0;
    if (setting[len] == '\0')
        return 1;
    return setting[len] == ':' ? strtoul(setting + len + 1, NULL, 10) : 0;
}

void fault_point(const char *name)
{
    static atomic_ulong reached; /* of the one step that FERRY_FAULT names */
    unsigned long number;

    /* NOLINTBEGIN(concurrency-mt-unsafe): nothing sets variables */
    number = fault_number(getenv("FERRY_FAULT_PAUSE"), name);
    if (number)
        (void)clock_sleep((uint64_t)number * 1000000, NULL);
    number = fault_number(getenv("FERRY_FAULT"), name);
    /* NOLINTEND(concurrency-mt-unsafe) */
    if (number && atomic_fetch_add(&reached, 1) + 1 == number)
        (void)kill(getpid(), SIGKILL);
}
#endif
