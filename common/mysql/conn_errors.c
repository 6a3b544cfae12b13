/* Server error numbers and what they mean for us: one table. */
#include "common/mysql/conn_driver.h"

#include <errmsg.h>

#define NUMBER_UNKNOWN_TIDB 1105

/* Ordered by number. CONN_BREAKS: afterwards the connection is not to be used. */
#define CONN_BREAKS true
static const struct conn_error {
    unsigned number;
    enum err_code code;
    bool breaks;
} conn_errors[] = {
    {1021, ERR_DISK_FULL, false},          /* disk full */
    {1040, ERR_SERVER_BUSY, false},        /* too many connections */
    {1044, ERR_PRIVILEGE, false},          /* access to a database */
    {1045, ERR_AUTH, false},               /* access for a user */
    {1053, ERR_SERVER_LOST, CONN_BREAKS},  /* shutdown in progress */
    {1095, ERR_PRIVILEGE, false},          /* KILL of another user's thread */
    {1114, ERR_DISK_FULL, false},          /* table is full */
    {1129, ERR_CONNECT, false},            /* host blocked after many errors */
    {1130, ERR_AUTH, false},               /* host not allowed */
    {1131, ERR_AUTH, false},               /* anonymous user */
    {1142, ERR_PRIVILEGE, false},          /* table */
    {1143, ERR_PRIVILEGE, false},          /* column */
    {1152, ERR_SERVER_LOST, CONN_BREAKS},  /* aborted connection */
    {1153, ERR_LIMIT, CONN_BREAKS},        /* packet above max_allowed_packet */
    {1154, ERR_SERVER_LOST, CONN_BREAKS},  /* read error from pipe */
    {1155, ERR_SERVER_LOST, CONN_BREAKS},  /* fcntl */
    {1156, ERR_SERVER_LOST, CONN_BREAKS},  /* packets out of order */
    {1157, ERR_SERVER_LOST, CONN_BREAKS},  /* uncompress */
    {1158, ERR_SERVER_LOST, CONN_BREAKS},  /* net read */
    {1159, ERR_SERVER_LOST, CONN_BREAKS},  /* net read timeout */
    {1160, ERR_SERVER_LOST, CONN_BREAKS},  /* net write */
    {1161, ERR_SERVER_LOST, CONN_BREAKS},  /* net write timeout */
    {1184, ERR_SERVER_LOST, CONN_BREAKS},  /* aborted connection */
    {1203, ERR_SERVER_BUSY, false},        /* max_user_connections */
    {1205, ERR_SERVER_BUSY, false},        /* lock wait; the transaction lives */
    {1213, ERR_SERVER_BUSY, false},        /* deadlock */
    {1226, ERR_SERVER_BUSY, false},        /* account's resource limit */
    {1227, ERR_PRIVILEGE, false},          /* SUPER and its parts */
    {1251, ERR_AUTH, false},               /* authentication protocol */
    {1275, ERR_AUTH, false},               /* old passwords */
    {1290, ERR_SERVER_UNSUPPORTED, false}, /* --read-only and its like */
    {1317, ERR_SERVER_BUSY, false},        /* query interrupted */
    {1370, ERR_PRIVILEGE, false},          /* routine */
    {1396, ERR_PRIVILEGE, false},          /* account management */
    {1410, ERR_PRIVILEGE, false},          /* GRANT */
    {1419, ERR_PRIVILEGE, false},          /* routine or trigger with binlog on, without SUPER */
    {1614, ERR_SERVER_BUSY, false},        /* XA deadlock */
    {1637, ERR_SERVER_BUSY, false},        /* too many transactions */
    {1698, ERR_AUTH, false},               /* access without password */
    {1792, ERR_SERVER_UNSUPPORTED, false}, /* read-only transaction */
    {1820, ERR_AUTH, false},               /* password must be changed */
    {1836, ERR_SERVER_UNSUPPORTED, false}, /* read-only mode */
    {1862, ERR_AUTH, false},               /* password expired */
    {1873, ERR_AUTH, false},               /* access denied */
    {1927, ERR_SERVER_LOST, CONN_BREAKS},  /* MariaDB: killed */
    {CR_CONNECTION_ERROR, ERR_CONNECT, CONN_BREAKS},
    {CR_CONN_HOST_ERROR, ERR_CONNECT, CONN_BREAKS},
    {CR_UNKNOWN_HOST, ERR_CONNECT_HOST, CONN_BREAKS},
    {CR_SERVER_GONE_ERROR, ERR_SERVER_LOST, CONN_BREAKS},
    {CR_OUT_OF_MEMORY, ERR_NOMEM, CONN_BREAKS},
    {CR_SERVER_HANDSHAKE_ERR, ERR_CONNECT, CONN_BREAKS},
    {CR_SERVER_LOST, ERR_SERVER_LOST, CONN_BREAKS},
    {CR_COMMANDS_OUT_OF_SYNC, ERR_INTERNAL, CONN_BREAKS},
    {CR_NET_PACKET_TOO_LARGE, ERR_LIMIT, CONN_BREAKS},
    {CR_SSL_CONNECTION_ERROR, ERR_SERVER_LOST, CONN_BREAKS}, /* once connected: an early end */
    {CR_MALFORMED_PACKET, ERR_SERVER_LOST, CONN_BREAKS},
    {2049, ERR_AUTH, CONN_BREAKS}, /* the account has an old password */
    {CR_SERVER_LOST_EXTENDED, ERR_SERVER_LOST, CONN_BREAKS},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, ERR_AUTH, CONN_BREAKS},
    {CR_AUTH_PLUGIN_ERR, ERR_AUTH, CONN_BREAKS},
    {3100, ERR_SERVER_BUSY, false},       /* group replication rolled back */
    {3101, ERR_SERVER_BUSY, false},       /* group replication: conflict */
    {3118, ERR_AUTH, false},              /* account locked */
    {3159, ERR_TLS, false},               /* the server demands TLS */
    {3169, ERR_SERVER_LOST, CONN_BREAKS}, /* session killed */
    {3572, ERR_SERVER_BUSY, false},       /* NOWAIT */
    {3879, ERR_PRIVILEGE, false},         /* access to a database */
    {3955, ERR_AUTH, false},              /* account blocked */
    {4031, ERR_SERVER_LOST, CONN_BREAKS}, /* idle for too long */
    {4151, ERR_AUTH, false},              /* MariaDB: account locked */
    {5010, ERR_AUTH, CONN_BREAKS},        /* MariaDB's library: plugin not allowed */
    {5013, ERR_SERVER_LOST, CONN_BREAKS}, /* MariaDB's library: net read */
    {5014, ERR_SERVER_LOST, CONN_BREAKS}, /* MariaDB's library: net write */
    {5015, ERR_SERVER_LOST, CONN_BREAKS}, /* MariaDB's library: uncompress */
    {8002, ERR_SERVER_BUSY, false},       /* TiDB: SELECT FOR UPDATE cannot be retried */
    {8004, ERR_LIMIT, false},             /* TiDB: transaction too large */
    {8005, ERR_SERVER_BUSY, false},       /* TiDB: write conflict */
    {8022, ERR_SERVER_BUSY, false},       /* TiDB: commit failed, retry */
    {8025, ERR_LIMIT, CONN_BREAKS},       /* TiDB: entry too large */
    {8027, ERR_SERVER_BUSY, false},       /* TiDB: schema out of date */
    {8028, ERR_SERVER_BUSY, false},       /* TiDB: schema changed */
    {8121, ERR_PRIVILEGE, false},         /* TiDB: privilege check */
    {8141, ERR_SERVER_BUSY, false},       /* TiDB: assertion failed */
    {8175, ERR_SERVER_BUSY, CONN_BREAKS}, /* TiDB: memory quota */
    {8252, ERR_SERVER_BUSY, false},       /* TiDB: resource group's quota */
    {9001, ERR_SERVER_BUSY, false},       /* TiDB: PD timeout */
    {9002, ERR_SERVER_BUSY, false},       /* TiDB: TiKV timeout */
    {9003, ERR_SERVER_BUSY, false},       /* TiDB: TiKV busy */
    {9004, ERR_SERVER_BUSY, false},       /* TiDB: resolving a lock took too long */
    {9005, ERR_SERVER_BUSY, false},       /* TiDB: region unavailable */
    {9006, ERR_SERVER_BUSY, false},       /* TiDB: too early for GC */
    {9007, ERR_SERVER_BUSY, false},       /* TiDB: write conflict */
};

static const struct conn_error *conn_error_find(unsigned number)
{
    for (size_t i = 0; i < sizeof(conn_errors) / sizeof(conn_errors[0]); i++)
        if (conn_errors[i].number == number)
            return &conn_errors[i];
    return NULL;
}

enum err_code conn_error_class(unsigned server_errno, const char *message)
{
    /* "tikv aborts txn": the commit's first phase has failed, nothing of it is written */
    static const char *const passing[] = {"context canceled", "context deadline exceeded",
                                          "Information schema is", "tikv aborts txn",
                                          "pessimistic lock not found"};
    const struct conn_error *found = conn_error_find(server_errno);

    if (found)
        return found->code;
    if (server_errno == NUMBER_UNKNOWN_TIDB)
        for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
            if (strstr(message, passing[i]))
                return ERR_SERVER_BUSY;
    return ERR_SQL;
}

enum err_code conn_fail(struct conn *c, struct err *err)
{
    const unsigned number = mysql_errno(c->mysql);
    const char *message = mysql_error(c->mysql);
    const struct conn_error *found = conn_error_find(number);
    enum err_code code;

    /* Whatever else the client library found wrong: it no longer knows where it stands. */
    if ((found && found->breaks) || !number ||
        (!found && number >= CR_MIN_ERROR && number <= CR_MAX_ERROR))
        c->broken = true;
    if (c->feed.refused[0])
        code = err_set(err, ERR_SQL, "%s", c->feed.refused);
    else if (!number)
        code = err_set(err, ERR_SERVER_LOST, "the client library failed without saying why");
    else
        code = err_set(err, conn_error_class(number, message), "%s (%u)", message, number);
    err->server_errno = number;
    return code;
}

/* A server that goes down in the middle of the handshake is no fault of TLS. */
static bool conn_handshake_cut(const char *message)
{
    static const char *const words[] = {"Connection reset", "Broken pipe", "unexpected eof",
                                        "timed out"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(message, words[i]))
            return true;
    return false;
}

/* As conn_error_class, for a connection that is being opened. */
static enum err_code conn_open_class(unsigned number, const char *message)
{
    const enum err_code code = conn_error_class(number, message);

    if (number == CR_SSL_CONNECTION_ERROR)
        return conn_handshake_cut(message) ? ERR_CONNECT : ERR_TLS;
    if (code == ERR_PRIVILEGE)
        return ERR_AUTH;
    if (code == ERR_CONNECT_HOST || code == ERR_AUTH || code == ERR_TLS || code == ERR_NOMEM)
        return code;
    return ERR_CONNECT;
}

enum err_code conn_fail_open(MYSQL *mysql, const char *server, struct err *err)
{
    const unsigned number = mysql_errno(mysql);
    const char *message = mysql_error(mysql);
    const enum err_code code =
        err_set(err, conn_open_class(number, message), "%s: %s (%u)", server, message, number);

    err->server_errno = number;
    return code;
}
