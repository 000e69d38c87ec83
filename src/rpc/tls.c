/*
 * TLS of a link (OpenSSL), in memory: bytes come from and go to the link's buffers by a BIO of our
 * own.  TLS 1.2 or later, SNI, ALPN; the chain and the name are verified unless options.insecure.
 * What goes wrong is told in words that name the cure.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/conn_int.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define RECORD_BYTES 16384 /* the most that one record holds */
#define NAMES_SHOWN  5     /* of a certificate, in messages */

/* RFC 8446 section 6 and RFC 7301. */
enum alert {
    ALERT_HANDSHAKE_FAILURE = 40,
    ALERT_BAD_CERTIFICATE = 42,
    ALERT_PROTOCOL_VERSION = 70,
    ALERT_UNRECOGNIZED_NAME = 112,
    ALERT_CERTIFICATE_REQUIRED = 116,
    ALERT_NO_APPLICATION_PROTOCOL = 120,
};

struct rpc_secure {
    SSL *ssl;
    struct str in; /* raw bytes that OpenSSL has not taken yet */
    char name[RPC_HOST_MAX];
    bool done;         /* the handshake */
    bool ended;        /* close_notify came */
    bool cert_asked;   /* the server wants a certificate of the client, and there is none */
    char problem[400]; /* what is wrong with the server's certificate */
    char plain[RECORD_BYTES];
};

/* The BIO */

static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct rpc_link *link = BIO_get_data(bio);
    buf_add(&link->out, bytes, (size_t) len);
    return len;
}

static int bio_read(BIO *bio, char *out, int size)
{
    struct rpc_link *link = BIO_get_data(bio);
    struct str *in = &link->secure->in;
    BIO_clear_retry_flags(bio);
    if (in->len == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t n = in->len < (size_t) size ? in->len : (size_t) size;
    memcpy(out, in->ptr, n);
    in->ptr += n;
    in->len -= n;
    return (int) n;
}

static long bio_ctrl(BIO *bio, int what, long number, void *ptr)
{
    (void) bio;
    (void) number;
    (void) ptr;
    return what == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *new_bio(struct rpc_link *link)
{
    static BIO_METHOD *method;
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "link");
        if (method == NULL || BIO_meth_set_write(method, bio_write) != 1 ||
            BIO_meth_set_read(method, bio_read) != 1 || BIO_meth_set_ctrl(method, bio_ctrl) != 1) {
            BUG("out of memory");
        }
    }
    BIO *bio = BIO_new(method);
    if (bio == NULL) {
        BUG("out of memory");
    }
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    return bio;
}

/* Words about certificates */

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;
    return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t) timegm(&tm) : 0;
}

static void time_text(const ASN1_TIME *time, char out[32])
{
    int64_t seconds = seconds_of(time);
    clock_format_utc_ms(seconds > 0 ? (uint64_t) seconds * 1000 : 0, out);
}

static void subject_text(const X509 *cert, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (bio == NULL) {
        BUG("out of memory");
    }
    (void) X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
                              XN_FLAG_RFC2253 & ~(unsigned long) ASN1_STRFLGS_ESC_MSB);
    long len = BIO_get_mem_data(bio, &text);
    struct buf b;
    buf_init_fixed(&b, out, size);
    buf_add(&b, text, (size_t) len < size ? (size_t) len : size - 1);
    BIO_free(bio);
}

static void add_name(struct buf *b, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN] = "";
    const ASN1_STRING *value = name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress;
    struct str bytes = {(const char *) ASN1_STRING_get0_data(value),
                        (size_t) ASN1_STRING_length(value)};
    if (name->type == GEN_DNS) {
        bytes.len = bytes.len < 100 ? bytes.len : 100;
        buf_add_str(b, bytes);
    } else if (inet_ntop(bytes.len == 4 ? AF_INET : AF_INET6, bytes.ptr, text, sizeof text) !=
               NULL) {
        buf_add_cstr(b, text);
    }
}

/* "a.example, 10.0.0.7": what the certificate is for. */
static void names_text(X509 *cert, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    struct buf b;
    int shown = 0;
    buf_init_fixed(&b, out, size);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        bool ip = name->type == GEN_IPADD && (ASN1_STRING_length(name->d.iPAddress) == 4 ||
                                              ASN1_STRING_length(name->d.iPAddress) == 16);
        if (name->type != GEN_DNS && !ip) {
            continue;
        }
        if (shown++ == NAMES_SHOWN) {
            buf_add_cstr(&b, ", ...");
            break;
        }
        buf_add_cstr(&b, shown > 1 ? ", " : "");
        add_name(&b, name);
    }
    GENERAL_NAMES_free(names);
    if (shown == 0) {
        subject_text(cert, out, size);
    }
}

static void describe_certificate(struct rpc_secure *secure, int error, X509 *cert)
{
    char text[256] = "", when[32] = "";
    char *out = secure->problem;
    size_t size = sizeof secure->problem;
    subject_text(cert, text, sizeof text);
    switch (error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        (void) snprintf(out, size,
                        "the certificate is self-signed (%s): name it as the CA file (--cacert) "
                        "to trust it",
                        text);
        return;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        (void) snprintf(out, size,
                        "the certificate is signed by an authority that is unknown here (%s): "
                        "name it in the CA file (--cacert)",
                        text);
        return;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        (void) snprintf(out, size,
                        "the certificate (%s) is signed by an authority that is unknown here: "
                        "name it in the CA file (--cacert)",
                        text);
        return;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        time_text(X509_get0_notAfter(cert), when);
        (void) snprintf(out, size, "the certificate (%s) has expired: it was valid until %s", text,
                        when);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        time_text(X509_get0_notBefore(cert), when);
        (void) snprintf(out, size, "the certificate (%s) is not valid before %s", text, when);
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        names_text(cert, text, sizeof text);
        (void) snprintf(out, size, "the certificate is for %.200s, not for \"%.150s\"", text,
                        secure->name);
        return;
    default:
        (void) snprintf(out, size, "the certificate (%s) is not accepted: %s", text,
                        X509_verify_cert_error_string(error));
    }
}

static int verify(int ok, X509_STORE_CTX *ctx)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct rpc_secure *secure = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
    if (ok != 1 && secure->problem[0] == '\0' && cert != NULL) {
        describe_certificate(secure, X509_STORE_CTX_get_error(ctx), cert);
    }
    return ok;
}

/* The context of a connection */

static int asked_for_certificate(SSL *ssl, X509 **ret_cert, EVP_PKEY **ret_key)
{
    struct rpc_secure *secure = SSL_get_app_data(ssl);
    (void) ret_cert;
    (void) ret_key;
    secure->cert_asked = true;
    return 0;
}

/* Never asks at the terminal. */
static int no_password(char *out, int size, int writes, void *ctx)
{
    (void) out;
    (void) size;
    (void) writes;
    (void) ctx;
    return 0;
}

static int file_error(struct err *err, const char *what, const char *file)
{
    unsigned long error = ERR_peek_last_error();
    const char *why = ERR_GET_LIB(error) == ERR_LIB_SYS
                          ? strerror(ERR_GET_REASON(error)) /* NOLINT(concurrency-mt-unsafe) */
                          : ERR_reason_error_string(error);
    /* What the system said stands in front of what OpenSSL made of it. */
    unsigned long first = ERR_peek_error();
    if (ERR_GET_LIB(first) == ERR_LIB_SYS) {
        why = strerror(ERR_GET_REASON(first)); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    return err_set(err, ERR_INVALID, "%s %s: %s", what, file, why != NULL ? why : "unreadable");
}

static int load_files(SSL_CTX *ctx, const struct rpc_tls *tls, struct err *err)
{
    if (!tls->insecure && tls->ca_file != NULL &&
        SSL_CTX_load_verify_file(ctx, tls->ca_file) != 1) {
        return file_error(err, "CA file", tls->ca_file);
    }
    if (!tls->insecure && tls->ca_file == NULL && SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return err_set(err, ERR_IO, "the system's certificates cannot be read");
    }
    if (tls->cert_file == NULL) {
        SSL_CTX_set_client_cert_cb(ctx, asked_for_certificate);
        return 0;
    }
    const char *key = tls->key_file != NULL ? tls->key_file : tls->cert_file;
    if (SSL_CTX_use_certificate_chain_file(ctx, tls->cert_file) != 1) {
        return file_error(err, "certificate file", tls->cert_file);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1) {
        return file_error(err, "key file", key);
    }
    return 0;
}

static int make_context(struct rpc_conn *conn, struct err *err)
{
    static const unsigned char both[] = "\x02h2\x08http/1.1";
    const unsigned char *alpn = conn->options.protocol == RPC_H1 ? both + 3 : both;
    unsigned alpn_len = conn->options.protocol == RPC_AUTO ? 12
                        : conn->options.protocol == RPC_H1 ? 9
                                                           : 3;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) {
        BUG("out of memory");
    }
    (void) SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    (void) SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    (void) SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    if (!conn->options.tls.insecure) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, verify);
    }
    ERR_clear_error();
    int rc = SSL_CTX_set_alpn_protos(ctx, alpn, alpn_len) == 0
                 ? load_files(ctx, &conn->options.tls, err)
                 : err_set(err, ERR_INTERNAL, "ALPN cannot be set");
    ERR_clear_error();
    if (rc < 0) {
        SSL_CTX_free(ctx);
        return rc;
    }
    conn->tls = ctx;
    return 0;
}

void rpc_secure_conn_free(struct rpc_conn *conn)
{
    SSL_CTX_free(conn->tls);
    conn->tls = NULL;
}

/* One link */

/* The name that the certificate has to have: as asked for, else the host of the authority. */
static void choose_name(const struct rpc_conn *conn, char out[RPC_HOST_MAX])
{
    const char *given = conn->options.tls.server_name;
    struct str host = str_of(given != NULL ? given : conn->authority);
    if (given == NULL && host.len > 0 && host.ptr[0] == '[') {
        size_t end = str_find_char(host, ']');
        host = (struct str){host.ptr + 1, end - 1};
    } else if (given == NULL) {
        host.len = str_find_char(host, ':');
    }
    struct buf b;
    buf_init_fixed(&b, out, RPC_HOST_MAX);
    buf_add_str(&b, host);
}

int rpc_secure_open(struct rpc_link *link, struct err *err)
{
    struct rpc_conn *conn = link->conn;
    struct in6_addr ip;
    if (conn->tls == NULL) {
        int rc = make_context(conn, err);
        if (rc < 0) {
            return rc;
        }
    }
    struct rpc_secure *secure = mem_zalloc(sizeof *secure);
    link->secure = secure;
    secure->ssl = SSL_new(conn->tls);
    BIO *bio = new_bio(link);
    if (secure->ssl == NULL) {
        BUG("out of memory");
    }
    SSL_set_bio(secure->ssl, bio, bio);
    SSL_set_connect_state(secure->ssl);
    SSL_set_app_data(secure->ssl, secure);
    choose_name(conn, secure->name);
    bool is_ip =
        inet_pton(AF_INET, secure->name, &ip) == 1 || inet_pton(AF_INET6, secure->name, &ip) == 1;
    int ok = is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(secure->ssl), secure->name)
                   : SSL_set1_host(secure->ssl, secure->name);
    if (ok == 1 && !is_ip) {
        ok = (int) SSL_set_tlsext_host_name(secure->ssl, secure->name);
    }
    return ok == 1 ? 0
                   : err_set(err, ERR_INVALID, "\"%s\" cannot be the name of a TLS server",
                             secure->name);
}

static void describe_alert(const struct rpc_link *link, int alert, char *out, size_t size)
{
    const struct rpc_secure *secure = link->secure;
    const struct rpc_tls *tls = &link->conn->options.tls;
    /* OpenSSL 3.0 has no word for this one. */
    const char *text = alert == ALERT_CERTIFICATE_REQUIRED ? "certificate required"
                                                           : SSL_alert_desc_string_long(alert);
    switch (alert) {
    case ALERT_NO_APPLICATION_PROTOCOL:
        (void) snprintf(out, size, "it refuses \"%s\" in ALPN: %s",
                        link->conn->options.protocol == RPC_H1 ? "http/1.1" : "h2",
                        link->conn->options.protocol == RPC_H2
                            ? "it speaks HTTP/1.1 only, and gRPC needs HTTP/2"
                            : "it speaks another protocol there");
        return;
    case ALERT_PROTOCOL_VERSION:
        (void) snprintf(out, size, "it speaks neither TLS 1.2 nor 1.3 (alert: %s)", text);
        return;
    case ALERT_UNRECOGNIZED_NAME:
        (void) snprintf(out, size, "it knows no server \"%s\" (SNI; alert: %s)", secure->name,
                        text);
        return;
    default:
        break;
    }
    if (secure->cert_asked || alert == ALERT_CERTIFICATE_REQUIRED) {
        (void) snprintf(out, size, "it wants a client certificate, and none was given (alert: %s)",
                        text);
    } else if (tls->cert_file != NULL && (alert == ALERT_HANDSHAKE_FAILURE ||
                                          (alert >= ALERT_BAD_CERTIFICATE && alert <= 49))) {
        (void) snprintf(out, size, "it does not accept the client certificate %s (alert: %s)",
                        tls->cert_file, text);
    } else {
        (void) snprintf(out, size, "it refused TLS (alert: %s)", text);
    }
}

static bool looks_like_tls(const struct rpc_link *link)
{
    unsigned char type = (unsigned char) link->first[0];
    return link->received == 0 ||
           (type >= 0x14 && type <= 0x17 && (link->received < 2 || link->first[1] == 3));
}

static void lost_without_tls(struct rpc_link *link)
{
    struct str first = {link->first, link->received < sizeof link->first ? (size_t) link->received
                                                                         : sizeof link->first};
    char hint[400], text[300];
    rpc_conn_hint(link->conn, false, hint, sizeof hint);
    if (first.len > 3 && first.ptr[0] == 0 && first.ptr[3] == NGHTTP2_SETTINGS) {
        (void) snprintf(text, sizeof text, "HTTP/2's SETTINGS");
    } else {
        rpc_text_shown(first, text, sizeof text);
    }
    rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
                   "%s answered without TLS: write %s (it said %s)", link->conn->where, hint, text);
}

static void fail(struct rpc_link *link)
{
    const struct rpc_secure *secure = link->secure;
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    const char *where = link->conn->where;
    bool ready = link->state == RPC_LINK_READY;
    enum rpc_origin origin = ready ? RPC_FROM_HTTP : RPC_FROM_CONNECT;
    char text[400];
    if (secure->problem[0] != '\0') {
        rpc_link_lostf(link, origin, RPC_UNAVAILABLE, "TLS with %s: %s", where, secure->problem);
    } else if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
        describe_alert(link, reason - SSL_AD_REASON_OFFSET, text, sizeof text);
        rpc_link_lostf(link, origin, RPC_UNAVAILABLE, "TLS with %s: %s", where, text);
    } else if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_UNSUPPORTED_PROTOCOL) {
        rpc_link_lostf(link, origin, RPC_UNAVAILABLE,
                       "TLS with %s: it speaks neither TLS 1.2 nor 1.3", where);
    } else {
        const char *why = ERR_reason_error_string(error);
        rpc_link_lostf(link, origin, RPC_UNAVAILABLE, "TLS with %s failed: %s", where,
                       why != NULL ? why : "broken off");
    }
    ERR_clear_error();
}

static bool check_alpn(struct rpc_link *link)
{
    if (link->conn->options.protocol == RPC_H2 && link->facts.alpn == NULL) {
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
                       "TLS with %s: it chose no protocol by ALPN, and gRPC needs \"h2\"; it "
                       "speaks HTTP/1.1 only, or its TLS does not know ALPN",
                       link->conn->where);
        return false;
    }
    return true;
}

static bool handshake(struct rpc_link *link)
{
    struct rpc_secure *secure = link->secure;
    const unsigned char *alpn;
    unsigned alpn_len;
    ERR_clear_error();
    int rc = SSL_do_handshake(secure->ssl);
    if (rc != 1) {
        if (SSL_get_error(secure->ssl, rc) != SSL_ERROR_WANT_READ) {
            fail(link);
        }
        return false;
    }
    secure->done = true;
    SSL_get0_alpn_selected(secure->ssl, &alpn, &alpn_len);
    link->facts.alpn = alpn_len == 2 ? "h2" : alpn_len == 8 ? "http/1.1" : NULL;
    link->facts.tls_version = SSL_get_version(secure->ssl);
    link->facts.tls_cipher = SSL_get_cipher_name(secure->ssl);
    X509 *cert = SSL_get0_peer_certificate(secure->ssl);
    if (cert != NULL) {
        subject_text(cert, link->facts.cert_subject, sizeof link->facts.cert_subject);
        link->facts.cert_not_after_s = seconds_of(X509_get0_notAfter(cert));
    }
    if (!check_alpn(link)) {
        return false;
    }
    rpc_link_secured(link);
    return true;
}

void rpc_secure_receive(struct rpc_link *link, struct str bytes)
{
    struct rpc_secure *secure = link->secure;
    secure->in = bytes;
    if (!secure->done && !looks_like_tls(link)) {
        lost_without_tls(link);
        return;
    }
    if (!secure->done && !handshake(link)) {
        return;
    }
    while (link->state != RPC_LINK_LOST && !secure->ended) {
        ERR_clear_error();
        int n = SSL_read(secure->ssl, secure->plain, sizeof secure->plain);
        if (n > 0) {
            rpc_link_plain(link, (struct str){secure->plain, (size_t) n});
            continue;
        }
        int error = SSL_get_error(secure->ssl, n);
        if (error == SSL_ERROR_ZERO_RETURN) {
            secure->ended = true;
        } else if (error != SSL_ERROR_WANT_READ) {
            fail(link);
        }
        break;
    }
    secure->in = (struct str){NULL, 0};
}

void rpc_secure_pull(struct rpc_link *link)
{
    struct rpc_secure *secure = link->secure;
    if (!secure->done) {
        if (link->received == 0 && link->out.len == 0) {
            (void) handshake(link);
        }
        return;
    }
    if (link->plain.len == 0) {
        return;
    }
    ERR_clear_error();
    if (SSL_write(secure->ssl, link->plain.ptr, (int) link->plain.len) <= 0) {
        fail(link);
        return;
    }
    buf_clear(&link->plain);
}

bool rpc_secure_eof(struct rpc_link *link)
{
    const struct rpc_secure *secure = link->secure;
    char hint[400];
    if (link->state == RPC_LINK_READY) {
        return false;
    }
    if (secure->cert_asked) {
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
                       "TLS with %s: it wants a client certificate, and none was given (it closed "
                       "the connection)",
                       link->conn->where);
        return true;
    }
    if (!secure->done) {
        rpc_conn_hint(link->conn, false, hint, sizeof hint);
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
                       "%s closed the connection in the TLS handshake%s%s", link->conn->where,
                       link->received == 0 ? " without a word; if it speaks no TLS, write " : "",
                       link->received == 0 ? hint : "");
        return true;
    }
    return false;
}

bool rpc_secure_ended(const struct rpc_link *link)
{
    return link->secure == NULL || link->secure->ended;
}

void rpc_secure_goodbye(struct rpc_link *link)
{
    if (link->secure->done) {
        rpc_secure_pull(link);
        (void) SSL_shutdown(link->secure->ssl);
        ERR_clear_error();
    }
}

void rpc_secure_free(struct rpc_link *link)
{
    SSL_free(link->secure->ssl);
    mem_free(link->secure);
    link->secure = NULL;
}
