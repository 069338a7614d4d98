/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The notifier: answers subscriptions from internal status at once, and tells of each change.
 */
#include "qsa_test.h"

#include <stdio.h>

#define DOCUMENT_SIZE 1024

/** Copies a text that must neither be cut nor break the document it goes into. */
static int copy_text(char *to, size_t size, const char *from, size_t len)
{
	if(len >= size || memchr(from, '\0', len) != NULL)
		return -1;
	memcpy(to, from, len);
	to[len] = '\0';
	return strpbrk(to, "<>&\"") == NULL ? 0 : -1;
}

/** The row of a record; NULL when it has none. Call under the lock. */
static status_t *find_status(const char *record)
{
	int i;

	for(i = 0; i < STATUS_NO; i++)
		if(shared->statuses[i].record[0] != '\0'
				&& strcmp(shared->statuses[i].record, record) == 0)
			return &shared->statuses[i];
	return NULL;
}

/** Tells a subscriber of a status; a record without one is pending. */
static int tell(qsa_subscription_t subscription, const status_t *status)
{
	str content_type = str_init("application/pidf+xml");
	char document[DOCUMENT_SIZE];
	str body;

	if(status == NULL)
		return qsa.notify_subscriber(
				subscription, QSA_PENDING, NULL, NULL, NULL);
	body.s = document;
	body.len = snprintf(document, sizeof(document),
			"<?xml version=\"1.0\"?>"
			"<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"%s\">"
			"<tuple id=\"internal\"><status><basic>%s</basic></status>"
			"<contact priority=\"0.5\">%s</contact>"
			"<note xml:lang=\"en\">%s</note></tuple></presence>",
			status->record, status->open ? "open" : "closed", status->record,
			status->note);
	if(body.len >= (int)sizeof(document))
		return QSA_E_ROOM;
	return qsa.notify_subscriber(
			subscription, QSA_ACTIVE, NULL, &content_type, &body);
}

/** A subscription of the notifier's own, made within its callback: to another record of the same package. */
static qsa_subscription_t subscribe_inside(const qsa_subscribed_t *subscribed)
{
	qsa_subscribe_params_t params;
	qsa_subscription_t inner = 0;

	memset(&params, 0, sizeof(params));
	params.size = sizeof(params);
	params.package = subscribed->package;
	params.record.s = "sip:inner@192.0.2.1";
	params.record.len = strlen(params.record.s);
	params.subscriber = subscribed->subscriber;
	params.queue = queue;
	return qsa.subscribe(&params, &inner) < 0 ? 0 : inner;
}

/** Takes a subscription up, but for records that begin with "refuse". Its value is the row's number, from 1. */
static int on_subscribe(
		const qsa_subscribed_t *subscribed, uint64_t *value, void *user)
{
	char record[RECORD_SIZE];
	status_t *found, status;
	int i;

	(void)user;
	if(copy_text(record, sizeof(record), subscribed->record.s,
			   subscribed->record.len)
					< 0
			|| strncmp(record, "refuse", 6) == 0)
		return -1;
	lock_get(&shared->lock);
	for(i = 0; i < WATCH_NO && shared->watches[i].subscription != 0; i++)
		;
	if(i == WATCH_NO) {
		lock_release(&shared->lock);
		return -1;
	}
	shared->watches[i].subscription = subscribed->subscription;
	strcpy(shared->watches[i].record, record);
	shared->watches[i].inner = 0;
	if((found = find_status(record)) != NULL)
		status = *found;
	lock_release(&shared->lock);
	*value = i + 1;
	if(strncmp(record, "sip:nest@", 9) == 0)
		shared->watches[i].inner = subscribe_inside(subscribed);
	atomic_inc(&shared->taken);
	tell(subscribed->subscription, found == NULL ? NULL : &status);
	return 0;
}

static void on_unsubscribe(
		qsa_subscription_t subscription, uint64_t value, void *user)
{
	qsa_subscription_t inner = 0;

	(void)user;
	lock_get(&shared->lock);
	if(value >= 1 && value <= WATCH_NO
			&& shared->watches[value - 1].subscription == subscription) {
		shared->watches[value - 1].subscription = 0;
		inner = shared->watches[value - 1].inner;
	}
	lock_release(&shared->lock);
	if(inner != 0)
		qsa.unsubscribe(inner);
	atomic_inc(&shared->ended);
}

int register_status(const char *package, qsa_notifier_t *notifier)
{
	qsa_notifier_params_t params;

	memset(&params, 0, sizeof(params));
	params.size = sizeof(params);
	params.package.s = (char *)package;
	params.package.len = strlen(package);
	params.subscribe = on_subscribe;
	params.unsubscribe = on_unsubscribe;
	return qsa.register_notifier(&params, notifier);
}

int set_status(const char *record, int open, const char *note)
{
	qsa_subscription_t watchers[WATCH_NO];
	status_t status, *row;
	int i, watchers_no = 0;

	memset(&status, 0, sizeof(status));
	status.open = open;
	if(copy_text(status.record, sizeof(status.record), record, strlen(record))
					< 0
			|| copy_text(status.note, sizeof(status.note), note, strlen(note))
					   < 0)
		return QSA_E_ARGUMENT;
	lock_get(&shared->lock);
	row = find_status(record);
	for(i = 0; row == NULL && i < STATUS_NO; i++)
		if(shared->statuses[i].record[0] == '\0')
			row = &shared->statuses[i];
	if(row == NULL) {
		lock_release(&shared->lock);
		return QSA_E_LIMIT;
	}
	*row = status;
	for(i = 0; i < WATCH_NO; i++)
		if(shared->watches[i].subscription != 0
				&& strcmp(shared->watches[i].record, record) == 0)
			watchers[watchers_no++] = shared->watches[i].subscription;
	lock_release(&shared->lock);
	for(i = 0; i < watchers_no; i++)
		tell(watchers[i], &status); /* who has gone meanwhile is not there */
	return 0;
}

void add_list(rpc_t *rpc, void *st, qsa_message_t *message)
{
	if(message->list.len > 0)
		rpc->struct_add(st, "SSSS", "list", &message->list, "resource",
				&message->resource, "resource_name", &message->resource_name,
				"instance", &message->instance);
}
