#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/mysql/server_url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* What one group of the file says. */
struct option_group {
    const char *name;
    bool seen;
    struct server_url url;
};

struct option_file {
    const char *path;
    unsigned line;
    struct option_group groups[2]; /* the wanted one, and [client] */
    struct option_group *current;  /* NULL: a group of somebody else */
};

static char *option_trim(char *text)
{
    size_t len;

    text += strspn(text, " \t");
    len = strlen(text);
    while (len && strchr(" \t\r\n", text[len - 1]))
        text[--len] = '\0';
    return text;
}

/* One character of a value into *out; returns the last one of the text that it took. */
static const char *option_char(const char *from, char *out)
{
    static const char pairs[][2] = {{'b', '\b'}, {'t', '\t'}, {'n', '\n'},
                                    {'r', '\r'}, {'s', ' '},  {'\\', '\\'}};

    *out = *from;
    for (size_t i = 0; *from == '\\' && i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (from[1] == pairs[i][0]) {
            *out = pairs[i][1];
            return from + 1;
        }
    return from;
}

/* Ends the line where a comment begins: a '#' outside of quotes, as the mysql client has it. */
static void option_cut_comment(char *text)
{
    char quote = '\0';

    for (; *text && (*text != '#' || quote); text++) {
        if (*text == '\\' && text[1])
            text++;
        else if (!quote && (*text == '"' || *text == '\''))
            quote = *text;
        else if (*text == quote)
            quote = '\0';
    }
    *text = '\0';
}

/* Takes off comment, blanks and quotes, and undoes \b \t \n \r \s \\ in place. */
static char *option_value(char *text)
{
    const char *from;
    char *to;
    size_t len;

    option_cut_comment(text);
    text = option_trim(text);
    len = strlen(text);
    if (len > 1 && (*text == '"' || *text == '\'') && text[len - 1] == *text) {
        text[len - 1] = '\0';
        text++;
    }
    for (to = text, from = text; *from; from++, to++)
        from = option_char(from, to);
    *to = '\0';
    return text;
}

/* Where a group's text option goes; NULL: not one of ours. */
static char **option_field(struct server_url *url, const char *name)
{
    if (strcmp(name, "user") == 0)
        return &url->user;
    if (strcmp(name, "password") == 0)
        return &url->password;
    if (strcmp(name, "host") == 0)
        return &url->host;
    return NULL;
}

static bool option_is_param(const char *name)
{
    static const char *const names[] = {"socket",   "ssl-ca",      "ssl-capath",
                                        "ssl-cert", "ssl-key",     "ssl-cipher",
                                        "ssl-mode", "tls-version", "connect-timeout"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static enum err_code option_port(struct server_url *url, const char *value, struct err *err)
{
    char *end;
    unsigned long port;

    errno = 0;
    port = strtoul(value, &end, 10);
    if (*end || errno || port < 1 || port > 65535)
        return err_set(err, ERR_USAGE, "port must be from 1 to 65535");
    url->port = (unsigned)port;
    return ERR_OK;
}

static enum err_code option_set(struct server_url *url, const char *name, const char *value,
                                struct err *err)
{
    char **field = option_field(url, name);

    if (field) {
        free(*field);
        *field = xstrdup(value);
        return ERR_OK;
    }
    if (strcmp(name, "port") == 0)
        return option_port(url, value, err);
    if (strcmp(name, "compress") == 0) {
        url->compress = !*value || strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
        return ERR_OK;
    }
    return option_is_param(name) ? server_url_set(url, name, value, err) : ERR_OK;
}

static void option_enter(struct option_file *f, char *line)
{
    f->current = NULL;
    line[strcspn(line, "]")] = '\0';
    for (size_t i = 0; i < 2 && !f->current; i++)
        if (strcmp(option_trim(line + 1), f->groups[i].name) == 0)
            f->current = &f->groups[i];
    if (f->current)
        f->current->seen = true;
}

static enum err_code option_line(struct option_file *f, char *line, struct err *err)
{
    char *equal;
    enum err_code rc;

    line = option_trim(line);
    if (*line == '!') {
        log_event(LOG_WARN, "server.option_file.include", F_STR("file", f->path),
                  F_U64("line", f->line), F_STR("message", "!include is not followed"));
        return ERR_OK;
    }
    if (*line == '[') {
        option_enter(f, line);
        return ERR_OK;
    }
    if (!*line || *line == '#' || *line == ';' || !f->current)
        return ERR_OK;
    equal = strchr(line, '=');
    if (equal)
        *equal = '\0';
    for (char *c = line; *c; c++)
        if (*c == '_')
            *c = '-';
    line = option_trim(line);
    if (!equal && strcmp(line, "compress") != 0)
        return ERR_OK; /* "password" alone asks for a prompt */
    rc = option_set(&f->current->url, line, equal ? option_value(equal + 1) : "", err);
    return rc ? err_wrap(err, "option file '%s' line %u", f->path, f->line) : ERR_OK;
}

/* Moves a text that `url` lacks. */
static void option_take(char **to, char **from)
{
    if (*to || !*from)
        return;
    *to = *from;
    *from = NULL;
}

static void option_merge(struct server_url *url, struct server_url *from)
{
    const bool placed = url->host || url->socket;

    option_take(&url->user, &from->user);
    option_take(&url->password, &from->password);
    if (!placed) {
        option_take(&url->host, &from->host);
        if (!url->host)
            option_take(&url->socket, &from->socket);
    }
    if (!url->port && !url->socket)
        url->port = from->port;
    option_take(&url->ssl_ca, &from->ssl_ca);
    option_take(&url->ssl_capath, &from->ssl_capath);
    option_take(&url->ssl_cert, &from->ssl_cert);
    option_take(&url->ssl_key, &from->ssl_key);
    option_take(&url->ssl_cipher, &from->ssl_cipher);
    option_take(&url->tls_version, &from->tls_version);
    if (!url->ssl_mode_given && from->ssl_mode_given) {
        url->ssl_mode = from->ssl_mode;
        url->ssl_mode_given = true;
    }
    if (!url->connect_timeout)
        url->connect_timeout = from->connect_timeout;
    url->compress = url->compress || from->compress;
}

static void option_warn_open(FILE *file, const char *path, const struct server_url *url)
{
    struct stat st;

    if (url->password && fstat(fileno(file), &st) == 0 && (st.st_mode & S_IROTH))
        log_event(LOG_WARN, "server.option_file.readable", F_STR("file", path),
                  F_STR("message", "a file with a password can be read by everybody; chmod 600"));
}

enum err_code server_url_defaults(struct server_url *url, const char *path, const char *group,
                                  struct err *err)
{
    struct option_file f = {.path = path, .groups = {{.name = group}, {.name = "client"}}};
    FILE *file = fopen(path, "r");
    struct option_group *chosen;
    char *line = NULL;
    size_t cap = 0;
    enum err_code rc = ERR_OK;

    if (!file)
        return err_set_errno(err, ERR_USAGE, errno, "cannot open the option file '%s'", path);
    while (!rc && getline(&line, &cap, file) >= 0) {
        f.line++;
        rc = option_line(&f, line, err);
    }
    if (!rc && ferror(file))
        rc = err_set_errno(err, ERR_IO, errno, "cannot read the option file '%s'", path);
    if (!rc) {
        chosen = f.groups[0].seen ? &f.groups[0] : &f.groups[1];
        option_warn_open(file, path, &chosen->url);
        option_merge(url, &chosen->url);
    }
    for (size_t i = 0; i < cap; i++)
        ((volatile char *)line)[i] = '\0';
    free(line);
    (void)fclose(file);
    server_url_release(&f.groups[0].url);
    server_url_release(&f.groups[1].url);
    return rc;
}
