#include "common/mysql/client_compat.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/tcp.h>
#endif

#if defined(MARIADB_BASE_VERSION) || defined(MARIADB_VERSION_ID)
#define COMPAT_MARIADB 1
typedef my_bool compat_bool;
#else
#define COMPAT_MARIADB 0
#endif

#define CONNECT_TIMEOUT_DEFAULT 10U
#define PACKET_MAX (1UL << 30)
/* A server that still answers TCP is only slow. These outlast a full disk or a long ALTER. */
#define IO_TIMEOUT 86400U

/* Where systems keep the certificates they trust. */
static const char *compat_system_ca(void)
{
    static const char *const files[] = {
        "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Arch */
        "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 7 and above */
        "/etc/ssl/ca-bundle.pem",                            /* SUSE */
        "/etc/ssl/cert.pem",                                 /* Alpine, BSD, macOS */
    };

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        if (access(files[i], R_OK) == 0)
            return files[i];
    return NULL;
}

void compat_set_infile(MYSQL *mysql, const struct compat_infile *infile, bool allow)
{
    const unsigned on = allow;

    (void)mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &on);
    mysql_set_local_infile_handler(mysql, infile->open, infile->read, infile->close, infile->error,
                                   infile->ctx);
}

#if COMPAT_MARIADB
static void compat_tls_mode(MYSQL *mysql, enum ssl_mode mode)
{
    const compat_bool enforce = (compat_bool)(mode != SSL_MODE_OFF);
    const compat_bool identity = (compat_bool)(mode == SSL_MODE_IDENTITY);

    /* "Enforce" is a wish here: a server without TLS gets a plain connection, so conn_open looks
     * afterwards. Only with VERIFY_SERVER_CERT the library refuses by itself. */
    (void)mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &enforce);
    (void)mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &identity);
    /* So a server that pretends to have no TLS cannot ask for the password in clear text. */
    if (mode == SSL_MODE_REQUIRE || mode == SSL_MODE_CA)
        (void)mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH,
                            "mysql_native_password,caching_sha2_password,sha256_password,"
                            "client_ed25519,auth_gssapi_client");
}
#else
static void compat_tls_mode(MYSQL *mysql, enum ssl_mode mode)
{
    static const unsigned modes[] = {
        [SSL_MODE_PREFER] = SSL_MODE_PREFERRED,         [SSL_MODE_OFF] = SSL_MODE_DISABLED,
        [SSL_MODE_REQUIRE] = SSL_MODE_REQUIRED,         [SSL_MODE_CA] = SSL_MODE_VERIFY_CA,
        [SSL_MODE_IDENTITY] = SSL_MODE_VERIFY_IDENTITY,
    };
    const bool public_key = mode == SSL_MODE_OFF || mode == SSL_MODE_PREFER;

    (void)mysql_options(mysql, MYSQL_OPT_SSL_MODE, &modes[mode]);
    (void)mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &public_key);
}
#endif

enum err_code compat_set_tls(MYSQL *mysql, const struct server_url *url, enum ssl_mode mode,
                             struct err *err)
{
    compat_tls_mode(mysql, mode);
    if (mode == SSL_MODE_OFF)
        return ERR_OK;
    if (url->ssl_cert)
        (void)mysql_options(mysql, MYSQL_OPT_SSL_CERT, url->ssl_cert);
    if (url->ssl_key)
        (void)mysql_options(mysql, MYSQL_OPT_SSL_KEY, url->ssl_key);
    if (url->ssl_cipher)
        (void)mysql_options(mysql, MYSQL_OPT_SSL_CIPHER, url->ssl_cipher);
    if (url->tls_version)
        (void)mysql_options(mysql, MYSQL_OPT_TLS_VERSION, url->tls_version);
    /* MariaDB's library verifies as soon as it has a CA, whatever the mode. */
    if (mode != SSL_MODE_CA && mode != SSL_MODE_IDENTITY)
        return ERR_OK;
    if (url->ssl_ca || url->ssl_capath) {
        if (url->ssl_ca)
            (void)mysql_options(mysql, MYSQL_OPT_SSL_CA, url->ssl_ca);
        if (url->ssl_capath)
            (void)mysql_options(mysql, MYSQL_OPT_SSL_CAPATH, url->ssl_capath);
        return ERR_OK;
    }
    if (!compat_system_ca())
        return err_set(err, ERR_TLS,
                       "ssl-mode asks for a verified certificate, but the system has no file of "
                       "trusted certificates; say ssl-ca=FILE");
    (void)mysql_options(mysql, MYSQL_OPT_SSL_CA, compat_system_ca());
    return ERR_OK;
}

void compat_set_transport(MYSQL *mysql, const struct server_url *url, const char *app)
{
    const unsigned timeout = url->connect_timeout ? url->connect_timeout : CONNECT_TIMEOUT_DEFAULT;
    const unsigned io_timeout = IO_TIMEOUT;
    const unsigned long packet = PACKET_MAX;
    const unsigned protocol =
        url->socket && !url->host ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;

    (void)mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    (void)mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
    (void)mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &io_timeout);
    (void)mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &io_timeout);
    (void)mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    (void)mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    (void)mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "ferry");
    (void)mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "ferry_part", app);
    if (url->compress)
        (void)mysql_options(mysql, MYSQL_OPT_COMPRESS, NULL);
}

bool compat_tls_active(MYSQL *mysql)
{
    return mysql_get_ssl_cipher(mysql) != NULL;
}

int compat_socket(MYSQL *mysql)
{
#if COMPAT_MARIADB
    return mysql_get_socket(mysql);
#else
    return mysql->net.fd;
#endif
}

#ifdef __linux__
void compat_keep_alive(MYSQL *mysql)
{
    static const struct {
        int option, value;
    } settings[] = {
        {TCP_KEEPIDLE, 60}, {TCP_KEEPINTVL, 15}, {TCP_KEEPCNT, 8}, {TCP_USER_TIMEOUT, 180000}};
    const int fd = compat_socket(mysql);
    const int on = 1;

    /* A Unix socket refuses these, and needs none. */
    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)))
        return;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        (void)setsockopt(fd, IPPROTO_TCP, settings[i].option, &settings[i].value, sizeof(int));
}
#else
void compat_keep_alive(MYSQL *mysql)
{
    (void)mysql;
}
#endif
