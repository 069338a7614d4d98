/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A small resource list server (RFC 4662) whose back end is the QSA: it subscribes to each resource of a list and tells the
 * list's watcher the state of all in one document. A watcher subscribes to the package "rls": the record is the list's URI, and
 * first_param has the URIs of the resources, with blanks between them.
 */
#ifndef RLS_H
#define RLS_H

#include "presence_b2b_api.h"

#include "core/locking.h"

#define LISTS_NO 16
#define RESOURCES_NO 1000
#define URI_SIZE 128
#define REASON_SIZE 32
#define TYPE_SIZE 64

/** What is known of a resource. */
typedef struct resource
{
	qsa_subscription_t subscription; /**< 0: there is none */
	int status;						 /**< enum qsa_status; 0: nothing is known yet */
	int basic;						 /**< enum qsa_basic of its first tuple */
	char uri[URI_SIZE];
	char reason[REASON_SIZE];
	char type[TYPE_SIZE];
	str body; /**< in shared memory; empty: there is none */
} resource_t;

/** A list with its watcher. */
typedef struct rls_list
{
	qsa_subscription_t watcher; /**< 0: this row is free */
	unsigned int number;		/**< of the lists that had this row: messages for others are too late */
	unsigned int version;		/**< of the next document */
	int is_changed;
	unsigned int resources_no;
	char uri[URI_SIZE];
	resource_t *resources; /**< in shared memory */
} rls_list_t;

/** What all processes share. */
typedef struct shared
{
	gen_lock_t lock; /**< never held while the API is called */
	rls_list_t lists[LISTS_NO];
} shared_t;

extern presence_b2b_api_t qsa;
extern shared_t *shared;

/** A text that grows; when memory is out, `s` is NULL and all that follows is ignored. */
typedef struct text
{
	char *s;
	int len;
	int room;
} text_t;

/**
 * The document of a list with the state of all its resources. Call under the lock. The caller frees the body with free().
 * @return 0, or -1 when memory is out
 */
int assemble(rls_list_t *list, text_t *content_type, text_t *body);

#endif
