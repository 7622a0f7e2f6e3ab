/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: one request a connection, a word and a line end; the answer is one JSON
 * object, to the end of the connection. Served by the main thread between its looks at signals, so
 * that an answer to "reload" is what came of it. Whoever may open the socket may ask: its folder
 * says who.
 */
#ifndef RUN_CONTROL_H
#define RUN_CONTROL_H

#include "run/lane.h"

struct control;

typedef bool control_reload_fn(struct lane_group *group, struct buf *said, struct err *err);

/* path "": none, *out stays NULL. A folder that is not there, or another process that answers at
 * the path, is told in the log and means none. ERR_CONFIG: the path cannot be one. */
bool control_open(struct control **out, const char *path, struct lane_group *group,
                  control_reload_fn *reload, struct err *err) MUST_CHECK;
/* Answers who has asked; waits for nobody. */
void control_serve(struct control *control);
void control_close(struct control *control);

/* What `status` is told. */
void control_status(struct lane_group *group, struct buf *json);

/* The other side: sends the word and reads the answer. ERR_UNAVAILABLE: nobody answers there. */
bool control_ask(const char *path, const char *word, struct buf *answer,
                 struct err *err) MUST_CHECK;

#endif
