#include "common/base/fault.h"

#include <stdatomic.h>
#include <stdlib.h>

#ifdef FERRY_FAULTS
#include "common/base/clock.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* What stands behind "NAME:"; "1" where there is none; NULL: `setting` speaks of another step. */
static const char *fault_value(const char *setting, const char *name)
{
    size_t len = strlen(name);

    while (setting && (strncmp(setting, name, len) != 0 || !strchr(":,", setting[len]))) {
        setting = strchr(setting, ',');
        setting += setting ? 1 : 0;
    }
    if (!setting)
        return NULL;
    return setting[len] == ':' ? setting + len + 1 : "1";
}

void fault_point(const char *name)
{
    static atomic_ulong reached; /* of the one step that FERRY_FAULT names */
    const char *value;

    /* NOLINTBEGIN(concurrency-mt-unsafe): nothing sets variables */
    value = fault_value(getenv("FERRY_FAULT_PAUSE"), name);
    if (value)
        (void)clock_sleep((uint64_t)(strtod(value, NULL) * 1e6), NULL);
    value = fault_value(getenv("FERRY_FAULT"), name);
    /* NOLINTEND(concurrency-mt-unsafe) */
    if (value && atomic_fetch_add(&reached, 1) + 1 == strtoul(value, NULL, 10))
        (void)kill(getpid(), SIGKILL);
}
#endif
