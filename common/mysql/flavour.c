#include "common/mysql/flavour.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FLAVOUR_OLDEST 50500

const char *vendor_name(enum vendor v)
{
    switch (v) {
    case VENDOR_MYSQL:
        return "MySQL";
    case VENDOR_MARIADB:
        return "MariaDB";
    case VENDOR_TIDB:
        return "TiDB";
    }
    return "?";
}

/* Like strstr, but ASCII letters of either case are equal. */
static const char *flavour_find(const char *text, const char *word)
{
    const size_t len = strlen(word);

    for (; *text; text++)
        if (strncasecmp(text, word, len) == 0)
            return text;
    return NULL;
}

/* Reads digits, moving *text; at most 999 (no version part is larger). */
static bool flavour_number(const char **text, unsigned *number)
{
    unsigned n = 0;
    const char *c = *text;

    for (; *c >= '0' && *c <= '9'; c++) {
        n = n * 10 + (unsigned)(*c - '0');
        if (n > 999)
            return false;
    }
    if (c == *text)
        return false;
    *text = c;
    *number = n;
    return true;
}

/* "8.0.36-log" -> 80036; "5.6" -> 50600. A part above 99 counts as 99, so that order is kept. */
static bool flavour_version(const char *text, unsigned *version)
{
    unsigned part[3] = {0, 0, 0};

    if (!flavour_number(&text, &part[0]) || *text++ != '.' || !flavour_number(&text, &part[1]))
        return false;
    if (*text == '.') {
        text++;
        if (!flavour_number(&text, &part[2]))
            part[2] = 0;
    }
    for (int i = 1; i < 3; i++)
        if (part[i] > 99)
            part[i] = 99;
    *version = part[0] * 10000 + part[1] * 100 + part[2];
    return true;
}

/* Where the number begins that is the server's own, and whose it is. */
static const char *flavour_own_version(const char *version, const char *comment,
                                       enum vendor *vendor)
{
    static const char imitated[] = "5.5.5-";
    const char *tidb = flavour_find(version, "-TiDB-");

    if (tidb) {
        *vendor = VENDOR_TIDB;
        tidb += strlen("-TiDB-");
        return *tidb == 'v' || *tidb == 'V' ? tidb + 1 : tidb;
    }
    if (!flavour_find(version, "MariaDB") && !flavour_find(comment, "MariaDB")) {
        *vendor = VENDOR_MYSQL;
        return version;
    }
    *vendor = VENDOR_MARIADB;
    /* MariaDB 10 and above put this in front so that old replicas take them for a 5.5. */
    if (strncmp(version, imitated, strlen(imitated)) == 0 && version[strlen(imitated)] >= '0' &&
        version[strlen(imitated)] <= '9')
        return version + strlen(imitated);
    return version;
}

enum err_code flavour_parse(const char *version, const char *comment, struct flavour *out,
                            struct err *err)
{
    struct flavour f = {.managed = MANAGED_NONE};
    const char *own;

    own = flavour_own_version(version, comment, &f.vendor);
    if (!flavour_version(own, &f.version))
        return err_set(err, ERR_SERVER_UNSUPPORTED,
                       "the server's version '%s' (%s) cannot be understood", version, comment);
    if (f.vendor != VENDOR_TIDB && f.version < FLAVOUR_OLDEST)
        return err_set(err, ERR_SERVER_UNSUPPORTED, "the server's version '%s' is older than 5.5",
                       version);
    if (flavour_find(version, "aurora") || flavour_find(comment, "aurora"))
        f.managed = MANAGED_AURORA;
    (void)snprintf(f.text, sizeof(f.text), "%s%s%s", version, *comment ? " " : "", comment);
    *out = f;
    return ERR_OK;
}
