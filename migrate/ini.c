#include "migrate/ini.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *ini_trim(char *text)
{
    size_t len;

    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

static void ini_add(struct ini *ini, const struct ini_line *line)
{
    ini->lines = xreallocarray(ini->lines, ini->count + 1, sizeof *ini->lines);
    ini->lines[ini->count++] = *line;
}

static enum err_code ini_section(struct ini *ini, char *text, unsigned number, struct err *err)
{
    size_t len = strlen(text);
    const char *name;

    if (text[len - 1] != ']')
        return err_set(err, ERR_USAGE, "a section has no ']'");
    text[len - 1] = '\0';
    name = arena_strdup(ini->arena, ini_trim(text + 1));
    for (size_t i = 0; i < ini->count; i++)
        if (!ini->lines[i].key && strcmp(ini->lines[i].section, name) == 0)
            return err_set(err, ERR_USAGE, "[%s] has begun in line %u already", name,
                           ini->lines[i].number);
    ini_add(ini, &(struct ini_line){.section = name, .number = number});
    return ERR_OK;
}

static enum err_code ini_pair(struct ini *ini, char *text, unsigned number, struct err *err)
{
    char *equals = strchr(text, '=');
    struct ini_line line = {.number = number};
    char *value;
    size_t len;

    if (!equals)
        return err_set(err, ERR_USAGE, "'%s' is not of the form 'key = value'", text);
    if (!ini->count)
        return err_set(err, ERR_USAGE, "a key before the first [section]");
    *equals = '\0';
    value = ini_trim(equals + 1);
    len = strlen(value);
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value[len - 1] = '\0';
        value++;
    }
    line.section = ini->lines[ini->count - 1].section;
    line.key = arena_strdup(ini->arena, ini_trim(text));
    line.value = arena_strdup(ini->arena, value);
    if (!*line.key)
        return err_set(err, ERR_USAGE, "no key in front of '='");
    if (!*line.value)
        return err_set(err, ERR_USAGE, "'%s' has no value", line.key);
    ini_add(ini, &line);
    return ERR_OK;
}

enum err_code ini_read(const char *path, struct ini *ini, struct err *err)
{
    FILE *f = fopen(path, "re");
    char *text = NULL;
    size_t cap = 0;
    unsigned number = 0;
    enum err_code rc = ERR_OK;

    if (!f)
        return err_set_errno(err, err_code_of_errno(errno), errno, "cannot open '%s'", path);
    ini->arena = arena_new();
    while (!rc && getline(&text, &cap, f) >= 0) {
        char *line = ini_trim(text);

        number++;
        if (!*line || *line == '#' || *line == ';')
            continue;
        rc = *line == '[' ? ini_section(ini, line, number, err) : ini_pair(ini, line, number, err);
        if (rc)
            (void)err_wrap(err, "'%s' line %u", path, number);
    }
    if (!rc && ferror(f))
        rc = err_set_errno(err, ERR_IO, errno, "cannot read '%s'", path);
    free(text);
    (void)fclose(f);
    if (rc)
        ini_release(ini);
    return rc;
}

void ini_release(struct ini *ini)
{
    free(ini->lines);
    arena_free(ini->arena);
    *ini = (struct ini){0};
}
