/* The commands of ferry, in one table. */
#include "cli/opt_common.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"check", "check --source URL [--target URL] [OPTION]...",
     "say what will not work before it is tried, and what mends it", command_check},
    {"dump", "dump --source URL --output URL [OPTION]...",
     "read databases into a folder of SQL or CSV files", command_dump},
    {"load", "load --target URL --input URL [OPTION]...",
     "write a dump into TiDB, MySQL or MariaDB", command_load},
    {"copy", "copy --source URL --target URL --spool FOLDER [OPTION]...",
     "dump and load at once, through a spool that never fills a disk", command_copy},
    {"follow", "follow --source URL --target URL [--input URL] [OPTION]...",
     "apply the source's binlog to a target that was loaded", command_follow},
    {"verify", "verify --input URL | --source URL --target URL [OPTION]...",
     "check a dump without any server, or compare two servers row by row", command_verify},
    {"migrate", "migrate JOB.ini [OPTION]...",
     "check, dump, load, follow and compare as one job that can be paused and resumed",
     command_migrate},
    {"job", "job list|status|pause|resume|delete|cutover|log|profile [NAME] [OPTION]...",
     "what is done with jobs, from another terminal", command_job},
    {"position", "position --input URL | --target URL [--as FORM]",
     "print a dump's or a target's binlog position: text, JSON, a DM task, a replica's statements",
     command_position},
    {"conflicts", "conflicts --target URL [--input URL] [OPTION]...",
     "list the rows that a load met in its way, and write SQL that undoes a replace",
     command_conflicts},
    {"status", "status URL [--json]", "say how far a dump is, from another terminal",
     command_status},
    {"help", "help [COMMAND | errors | checks | man [COMMAND] | completion]",
     "the words of --help; the lists of errors and of checks; man pages, completion for bash",
     command_help_words},
};
#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

const struct command *command_list(size_t *count)
{
    *count = COMMAND_COUNT;
    return commands;
}

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

void command_usage(FILE *out)
{
    (void)fputs("usage: ferry COMMAND [OPTION]...\n\n"
                "Moves a MySQL or MariaDB database into TiDB through files.\n\n",
                out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    (void)fputs("\nferry COMMAND --help prints a command's options; ferry --version the version.\n",
                out);
}
