/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is opened without blocking and looked at before it is read, so that a directory or a pipe
 * without a writer is an error with words instead of a hang.
 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_WAIT_MS 3000

/* Opened without waiting for a writer, then read as usual once there is something. */
static bool pipe_ready(int file, const char *path, struct err *err)
{
    struct pollfd wait = {file, POLLIN, 0};
    int flags = fcntl(file, F_GETFL);
    if (poll(&wait, 1, PIPE_WAIT_MS) <= 0)
        return err_set(err, ERR_CONFIG, "%s: a pipe that nobody writes to", path);
    return fcntl(file, F_SETFL, flags & ~O_NONBLOCK) == 0 ||
           err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
}

static bool file_ready(int file, const char *path, struct err *err)
{
    struct stat about;
    if (file < 0 || fstat(file, &about) != 0)
        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(EISDIR));
    return S_ISREG(about.st_mode) || pipe_ready(file, path, err);
}

FILE *file_open(const char *path, struct err *err)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *in = file_ready(file, path, err) ? fdopen(file, "r") : NULL;
    if (!in && file >= 0)
        close(file);
    return in;
}
