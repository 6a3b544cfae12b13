/* The yardstick of the dump: one connection that reads all rows of the given tables and does
 * nothing with them. Usage: raw_read PORT DB TABLE... */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    MYSQL *c = mysql_init(NULL);
    unsigned long long rows = 0, bytes = 0;

    if (argc < 4 || !mysql_real_connect(c, "127.0.0.1", "root", "", argv[2],
                                        (unsigned)strtoul(argv[1], NULL, 10), NULL, 0))
        return 1;
    for (int i = 3; i < argc; i++) {
        char sql[256];
        MYSQL_RES *r;
        MYSQL_ROW row;

        (void)snprintf(sql, sizeof(sql), "SELECT * FROM `%s`", argv[i]);
        if (mysql_query(c, sql))
            return 1;
        r = mysql_use_result(c);
        while ((row = mysql_fetch_row(r))) {
            const unsigned long *len = mysql_fetch_lengths(r);

            rows++;
            for (unsigned k = 0; k < mysql_num_fields(r); k++)
                bytes += len[k];
        }
        mysql_free_result(r);
    }
    printf("%llu rows, %llu bytes\n", rows, bytes);
    mysql_close(c);
    return 0;
}
