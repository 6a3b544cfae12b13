/* tests/unit/store_folder.h: temporary folders and made-up bytes for the tests of common/store. */
#ifndef FERRY_TESTS_STORE_FOLDER_H
#define FERRY_TESTS_STORE_FOLDER_H

#include "common/base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An empty folder; heap. NULL: cannot be made. */
static inline char *folder_new(void)
{
    const char *base = getenv("TMPDIR");
    char *folder = xasprintf("%s/ferry-unit-XXXXXX", base && *base ? base : "/tmp");

    if (mkdtemp(folder))
        return folder;
    free(folder);
    return NULL;
}

static inline void folder_remove(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *d;
    struct stat st;

    while (dir && (d = readdir(dir)) != NULL) {
        char *name = xasprintf("%s/%s", path, d->d_name);

        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            ;
        else if (lstat(name, &st) == 0 && S_ISDIR(st.st_mode))
            folder_remove(name);
        else
            (void)unlink(name);
        free(name);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path);
}

static inline void folder_free(char *folder)
{
    if (folder)
        folder_remove(folder);
    free(folder);
}

/* Files in the folder itself, hidden ones too. */
static inline size_t folder_count(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *d;
    size_t count = 0;

    while (dir && (d = readdir(dir)) != NULL)
        count += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
    if (dir)
        (void)closedir(dir);
    return count;
}

/* `len` bytes that do not compress; the same for the same `seed`. */
static inline void fill_random(void *buf, size_t len, uint64_t seed)
{
    unsigned char *to = buf;
    uint64_t x = seed * 0x9E3779B97F4A7C15U + 88172645463325252U;

    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        to[i] = (unsigned char)(x >> 32);
    }
}

/* `len` bytes that look like rows. */
static inline void fill_rows(void *buf, size_t len)
{
    static const char row[] = "(1234567,'abcdefghijklmnopqrstuvwxyz',NULL,0.5),\n";
    char *to = buf;

    for (size_t i = 0; i < len; i++)
        to[i] = row[i % (sizeof row - 1)];
    for (size_t i = 0; i + 8 < len; i += sizeof row - 1)
        to[i + 1 + i / 7 % 7] = (char)('0' + i / 49 % 10);
}

#endif
