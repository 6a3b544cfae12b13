/* The yardstick of the load: text multi-row INSERT of 1,000 rows a statement, each its own
 * transaction, over N connections; rows of sysbench's form. Usage: insert_rows PORT DB TABLE ROWS
 * CONNECTIONS (the table exists). Prints the seconds. */
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATEMENT_ROWS 1000
#define SQL_MAX ((size_t)STATEMENT_ROWS * 256 + 1024)

struct worker {
    unsigned port;
    const char *db, *table;
    unsigned long from, to;
    int failed;
};

static size_t digits(char *out, unsigned groups, unsigned long seed)
{
    size_t n = 0;

    for (unsigned g = 0; g < groups; g++) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        n += (size_t)snprintf(out + n, 13, "%s%011lu", g ? "-" : "", (seed >> 20) % 100000000000ul);
    }
    return n;
}

static void *run(void *arg)
{
    struct worker *w = arg;
    MYSQL *c = mysql_init(NULL);
    char *sql = malloc(SQL_MAX);

    w->failed = !mysql_real_connect(c, "127.0.0.1", "root", "", w->db, w->port, NULL, 0);
    for (unsigned long id = w->from; id < w->to && !w->failed;) {
        size_t n = (size_t)snprintf(sql, SQL_MAX, "INSERT INTO `%s` (`id`,`k`,`c`,`pad`) VALUES ",
                                    w->table);

        for (unsigned i = 0; i < STATEMENT_ROWS && id < w->to; i++, id++) {
            n += (size_t)snprintf(sql + n, SQL_MAX - n, "%s(%lu,%lu,'", i ? "," : "", id,
                                  id * 7919 % 700000);
            n += digits(sql + n, 10, id);
            n += (size_t)snprintf(sql + n, SQL_MAX - n, "','");
            n += digits(sql + n, 5, id + 1);
            n += (size_t)snprintf(sql + n, SQL_MAX - n, "')");
        }
        w->failed = mysql_real_query(c, sql, n) != 0;
    }
    mysql_close(c);
    free(sql);
    return NULL;
}

int main(int argc, char **argv)
{
    struct worker workers[64];
    pthread_t threads[64];
    struct timespec a, b;
    unsigned long rows, count;

    if (argc != 6)
        return 2;
    rows = strtoul(argv[4], NULL, 10);
    count = strtoul(argv[5], NULL, 10);
    mysql_library_init(0, NULL, NULL);
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (unsigned long i = 0; i < count; i++) {
        workers[i] = (struct worker){
            (unsigned)strtoul(argv[1], NULL, 10), argv[2], argv[3], 1 + rows * i / count,
            1 + rows * (i + 1) / count,           0};
        pthread_create(&threads[i], NULL, run, &workers[i]);
    }
    for (unsigned long i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        if (workers[i].failed)
            return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.3f\n", (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return 0;
}
