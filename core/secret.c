/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reference is resolved when the configuration is read: environment, systemd's credentials,
 * files, each bounded in size.
 */
#include "core/secret.h"

#include "core/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET_BYTES_MAX (64u << 10)
#define PATH_BYTES_MAX 4096

static const struct slice environ_prefix = {"os.environ/", 11};
static const struct slice file_prefix = {"file:", 5};

/* librdkafka's own mark of sensitive properties (_RK_SENSITIVE) covers these words. */
bool secret_property(const char *name)
{
    static const char *const words[] = {"password",           "secret", "key.pem", "ssl_key",
                                        "oauthbearer.config", "token"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strstr(name, words[i]))
            return true;
    return false;
}

bool secret_is_reference(const char *text)
{
    return slice_starts(slice_of(text), environ_prefix) ||
           slice_starts(slice_of(text), file_prefix);
}

static const char *read_file(const char *folder, const char *name, struct arena *process,
                             struct err *err)
{
    char path[PATH_BYTES_MAX], text[SECRET_BYTES_MAX + 1];
    bool absolute = name[0] == '/' || !folder || !folder[0];
    int n =
        snprintf(path, sizeof(path), "%s%s%s", absolute ? "" : folder, absolute ? "" : "/", name);
    if (n <= 0 || (size_t)n >= sizeof(path)) {
        err_set(err, ERR_CONFIG, "%s: %.100s...", strerror(ENAMETOOLONG), path);
        return NULL;
    }
    FILE *in = file_open(path, err);
    if (!in)
        return NULL;
    size_t bytes = fread(text, 1, sizeof(text), in);
    bool large = bytes > SECRET_BYTES_MAX, bad = ferror(in);
    fclose(in);
    if (bytes > 0 && text[bytes - 1] == '\n')
        bytes--;
    if (bytes > 0 && text[bytes - 1] == '\r')
        bytes--;
    const char *value = NULL;
    if (large)
        err_set(err, ERR_CONFIG, "%s: larger than %u KiB", path, SECRET_BYTES_MAX >> 10);
    else if (bad || memchr(text, '\0', bytes))
        err_set(err, ERR_CONFIG, "%s: cannot be read as a secret", path);
    else if (!(value = arena_text(process, (struct slice){text, bytes})))
        err_set(err, ERR_CONFIG, "%s: no room", path);
    explicit_bzero(text, sizeof(text));
    return value;
}

static const char *read_environment(const char *name, struct arena *process, struct err *err)
{
    const char *value = getenv(name);
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (value) {
        value = arena_text(process, slice_of(value));
        if (!value)
            err_set(err, ERR_CONFIG, "%s: no room", name);
        return value;
    }
    if (credentials && credentials[0] && !strchr(name, '/'))
        return read_file(credentials, name, process, err);
    err_set(err, ERR_CONFIG, "environment variable %s is not set", name);
    return NULL;
}

/* A service that may not read the file gets it as a credential of the file's name. */
static const char *read_credential_or_file(const char *folder, const char *name,
                                           struct arena *process, struct err *err)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY"), *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    char path[PATH_BYTES_MAX];
    int n = credentials && credentials[0] ? snprintf(path, sizeof(path), "%s/%s", credentials, base)
                                          : 0;
    if (n > 0 && (size_t)n < sizeof(path) && access(path, R_OK) == 0)
        return read_file(credentials, base, process, err);
    return read_file(folder, name, process, err);
}

const char *secret_resolve(const char *text, const char *folder, struct arena *process,
                           struct err *err)
{
    if (slice_starts(slice_of(text), environ_prefix))
        return read_environment(text + environ_prefix.bytes, process, err);
    if (slice_starts(slice_of(text), file_prefix))
        return read_credential_or_file(folder, text + file_prefix.bytes, process, err);
    return text;
}
