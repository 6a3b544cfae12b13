/* migrate/ini.h: the lines of a job's or a profile's file, each with its number, so that whatever
 * is wrong with it can be said with its place.
 *
 * The form is that of --config files: [section], key = value, '#' and ';' begin a comment line,
 * double quotes around a value keep its white space. (inih was looked at: as Debian builds it, it
 * cuts lines at 200 bytes, which URLs of object storage exceed, and tells no line numbers.) */
#ifndef FERRY_MIGRATE_INI_H
#define FERRY_MIGRATE_INI_H

#include "common/base/err.h"
#include "common/base/mem.h"

struct ini_line {
    const char *section; /* never NULL */
    const char *key;     /* NULL: the line that begins the section */
    const char *value;
    unsigned number; /* from 1 */
};
struct ini {
    struct arena *arena; /* owns all texts */
    struct ini_line *lines;
    size_t count;
};
/* Fills a zeroed struct; on failure it is released. ERR_USAGE names file and line, ERR_IO the file.
 * A key before the first section is refused, so is a section that begins a second time. */
MUST_CHECK enum err_code ini_read(const char *path, struct ini *ini, struct err *err);
void ini_release(struct ini *ini);

#endif
