/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libpq parses the string; what it makes of it is held against what an operator can have meant. Its
 * messages are recognised by their fixed parts and never quoted.
 */
#include "store/conninfo.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#define URI_ENCODE                                                                                 \
    "in a password of a URI, % @ / : ? # [ ] and blanks are written %25 %40 %2F %3A %3F %23 %5B "  \
    "%5D %20"

static bool is_uri(const char *conninfo)
{
    return strncmp(conninfo, "postgresql://", 13) == 0 || strncmp(conninfo, "postgres://", 11) == 0;
}

static bool percent_is_bare(const char *text)
{
    for (const char *p = strchr(text, '%'); p; p = strchr(p + 1, '%'))
        if (!isxdigit((unsigned char)p[1]) || !isxdigit((unsigned char)p[2]) ||
            (p[1] == '0' && p[2] == '0'))
            return true;
    return false;
}

static bool unreadable(const char *conninfo, struct err *err)
{
    if (!is_uri(conninfo))
        return err_set(err, ERR_CONFIG,
                       "postgres: the connection string cannot be read: it is keyword=value pairs "
                       "of libpq between blanks; a value with blanks stands in '...', with \\ "
                       "before each ' and \\ in it");
    if (percent_is_bare(conninfo))
        return err_set(err, ERR_CONFIG,
                       "postgres: the URI cannot be read: a %% in it is followed by no two "
                       "hexadecimal digits; %s",
                       URI_ENCODE);
    return err_set(err, ERR_CONFIG,
                   "postgres: the URI cannot be read: it is postgresql://user:password@host:port/"
                   "database?keyword=value; %s",
                   URI_ENCODE);
}

/* Whether the value of a keyword can be what it says. */
static bool is_credible(const PQconninfoOption *option)
{
    const char *value = option->val;
    if (!value || !*value)
        return true;
    if (strcmp(option->keyword, "port") == 0)
        return strspn(value, "0123456789,") == strlen(value);
    if (strcmp(option->keyword, "host") == 0 || strcmp(option->keyword, "hostaddr") == 0 ||
        strcmp(option->keyword, "dbname") == 0)
        return !strchr(value, '@') || value[0] == '@'; /* @name: an abstract socket */
    return true;
}

/* "5432", or one for each host between commas. */
static bool ports_in_range(const char *ports)
{
    for (const char *p = ports; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (*p >= '0' && *p <= '9' && (strtol(p, NULL, 10) < 1 || strtol(p, NULL, 10) > 65535))
            return false;
    return true;
}

static bool misread(const char *keyword, bool uri, struct err *err)
{
    return err_set(err, ERR_CONFIG, "postgres: the %s of the connection string cannot be one%s%s",
                   keyword, uri ? ": " : "", uri ? URI_ENCODE : "");
}

static bool in_range(const PQconninfoOption *option, struct err *err)
{
    return strcmp(option->keyword, "port") != 0 || ports_in_range(option->val) ||
           err_set(err, ERR_CONFIG,
                   "postgres: the port of the connection string is not between 1 and 65535");
}

bool conninfo_check(const char *conninfo, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *parsed = PQconninfoParse(conninfo, &message);
    PQfreemem(message);
    if (!parsed)
        return unreadable(conninfo, err);
    bool ok = true;
    for (const PQconninfoOption *o = parsed; ok && o->keyword; o++)
        ok = is_credible(o) ? in_range(o, err) : misread(o->keyword, is_uri(conninfo), err);
    PQconninfoFree(parsed);
    return ok;
}

const char *conninfo_trouble(const char *message)
{
    static const struct {
        const char *part, *meaning;
    } known[] = {
        {"could not translate host name", "the host's name is unknown"},
        {"Connection refused", "connection refused: no server listens there"},
        {"No such file or directory", "no server listens on that socket, or a file is missing"},
        {"Permission denied", "the socket or a file may not be opened"},
        {"No route to host", "there is no way to the host"},
        {"etwork is unreachable", "there is no way to the host"},
        {"imeout expired", "no answer in time"},
        {"timed out", "no answer in time"},
        {"does not support SSL", "the server does not offer TLS"},
        {"does not match host name", "the server's certificate is for another host"},
        {"certificate verify failed", "the server's certificate cannot be verified (sslrootcert)"},
        {"root certificate", "the authority's certificate (sslrootcert) cannot be read"},
        {"private key file", "the private key (sslkey) cannot be read, or others may read it"},
        {"certificate file", "the client's certificate (sslcert) cannot be read"},
        {"no password supplied", "the server asks for a password and none is given"},
        {"SCRAM", "the authentication by SCRAM failed"},
        {"channel binding", "channel binding is required and not to be had"},
        {"GSSAPI", "the authentication by GSSAPI failed"},
        {"SSL", "the TLS handshake failed"},
        {"invalid integer value", "a keyword of the connection string has a value it cannot have"},
        {" value: ", "a keyword of the connection string has a value it cannot have"},
        {"invalid port", "a keyword of the connection string has a value it cannot have"},
        {"could not match", "the connection string has more ports than hosts"},
        {"read-only", "the server is read-only (target_session_attrs)"},
        {"hot standby", "the server is a standby (target_session_attrs)"},
        {"closed the connection", "the server closed the connection"},
        {"reset by peer", "the server closed the connection"},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strstr(message, known[i].part))
            return known[i].meaning;
    return "the connection failed";
}
