/* common/base/queue.h: a bounded queue of jobs; ownership moves with push and pop. Safe from any
 * thread. */
#ifndef FERRY_BASE_QUEUE_H
#define FERRY_BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

struct queue;

struct queue *queue_new(size_t cap);
/* Waits while full. false: closed or cancelled, the caller keeps the job. */
bool queue_push(struct queue *q, void *job);
/* Waits while empty. NULL: closed and drained, or cancelled. */
void *queue_pop(struct queue *q);
void queue_close(struct queue *q);  /* no more jobs; workers finish the rest */
void queue_cancel(struct queue *q); /* workers stop after the current job */
void queue_free(struct queue *q, void (*free_job)(void *)); /* after all threads have been joined */

#endif
