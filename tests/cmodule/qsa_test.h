/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * qsa_test: a C module that uses the QSA as a subscriber and as a notifier. It belongs to the tests of presence_b2b.
 */
#ifndef QSA_TEST_H
#define QSA_TEST_H

#include "presence_b2b_api.h"
#include "core/atomic_ops.h"
#include "core/locking.h"
#include "core/rpc.h"

/** The package whose notifier this module is: it tells from internal status, without SIP. */
#define STATUS_PACKAGE "test-status"

#define RECORD_SIZE 128
#define NOTE_SIZE 128
#define STATUS_NO 64
#define WATCH_NO 256

/** The internal status of a record. */
typedef struct status
{
	char record[RECORD_SIZE]; /**< empty: this row is free */
	char note[NOTE_SIZE];
	int open;
} status_t;

/** A subscription taken up by this module's notifier. */
typedef struct watch
{
	qsa_subscription_t subscription; /**< 0: this row is free */
	char record[RECORD_SIZE];
	qsa_subscription_t inner; /**< subscribed to by the callback; 0: none */
} watch_t;

/** What all processes share. */
typedef struct shared
{
	gen_lock_t lock; /**< for statuses and watches; never held while the API is called */
	status_t statuses[STATUS_NO];
	watch_t watches[WATCH_NO];
	qsa_notifier_t late; /**< the notifier registered by RPC */
	atomic_t subscribed; /**< the last subscriber_data given out */
	atomic_t wakes;
	atomic_t taken;
	atomic_t ended;
	atomic_t destroyed;
} shared_t;

extern presence_b2b_api_t qsa;
extern shared_t *shared;
extern qsa_queue_t queue;
extern qsa_content_type_t text_data;
extern rpc_export_t commands[];

/** Adds what a message says of a resource of a list, if it does. */
void add_list(rpc_t *rpc, void *st, qsa_message_t *message);

/** Registers the notifier of the internal status for a package. */
int register_status(const char *package, qsa_notifier_t *notifier);

/** Sets the internal status of a record and tells all who watch it. */
int set_status(const char *record, int open, const char *note);

/** Adds the document of a message, all of it, under the name of its kind; nothing when there is none. */
void add_document(rpc_t *rpc, void *st, qsa_message_t *message);

#endif
