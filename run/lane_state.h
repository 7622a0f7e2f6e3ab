/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The states of a lane and of its partitions. All changes of a lane's state are made in lane.c,
 * whose other files tell by an outcome what has to become of it.
 *
 *   STARTING ── a broker answers, the topics are subscribed ──▶ UNASSIGNED
 *   UNASSIGNED, WAITING, READING ── the group assigns ──▶ WAITING, and the rows are read at once
 *   WAITING ── the offset rows are read, Kafka takes the assignment ──▶ READING
 *   WAITING ── they are not ──▶ WAITING, twice as long
 *   READING ── RECOVER: what the database holds is not sure ──▶ WAITING
 *   READING ── REREAD, FORGOTTEN: the rows are to be read again ──▶ WAITING, for a moment
 *   WAITING, READING ── the group revokes; READING writes its batch first, if it may ──▶ UNASSIGNED
 *   any ── FATAL: only an operator or a supervisor can help ──▶ ENDED
 *
 * To wait is to own partitions of which nothing flows, with an empty batch: the member stays in the
 * group. A lane that is stopped writes its batch if it is READING, and leaves the group.
 */
#ifndef RUN_LANE_STATE_H
#define RUN_LANE_STATE_H

enum lane_state {
    LANE_STARTING,   /* no broker has answered yet */
    LANE_UNASSIGNED, /* the group has not shared out its partitions */
    LANE_WAITING,    /* tries again later */
    LANE_READING,
    LANE_ENDED,
};

/* What a step comes to, and what the loop does about it. */
enum lane_outcome {
    LANE_FINE,      /* goes on; of a flush: written, or there was nothing to write */
    LANE_REREAD,    /* an offset row was moved, or the log has to be asked for it again */
    LANE_FORGOTTEN, /* Kafka has forgotten our offsets: its topic may be another one */
    LANE_RECOVER,   /* drop the batch; wait; read the offset rows and begin from them */
    LANE_FATAL,     /* end with the error */
};

/*
 * A partition between two assignments from the offset rows:
 *
 *   CHECKING ── its first message is the one stored last, or a later one ──▶ READING
 *   CHECKING, READING ── the end of the log ──▶ AT_END ── a message ──▶ READING
 *   any ── its log lost what was not read, kafka_gap: stop ──▶ HALTED, until the next rebalance
 */
enum partition_phase {
    PARTITION_CHECKING, /* assigned one message early; where that is stored in part, at it */
    PARTITION_READING,
    PARTITION_AT_END,
    PARTITION_HALTED, /* left out of assignments: waits for the operator */
};

#endif
